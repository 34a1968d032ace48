import { setTimeout as delay } from "node:timers/promises";
import { isPerdureError } from "perdure/errors";
import type { Line } from "./account.ts";

/** Turns of a thread; then the next one begins. */
const TURNS = 4;

/** One thread after the other, as one user would have them; they are called `<kind>-<index>.<number>`. */
export interface Slot {
  readonly index: number;
  /** How its threads are driven: by a runner's calls, by its streams, or by LangGraph alone. */
  readonly kind: "runner" | "stream" | "plain";
  /** The thread to begin with; it may be half done. */
  readonly from: number;
}

/** Where a thread stands, as far as a load has to know. */
export interface Stand {
  readonly status: "new" | "ready" | "interrupted" | "done";
  /** The turn under way, or the last one; -1 before the first. */
  readonly turn: number;
  readonly checkpoint: string;
  /** The open interrupt. */
  readonly interrupt?: string;
}

/** How threads are driven; each call returns when the thread waits, or is done. */
export interface LoadCalls {
  look(thread: string): Promise<Stand>;
  start(thread: string, turn: number): Promise<Stand>;
  answer(thread: string, stand: Stand): Promise<Stand>;
  goOn(thread: string): Promise<Stand>;
}

type WithoutPid<T> = T extends unknown ? Omit<T, "pid"> : never;
type Note = WithoutPid<Extract<Line, { at: "call" | "returned" | "threw" }>>;

/** Takes threads through their turns, until it is told to finish and a turn is over. */
export async function keepBusy(
  slot: Slot,
  calls: LoadCalls,
  write: (note: Note) => void,
  isFinishing: () => boolean,
): Promise<void> {
  for (let number = slot.from; ; number += 1) {
    const thread = `${slot.kind}-${slot.index}.${number}`;
    let stand = await whenReachable(() => calls.look(thread));
    while (stand.status !== "done" || stand.turn < TURNS - 1) {
      const [name, turn, call] = nextCall(calls, thread, stand);
      if (name === "start" && isFinishing()) return;
      write({ at: "call", thread, turn, call: name });
      try {
        stand = await call();
        if (stand.status === "ready") throw new Error(`${name} returned a thread that is ready.`);
        write({ at: "returned", thread, call: name, checkpoint: stand.checkpoint });
      } catch (error) {
        write({ at: "threw", thread, call: name, error: isPerdureError(error) ? error.code : String(error) });
        await delay(50);
        stand = await whenReachable(() => calls.look(thread));
      }
    }
  }
}

/** Tries again and again, as a program does that starts while the server is away. */
export async function whenReachable<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isPerdureError(error, "CHECKPOINTER_UNREACHABLE")) throw error;
      await delay(50);
    }
  }
}

function nextCall(
  calls: LoadCalls,
  thread: string,
  stand: Stand,
): [name: string, turn: number, call: () => Promise<Stand>] {
  const { status, turn } = stand;
  if (status === "ready") return ["continue", turn, () => calls.goOn(thread)];
  if (status === "interrupted") return ["answer", turn, () => calls.answer(thread, stand)];
  return ["start", turn + 1, () => calls.start(thread, turn + 1)];
}
