// Nodes of a graph as activities of a workflow that you write yourself: a lookup that fails at first, a model, and a person.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { exportActivities } from "perdure/temporal/worker";
import { startTemporal } from "../../test/support/temporal-server.ts";
import { scriptedModel } from "../scripted-model.ts";
import { letterGraph } from "./letter-graph.ts";
import { decide, letter, openQuestion } from "./workflows.ts";

const server = await startTemporal().catch((error: unknown) => {
  console.log("Skipped: there is no Temporal server here, and none could be fetched.", String(error));
  process.exit(0);
});
Runtime.install({ logger: new DefaultLogger("ERROR") });

await using scripted = await scriptedModel(({ asked }) =>
  asked.includes("Mind: shorter") ? "Hi Ana." : "Dear Ana, …",
);
let lookUps = 0;
const graph = letterGraph({
  model: () => scripted.model,
  find: async (name) => {
    lookUps += 1;
    if (lookUps === 1) throw new Error("the address book does not answer");
    return `12 Mill Lane, ${name}'s house`;
  },
});

const connection = await NativeConnection.connect({ address: server.address });
const worker = await Worker.create({
  connection,
  taskQueue: "letters",
  workflowsPath: fileURLToPath(new URL("./workflows.ts", import.meta.url)),
  activities: exportActivities(graph),
});

await worker.runUntil(async () => {
  const clientConnection = await Connection.connect({ address: server.address });
  const client = new Client({ connection: clientConnection });
  const handle = await client.workflow.start(letter, { taskQueue: "letters", workflowId: "letter-1", args: ["Ana"] });

  const first = await question(() => handle.query(openQuestion));
  assert.deepEqual(first, { question: "Shall we send it?", draft: "Dear Ana, …" });
  await handle.signal(decide, { verdict: "again", remark: "shorter" });

  const second = await question(async () => {
    const asked = await handle.query(openQuestion);
    return (asked?.value as typeof first | undefined)?.draft === "Hi Ana." ? asked : undefined;
  });
  console.log("The second draft:", second.draft);
  await handle.signal(decide, { verdict: "send" });

  assert.deepEqual(await handle.result(), { sent: true, draft: "Hi Ana." });
  assert.equal(lookUps, 2);
  console.log("Sent, after a failed lookup and a remark.");
  await clientConnection.close();
});
await connection.close();
await server.stop();

/** What the workflow asks, once it does. */
async function question(look: () => Promise<{ readonly value?: unknown } | undefined>) {
  for (;;) {
    const asked = await look();
    if (asked !== undefined) return asked.value as { readonly question: string; readonly draft: string };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
