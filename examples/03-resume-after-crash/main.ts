// A process is killed in the middle of a report; another one finishes it, and writes no chapter twice that was kept.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = await mkdtemp(join(tmpdir(), "perdure-report-"));
const worker = new URL("worker.ts", import.meta.url);

const first = fork(worker, ["start", folder]);
let kept = 0;
first.on("message", () => {
  kept += 1;
  if (kept === 3) first.kill("SIGKILL"); // in the middle: nobody gets to say goodbye
});
const [, signal] = (await once(first, "exit")) as [number | null, string | null];
console.log(`process ${first.pid}: ${kept} chapters kept, then ${signal}`);

const second = fork(worker, ["continue", folder]);
let chapters: string[] = [];
second.on("message", (message: { done?: string[] }) => {
  chapters = message.done ?? chapters;
});
await once(second, "exit");
console.log(`process ${second.pid}: resumed "report-1" and finished it: ${chapters.join(", ")}`);

const ledger = (await readFile(join(folder, "ledger.txt"), "utf8")).trim().split("\n");
const writtenBySecond = ledger.filter((line) => line.startsWith(`${second.pid} `)).length;
assert.equal(signal, "SIGKILL");
assert.deepEqual(
  chapters,
  [1, 2, 3, 4, 5, 6].map((n) => `Chapter ${n}`),
);
assert.ok(writtenBySecond <= 6 - kept, `the second process wrote ${writtenBySecond} chapters`);
console.log(`It wrote ${writtenBySecond} of the 6 chapters; what was kept was never written again.`);
await rm(folder, { recursive: true });
