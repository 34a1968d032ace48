// Runs the graph for Temporal: `worker.ts <address of the server> <checkpointer>`.
// #region temporal
import { NativeConnection } from "@temporalio/worker"; // worker.ts
import { openCheckpointer } from "perdure";
import { createGraphWorker } from "perdure/temporal/worker";
// #endregion
import { refundGraph } from "./refund-graph.ts";

const [address = "", url = ""] = process.argv.slice(2);
process.on("disconnect", () => process.exit()); // its parent is gone

const refund = refundGraph(() => process.send?.("paying"));
// #region temporal
const connection = await NativeConnection.connect({ address });
const checkpointer = await openCheckpointer(url);
const graphs = { refund }; // any compiled graph, as it is
export type Graphs = typeof graphs;
const settings = { refund: { heartbeatTimeoutMs: 2_000 } }; // after so much silence a worker is taken for dead
const worker = await createGraphWorker({ connection, taskQueue: "agents", graphs, checkpointer, settings });
await worker.run();
// #endregion
