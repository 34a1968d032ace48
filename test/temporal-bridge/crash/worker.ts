/** A process with a Temporal worker for one graph, until it is killed. Its parent tells it where everything is. */
import { readFile } from "node:fs/promises";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { openCheckpointer } from "perdure/checkpoint";
import { createGraphWorker } from "perdure/temporal/worker";
import { crashGraph } from "./crash-graph.ts";
import { Ledger } from "./ledger.ts";

/** What a worker is told. */
export interface Setup {
  readonly databaseUrl: string;
  readonly address: string;
  readonly taskQueue: string;
  readonly workflowBundlePath: string;
  readonly granularity: "node" | "burst";
  /** Only one of the two. @default both */
  readonly only?: "workflows" | "activities";
}

/** After so many milliseconds without a sign of life a worker is taken for dead. */
const HEARTBEAT_TIMEOUT_MS = 1_500;
/** A process that stood still for so long may have been taken for dead, by Temporal's clock. */
const STALL_MS = HEARTBEAT_TIMEOUT_MS / 3;

process.once("disconnect", () => process.exit()); // the parent is gone
process.once("message", (setup: Setup) => {
  void serve(setup).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

async function serve(setup: Setup): Promise<void> {
  const { databaseUrl, address, taskQueue, workflowBundlePath, granularity, only } = setup;
  Runtime.install({ logger: new DefaultLogger("ERROR") });
  const checkpointer = await openCheckpointer(databaseUrl, { poolSize: 6 });
  const ledger = new Ledger(databaseUrl);
  noteStalls(ledger);
  const connection = await NativeConnection.connect({ address });
  const workflows = {
    workflowBundle: { code: await readFile(workflowBundlePath, "utf8") },
    // what a dead worker had in its cache is not waited for
    stickyQueueScheduleToStartTimeout: 500,
  };
  const graphWorker = (): Promise<Worker> =>
    createGraphWorker({
      connection,
      taskQueue,
      graphs: { crash: crashGraph(ledger, checkpointer) },
      checkpointer,
      settings: { crash: { granularity, heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS, maxParallelActivities: 3 } },
      activitiesOnly: only === "activities",
      // a sign of life is not kept back until it is nearly too late
      worker: { maxHeartbeatThrottleInterval: 200, ...(only === "activities" ? {} : workflows) },
    });
  const worker =
    only === "workflows" ? await Worker.create({ connection, taskQueue, ...workflows }) : await graphWorker();
  process.send?.("ready");
  await worker.run();
}

function noteStalls(ledger: Ledger): void {
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    if (now - last > STALL_MS) void ledger.note("stalled", process.pid);
    last = now;
  }, 50);
}
