// A graph on Temporal: a person approves a refund, the worker is killed while it pays, and another one brings the run to its end.
// On the server that TEMPORAL_ADDRESS names, else on a development server of its own; it is skipped where neither can be had.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
// #region temporal
import { Client, Connection } from "@temporalio/client"; // any other process
import { createTemporalExecutor } from "perdure/temporal/client";
import type { Graphs } from "./worker.ts";
// #endregion
import { startTemporal } from "../../test/support/temporal-server.ts";

const given = process.env["TEMPORAL_ADDRESS"];
const server = given ? undefined : await startTemporal().catch((error: Error) => error);
if (server instanceof Error) {
  console.log(`Skipped: there is no Temporal here, nor a Python with pip to get it by. ${server.message}`);
  process.exit(0);
}
const address = given || (server?.address ?? "");
const folder = await mkdtemp(join(tmpdir(), "perdure-temporal-"));
const url = `sqlite:${join(folder, "threads.db")}`; // one worker at a time; several share a Postgres
const startWorker = () =>
  fork(new URL("worker.ts", import.meta.url), [address, url], { stdio: ["ignore", 1, 1, "ipc"] });

const id = `case-${randomUUID()}`;
const input = { orderId: "A-17", cents: 4000 };
const first = startWorker();
const paying = once(first, "message");

// #region temporal
const client = new Client({ connection: await Connection.connect({ address }) });
const executor = createTemporalExecutor<Graphs>({ client, taskQueue: "agents" });
const run = await executor.execute("refund", { id, input });
let { interrupts } = await executor.query(id, "state");
while (interrupts.length === 0) ({ interrupts } = await executor.query(id, "state"));
await executor.resume(id, { [interrupts[0]!.id]: { decisions: [{ type: "approve" }], decidedBy: "ana" } });
// #endregion

await paying;
first.kill("SIGKILL");
await once(first, "exit");
console.log(`worker ${first.pid} was killed while it paid; ${await run.status()}`);

const second = startWorker();
const { outcome } = await run.result();
console.log(`worker ${second.pid} went on: ${outcome}`);
assert.match(outcome, /^paid 4000 cents for A-17, key of \d+ characters$/);
assert.equal(await run.status(), "done");

second.kill("SIGKILL");
await once(second, "exit");
await client.connection.close();
await server?.stop();
await rm(folder, { recursive: true });
