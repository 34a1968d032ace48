// Money moves between two accounts, and the process dies before the graph knows; another one goes on, and it moves no more.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";

const folder = await mkdtemp(join(tmpdir(), "perdure-bank-"));
const worker = new URL("worker.ts", import.meta.url);

for (const what of ["start", "continue"]) {
  const child = fork(worker, [what, folder]);
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  console.log(`${what}: process ${child.pid} ended with ${signal ?? `status ${code}`}`);
  assert.equal(signal ?? code, what === "start" ? "SIGKILL" : 0);
}

const bank = await PGlite.create(join(folder, "bank"));
const { rows } = await bank.query("SELECT owner, cents FROM accounts ORDER BY owner");
console.log(rows);
assert.deepEqual(rows, [
  { owner: "ana", cents: 6_000 },
  { owner: "bob", cents: 4_000 },
]);
await bank.close();
await rm(folder, { recursive: true });
