/**
 * A Temporal worker in a process of its own, so that what it takes is told from what clients and servers take. Started
 * by start-worker.ts, which says what kind of worker and asks how much it took.
 */
import { setTimeout as delay } from "node:timers/promises";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createGraphWorker } from "perdure/temporal/worker";
import { collectGarbage } from "../collect-garbage.ts";
import { caseGraphs } from "./case-graphs.ts";
import { handWrittenActivities } from "./hand-written-activities.ts";
import { heapOfThisThread, heapOfWorkflowThread } from "./thread-memory.ts";
import type { MemoryTaken, WorkerAnswer, WorkerKind, WorkerQuestion } from "./worker-messages.ts";

/** As many that none of a measurement is evicted; the rest is Temporal's default on both sides. */
const WORKER_OPTIONS = { maxCachedWorkflows: 5_000 };

/** What the checkpointer remembers of threads is bounded, and no part of a parked run: the round that does not count fills it. */
const CACHE_THREADS = 100;

const kind = JSON.parse(process.argv[2] ?? "") as WorkerKind;
Runtime.install({ logger: new DefaultLogger("ERROR") });
const connection = await NativeConnection.connect({ address: kind.address });
const { worker, forget, close } = await createWorker();
const running = worker.run();

process.on("message", (question: WorkerQuestion) => void answer(question));
process.on("disconnect", () => process.exit(1)); // whoever asks is gone
say({ answer: "ready" });
await running;
await close();
await connection.close();
process.disconnect();

interface CreatedWorker {
  readonly worker: Worker;
  /** Drops what it keeps of runs that are over, where that is in its own memory. */
  readonly forget: () => Promise<void>;
  readonly close: () => Promise<void>;
}

async function createWorker(): Promise<CreatedWorker> {
  const { taskQueue, codePath } = kind;
  const options = { ...WORKER_OPTIONS, workflowBundle: { codePath } };
  if (kind.graphs === undefined) {
    const activities = { ...handWrittenActivities };
    const worker = await Worker.create({ connection, taskQueue, ...options, activities });
    return { worker, forget: async () => {}, close: async () => {} };
  }
  const { checkpointerUrl, granularity } = kind.graphs;
  const checkpointer = await openCheckpointer(checkpointerUrl, { cacheThreads: CACHE_THREADS });
  const settings = { handleCase: { granularity }, askPerson: { granularity } };
  return {
    worker: await createGraphWorker({
      connection,
      taskQueue,
      graphs: caseGraphs,
      checkpointer,
      settings,
      worker: options,
    }),
    forget: () => (checkpointer.shared ? Promise.resolve() : deleteThreads(checkpointer)),
    close: () => checkpointer.close(),
  };
}

/** `memory:` keeps all threads for good, and to collect the garbage of a heap that grows is not what a step costs. */
async function deleteThreads(checkpointer: Checkpointer): Promise<void> {
  for (;;) {
    const { items } = await checkpointer.listThreads();
    if (items.length === 0) return;
    for (const { threadId } of items) await checkpointer.deleteThread(threadId);
  }
}

async function answer(question: WorkerQuestion): Promise<void> {
  switch (question) {
    case "cpu": {
      const { user, system } = process.cpuUsage();
      return say({ answer: "cpu", cpuMs: (user + system) / 1_000 });
    }
    case "garbage":
      await forget();
      collectGarbage();
      return say({ answer: "garbage" });
    case "memory":
      return say({ answer: "memory", memory: await memoryTaken() });
    case "stop":
      process.removeAllListeners("disconnect");
      return worker.shutdown();
  }
}

/** What is in use after all garbage is collected, in this thread and in that of workflows. */
async function memoryTaken(): Promise<MemoryTaken> {
  for (let times = 0; times < 3; times += 1) {
    collectGarbage();
    await heapOfWorkflowThread();
    await delay(100); // what ended in a collection is let go of by tasks that follow it
  }
  const [workflows, others] = [await heapOfWorkflowThread(), heapOfThisThread()];
  const unusedBytes = workflows.unusedBytes + others.unusedBytes;
  return {
    heapBytes: workflows.usedBytes + others.usedBytes,
    workflowHeapBytes: workflows.usedBytes,
    residentBytes: process.memoryUsage.rss() - unusedBytes,
  };
}

function say(what: WorkerAnswer): void {
  process.send?.(what);
}
