// Runs examples/NN-*/main.ts one after another; each checks its own result and says so by its exit status.
// `npm run examples -- 02 04` runs those whose names begin so. `--json` prints the counts as the last line.

import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatDuration, printTable } from "./print-table.ts";
import { runCommand } from "./run-command.ts";

const { values, positionals } = parseArgs({ options: { json: { type: "boolean" } }, allowPositionals: true });
const folder = join(import.meta.dirname, "..", "examples");
const names = globSync("[0-9][0-9]-*", { cwd: folder })
  .filter((name) => existsSync(join(folder, name, "main.ts")))
  .filter((name) => positionals.length === 0 || positionals.some((start) => name.startsWith(start)))
  .sort();

const rows: string[][] = [];
let failed = 0;
for (const name of names) {
  const main = join(folder, name, "main.ts");
  const { ok, why, output, durationMs } = await runCommand(process.execPath, [main], { timeoutMs: 600_000 });
  rows.push([name, ok ? "passed" : `failed: ${why}`, formatDuration(durationMs)]);
  if (ok) continue;
  failed += 1;
  console.log(`── ${name}\n${output.trimEnd()}\n`);
}
printTable(["example", "result", "time"], rows);
if (values.json) console.log(JSON.stringify({ passed: names.length - failed, failed }));
process.exitCode = failed === 0 ? 0 : 1;
