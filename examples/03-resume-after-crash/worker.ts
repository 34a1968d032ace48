// Writes the report, or goes on with it: `worker.ts start|continue <folder>`.
import { join } from "node:path";
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { reportGraph } from "./report-graph.ts";

const [what, folder = "."] = process.argv.slice(2);
const checkpointer = await openCheckpointer(`pglite:${join(folder, "threads")}`);
const runner = createRunner(reportGraph(join(folder, "ledger.txt")), { name: "report", checkpointer });

const command = what === "start" ? ({ start: { wanted: 6 } } as const) : ({ continue: true } as const);
for await (const event of runner.stream("report-1", command)) {
  if (event.type === "update") process.send?.({ step: event.update });
  if (event.type === "state") process.send?.({ done: event.state.values.chapters });
}
await checkpointer.close();
process.disconnect?.();
