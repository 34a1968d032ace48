import { setTimeout as delay } from "node:timers/promises";
import type { Checkpointer } from "../checkpoint/index.ts";

/** How often a drive looks whether another process cancelled its thread, in milliseconds. */
const CANCEL_POLL_MS = 1_000;

/** Why a drive was stopped by `runner.cancel`. */
export class Cancelled extends Error {}

/** A drive under way in this process. */
interface LiveDrive {
  readonly stop: AbortController;
  readonly over: Promise<unknown>;
}

/** By checkpointer and not by runner: two runners of a process may drive the same threads, and either may cancel. */
const LIVE = new WeakMap<Checkpointer, LiveDrives>();

/** The drives of this process, so that a cancel reaches them (I7). */
export class LiveDrives {
  readonly #byThread = new Map<string, Set<LiveDrive>>();

  /** Those of a checkpointer. */
  static of(checkpointer: Checkpointer): LiveDrives {
    let live = LIVE.get(checkpointer);
    if (live === undefined) LIVE.set(checkpointer, (live = new LiveDrives()));
    return live;
  }

  /** Adds a drive; the returned function takes it out again. */
  add(threadId: string, drive: LiveDrive): () => void {
    const drives = this.#byThread.get(threadId) ?? new Set<LiveDrive>();
    this.#byThread.set(threadId, drives.add(drive));
    return () => {
      drives.delete(drive);
      if (drives.size === 0) this.#byThread.delete(threadId);
    };
  }

  /** Stops what is driven of the thread, and waits until it has stopped. */
  async stop(threadId: string): Promise<void> {
    const drives = [...(this.#byThread.get(threadId) ?? [])];
    for (const { stop } of drives) stop.abort(new Cancelled("cancelled"));
    await Promise.allSettled(drives.map(({ over }) => over));
  }
}

/** Aborts `stop` when another process has raised the thread's epoch. Looks until the returned controller aborts. */
export function watchForCancel(
  checkpointer: Checkpointer,
  threadId: string,
  epoch: number,
  stop: AbortController,
): AbortController {
  const ended = new AbortController();
  const look = async (): Promise<void> => {
    for (;;) {
      await delay(CANCEL_POLL_MS, undefined, { signal: ended.signal, ref: false });
      const record = await checkpointer.readRecord(threadId).catch(() => undefined); // away for a moment
      if (record !== undefined && record.epoch !== epoch) stop.abort(new Cancelled("cancelled elsewhere"));
    }
  };
  look().catch(() => {}); // ended
  return ended;
}
