// Moves money, or goes on with it: `worker.ts start|continue <folder>`. Accounts and threads share one database.
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { once } from "perdure/nodes";
import { createRunner } from "perdure/runner";

const [what, folder = "."] = process.argv.slice(2);
const bank = await PGlite.create(join(folder, "bank"));
const State = Annotation.Root({ from: Annotation<string>(), to: Annotation<string>(), cents: Annotation<number>() });

const graph = new StateGraph(State)
  .addNode("transfer", async ({ from, to, cents }) => {
    const left = await once.tx("transfer", async (sql) => {
      const text = "UPDATE accounts SET cents = cents + $2 WHERE owner = $1 RETURNING cents";
      const { rows } = await sql.query<{ cents: number }>(text, [from, -cents]);
      await sql.query(text, [to, cents]);
      return rows[0]?.cents;
    });
    if (what === "start") process.kill(process.pid, "SIGKILL"); // the money has moved, and the graph does not know
    console.log(`${from} has ${left} left`);
    return {};
  })
  .addEdge(START, "transfer");

const checkpointer = await openCheckpointer(bank);
const runner = createRunner(graph, { name: "bank", checkpointer });
if (what === "start") {
  await bank.exec(`CREATE TABLE accounts (owner text PRIMARY KEY, cents int);
    INSERT INTO accounts VALUES ('ana', 10000), ('bob', 0)`);
  await runner.start("transfer-1", { from: "ana", to: "bob", cents: 4_000 });
} else {
  await runner.continue("transfer-1");
}
await checkpointer.close();
await bank.close();
