/** The process that runs the graph for Temporal, and may be killed at any moment. All that it knows is in the database. */
import { writeSync } from "node:fs";
import { DefaultLogger, NativeConnection, Runtime } from "@temporalio/worker";
import { drawGraph } from "perdure/graphs";
import { createGraphWorker } from "perdure/temporal/worker";
import { openDesk } from "../support-desk/desk.ts";
import type { WorkerEvent } from "../support-desk/protocol.ts";
import { GRAPH, TASK_QUEUE } from "./names.ts";
import type { WorkerCommand } from "./names.ts";

/** Silence for longer, and Temporal gives the work to another worker. Short, since somebody is watching. */
const HEARTBEAT_TIMEOUT_MS = 2_000;

let stop = () => {};

process.on("message", (command: WorkerCommand) => {
  if (command.type === "stop") stop();
  else void work(command); // what it throws ends the process, and the parent says so
});
process.on("disconnect", () => process.exit()); // the parent is gone

async function work({ setup, address, bundlePath }: Extract<WorkerCommand, { type: "work" }>): Promise<void> {
  // A server that is away is no news here.
  Runtime.install({ logger: new DefaultLogger("ERROR", ({ message }) => writeSync(2, `${message}\n`)) });
  const desk = await openDesk(setup, (news) => report({ type: "refund", ...news }));
  const connection = await NativeConnection.connect({ address });
  const worker = await createGraphWorker({
    connection,
    taskQueue: TASK_QUEUE,
    graphs: { [GRAPH]: desk.graph },
    checkpointer: desk.checkpointer,
    settings: { [GRAPH]: { heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS } },
    worker: { workflowBundle: { codePath: bundlePath }, stickyQueueScheduleToStartTimeout: "1s" },
  });
  stop = () => worker.shutdown();
  report({ type: "graph", drawing: drawGraph(desk.graph, setup.drawing) });
  await worker.run();
  await connection.close();
  await desk.close();
  process.disconnect();
}

function report(event: WorkerEvent): void {
  process.send?.(event);
}
