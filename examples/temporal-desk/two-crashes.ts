/** The work seen from outside: a worker is killed while money is on its way, then the Temporal server, and both come back. */
import { setTimeout as pause } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import { createTemporalExecutor } from "perdure/temporal/client";
import type { TemporalServer } from "../../test/support/temporal-server.ts";
import { applyEvent, isKillMoment, markLost } from "../support-desk/board.ts";
import { openDesk } from "../support-desk/desk.ts";
import { progressLine } from "../support-desk/progress.ts";
import type { ThreadEvent } from "../support-desk/protocol.ts";
import type { Shift } from "../support-desk/shift.ts";
import { startWorker } from "../support-desk/worker-process.ts";
import type { WorkerProcess } from "../support-desk/worker-process.ts";
import { answerCustomer } from "./answer-customer.ts";
import { TASK_QUEUE } from "./names.ts";
import type { GRAPH, WorkerCommand } from "./names.ts";

/** How long the refund that was cut off may take to be tried again, before the server is killed all the same. */
const REFUND_MS = 5_000;

const WORKER = new URL("desk-worker.ts", import.meta.url);

/** Where the work is done. */
export interface Place {
  readonly temporal: TemporalServer;
  readonly bundlePath: string;
  /** Whether decisions come from a file. */
  readonly isScripted: boolean;
}

/** Brings all threads to their ends. @returns what was killed on the way */
export async function workThroughTwoCrashes(
  shift: Shift,
  { temporal, bundlePath, isScripted }: Place,
): Promise<{ killed: number; serverRestarts: number }> {
  const { setup, messages, board, screen, stopped } = shift;
  await using opened = new AsyncDisposableStack();
  const desk = await openDesk(setup, () => undefined);
  opened.defer(() => desk.close());
  const connection = await Connection.connect({ address: temporal.address });
  opened.defer(() => connection.close());
  const executor = createTemporalExecutor<{ readonly [GRAPH]: typeof desk.graph }>({
    client: new Client({ connection }),
    taskQueue: TASK_QUEUE,
    checkpointer: desk.checkpointer,
  });

  const killMoment = Promise.withResolvers<"kill">();
  /** There is no worker now. */
  let isDown = true;
  /** A worker is there; and one moves money. */
  let isReady = Promise.withResolvers<string>();
  let isPaying = Promise.withResolvers<void>();
  const tell = (event: ThreadEvent) => {
    const line = progressLine(event, board.get(event.threadId), { everyNode: screen.plain });
    applyEvent(board, event, Date.now());
    if (line !== undefined) screen.line(line);
    if (isKillMoment(board, event)) killMoment.resolve("kill");
    if (event.type === "refund") isPaying.resolve();
  };
  const left = new Promise<never>((_, reject) => {
    stopped.addEventListener("abort", () => reject(stopped.reason as Error));
  });
  left.catch(() => undefined);

  /** A worker, and what comes of it: it ends when it is told to, and throws when it ends before. */
  const begin = (): { worker: WorkerProcess<WorkerCommand>; ended: Promise<unknown> } => {
    const worker = startWorker<WorkerCommand>(WORKER, (line) => screen.line(line));
    opened.defer(() => worker.kill());
    worker.send({ type: "work", setup, address: temporal.address, bundlePath });
    const ended = Promise.all([relay(worker, tell, isReady.resolve), worker.ended()]);
    ended.catch(() => undefined); // who waits for it is told, and the one that is killed is no surprise
    return { worker, ended };
  };

  const first = begin();
  screen.line(`Worker ${first.worker.pid} begins.`);
  screen.line(`\n${String(await Promise.race([isReady.promise, left, first.ended]))}\n`);
  isDown = false;
  const closing = new AbortController();
  const customers = connection.withAbortSignal(closing.signal, async () => {
    const counter = { desk, executor, shift, tell, isScripted, isDown: () => isDown, closing: closing.signal };
    return messages.map((message) => answerCustomer(counter, message));
  });
  opened.defer(async () => {
    closing.abort();
    await Promise.allSettled(await customers);
  });
  const work = customers.then((answered) => Promise.all(answered));
  work.catch(() => undefined); // who waits for it is told
  const finish = async ({ worker, ended }: typeof first): Promise<void> => {
    await Promise.race([work, left, ended]);
    worker.send({ type: "stop" });
    await ended;
  };
  if ((await Promise.race([work, left, first.ended, killMoment.promise])) !== "kill") {
    await finish(first);
    return { killed: 0, serverRestarts: 0 };
  }

  await first.worker.kill();
  isDown = true;
  markLost(board);
  isReady = Promise.withResolvers();
  isPaying = Promise.withResolvers();
  const second = begin();
  screen.line(`\n✗ Worker ${first.worker.pid} was killed (SIGKILL) at work. Worker ${second.worker.pid} goes on:`);
  await Promise.race([isReady.promise, left, second.ended]);
  isDown = false;
  await Promise.race([isPaying.promise, work, left, second.ended, pause(REFUND_MS, undefined, { ref: false })]);
  await temporal.restart();
  screen.line("\n✗ The Temporal server was killed (SIGKILL), and started again on its database file:");
  await finish(second);
  return { killed: 1, serverRestarts: 1 };
}

/** Tells what a worker reports, until it ends: first the graph, when it is ready. */
async function relay(
  worker: WorkerProcess<WorkerCommand>,
  tell: (event: ThreadEvent) => void,
  ready: (drawing: string) => void,
): Promise<void> {
  for await (const event of worker.events()) {
    if (event.type === "graph") ready(event.drawing);
    else tell(event);
  }
}
