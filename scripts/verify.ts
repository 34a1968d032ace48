// `npm run verify`: all that CI runs, word for word. It runs every step even when one has failed, prints a table of
// them, and as its last line the counts: each test and each example counts as one, and so does each other step.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatDuration, printTable } from "./print-table.ts";
import { type CommandResult, lastLine, runCommand } from "./run-command.ts";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Step {
  /** What one would type for this step alone. */
  readonly command: string;
  /** What stands for in the last line. @default one check */
  readonly count?: (result: CommandResult) => Counts;
}

const folder = mkdtempSync(join(tmpdir(), "perdure-verify-"));
const testReport = join(folder, "tests.json");

/** The groups run one after another; the steps of a group two at a time. Tests have the machine for themselves. */
const groups: readonly (readonly Step[])[] = [
  [
    { command: "npm run package:check" },
    { command: "npm run format:check" },
    { command: "npm run lint" },
    { command: "npm run typecheck" },
    { command: "npm run knip" },
  ],
  [
    {
      command: `npm test -- --coverage --reporter=default --reporter=json --outputFile.json=${testReport}`,
      count: countTests,
    },
  ],
  [
    { command: "npm run examples -- --json", count: countExamples },
    { command: "npm start -- --yes --json", count: countStart },
    { command: "npm run demo:temporal -- --yes --json", count: countDemo },
  ],
];

const rows: string[][] = [];
const total = { passed: 0, failed: 0, skipped: 0 };
const started = performance.now();
for (const group of groups) {
  const waiting = [...group];
  await Promise.all([takeFrom(waiting), takeFrom(waiting)]);
}
rmSync(folder, { recursive: true, force: true });
printTable(["step", "result", "time"], [...rows, ["all", "", formatDuration(performance.now() - started)]]);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;

async function takeFrom(waiting: Step[]): Promise<void> {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) await run(step);
}

async function run({ command, count = countOne }: Step): Promise<void> {
  const [program = "", ...args] = command.split(" ");
  const result = await runCommand(program, args, { env: { ...process.env, NO_COLOR: "1" } });
  const counts = atLeastOneFailure(result, count(result));
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  const name = command.replace(/ --reporter.*/, "");
  const verdict = counts.failed === 0 ? "passed" : "failed";
  const detail =
    count === countOne ? result.why : `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
  rows.push([name, detail === "" ? verdict : `${verdict}: ${detail}`, formatDuration(result.durationMs)]);
  console.log(`${name}: ${verdict} after ${formatDuration(result.durationMs)}`);
  if (counts.failed > 0) console.log(`${result.output.trimEnd()}\n${name}: ${result.why || verdict}\n`);
}

/** A command that failed counts as a failure, also where nothing in its report did. */
function atLeastOneFailure(result: CommandResult, counts: Counts): Counts {
  return result.ok || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

function countOne({ ok }: CommandResult): Counts {
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

function countTests(): Counts {
  const report = parse(() => readFileSync(testReport, "utf8"));
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const count = (name: string) => Number(report[name] ?? 0);
  return {
    passed: count("numPassedTests"),
    failed: count("numFailedTests"),
    skipped: count("numPendingTests") + count("numTodoTests"),
  };
}

function countExamples({ stdout }: CommandResult): Counts {
  const report = parse(() => lastLine(stdout));
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  return { passed: Number(report["passed"]), failed: Number(report["failed"]), skipped: 0 };
}

/** The main job holds its promise: killed for real, resumed, all done, and no refund made twice. */
function countStart(result: CommandResult): Counts {
  return countOne({ ...result, ok: result.ok && deskHolds(lastNumbers(result)) });
}

/** The same on Temporal, whose server went down too. */
function countDemo(result: CommandResult): Counts {
  const at = lastNumbers(result);
  return countOne({ ...result, ok: result.ok && deskHolds(at) && at("serverRestarts") >= 1 });
}

function deskHolds(at: (name: string) => number): boolean {
  return (
    at("threads") >= 3 &&
    at("done") === at("threads") &&
    at("killed") >= 1 &&
    at("resumed") >= 1 &&
    at("duplicateRefunds") === 0
  );
}

/** The numbers of a last line of JSON, by name. */
function lastNumbers({ stdout }: CommandResult): (name: string) => number {
  const report = parse(() => lastLine(stdout));
  return (name) => Number(report?.[name]);
}

function parse(read: () => string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(read()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
