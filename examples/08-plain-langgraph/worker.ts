// Asks in two threads, and is killed: `worker.ts <url>`.
import { openCheckpointer } from "perdure/checkpoint";
import { builder } from "./refund-graph.ts";

const [, , url = ""] = process.argv;
// #region plain
const checkpointer = await openCheckpointer(url); // postgres://user@host/db, pglite:./folder or sqlite:./file
const graph = builder.compile({ checkpointer });
await graph.invoke({ cents: 4000 }, { configurable: { thread_id: "case-42" } }); // asks, and stops there
// #endregion
await graph.invoke({ cents: 90_000 }, { configurable: { thread_id: "case-43" } });
process.kill(process.pid, "SIGKILL"); // nobody gets to say goodbye
