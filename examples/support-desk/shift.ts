/**
 * The work itself, seen from outside: a worker begins, it is killed while money is on its way, and
 * another one goes on where it was.
 */
import type { ApprovalAnswer } from "perdure/nodes";
import type { Decide } from "./approvals.ts";
import { applyEvent, isKillMoment, markLost } from "./board.ts";
import type { Board } from "./board.ts";
import { progressLine } from "./progress.ts";
import type { CustomerMessage } from "./batch.ts";
import type { Command, ThreadEvent, WorkerSetup } from "./protocol.ts";
import type { Screen } from "./screen.ts";
import { startWorker } from "./worker-process.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** What two workers have in common: the work, and the person who watches and decides. */
export interface Shift {
  readonly setup: WorkerSetup;
  readonly messages: readonly CustomerMessage[];
  readonly board: Board;
  readonly screen: Screen;
  readonly decide: Decide;
  /** Notes that an answer of `decide` came too late, and was refused. */
  readonly takeBack: (answer: ApprovalAnswer) => void;
  /** Ends the work where it is; its reason is what is thrown then. */
  readonly stopped: AbortSignal;
}

/** Somebody pressed Ctrl-C, or is no longer at the terminal. */
export class Stopped extends Error {}

const WORKER = new URL("worker.ts", import.meta.url);

/** Brings all threads to their ends. @returns how many workers were killed on the way */
export async function workThroughACrash(shift: Shift): Promise<number> {
  const { board, screen } = shift;
  const log = (line: string) => screen.line(line);
  const first = startWorker<Command>(WORKER, log);
  screen.line(`Process ${first.pid} begins.`);
  if (await run(first, shift, (event) => isKillMoment(board, event))) return 0;

  const second = startWorker<Command>(WORKER, log);
  screen.line(`\n✗ Process ${first.pid} was killed (SIGKILL) at work. Process ${second.pid} goes on:`);
  await run(second, shift, () => false);
  return 1;
}

/**
 * Lets a worker work until all threads are finished, or until `killNow` says so.
 * @returns whether it lived to the end
 */
async function run(
  worker: WorkerProcess<Command>,
  shift: Shift,
  killNow: (event: ThreadEvent) => boolean,
): Promise<boolean> {
  const { setup, messages, board, screen, decide, stopped } = shift;
  const isFirst = [...board.values()].every(({ phase }) => phase === "new");
  let nobodyDecided: unknown;
  stopped.addEventListener("abort", () => void worker.kill());
  worker.send({ type: "work", setup, messages });
  for await (const event of worker.events()) {
    if (event.type === "graph") {
      if (isFirst) screen.line(`\n${event.drawing}\n`);
      continue;
    }
    const line = progressLine(event, board.get(event.threadId), { everyNode: screen.plain });
    applyEvent(board, event, Date.now());
    if (line !== undefined) screen.line(line);
    if (event.type === "question") {
      const { threadId, interruptId } = event.question;
      decide(event.question).then(
        (answer) => worker.send({ type: "answer", threadId, interruptId, answer }),
        (error: unknown) => {
          nobodyDecided = error;
          return worker.kill();
        },
      );
    }
    if (killNow(event)) {
      await worker.kill();
      stopped.throwIfAborted();
      markLost(board);
      return false;
    }
  }
  stopped.throwIfAborted();
  if (nobodyDecided !== undefined) throw nobodyDecided;
  await worker.ended();
  return true;
}
