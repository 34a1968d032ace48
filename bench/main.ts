/**
 * Runs one measurement: `npm run bench -- <name> [--json] [--quick] [--rounds n]`. Without a name it lists them.
 * Exit codes: 0 measured, 2 called wrongly.
 */
import { parseArgs } from "node:util";
import type { Benchmark, BenchmarkOptions } from "./benchmark.ts";

/** What can be measured. Loaded when it is run: each brings its own rivals along. */
const benchmarks: Readonly<Record<string, { readonly about: string; readonly load: () => Promise<Benchmark> }>> = {
  checkpoint: {
    about:
      "speed and size on Postgres: our checkpointer against LangGraph's PostgresSaver (some minutes, 4 GB of disk)",
    load: async () => (await import("./checkpoint/index.ts")).checkpointBenchmark,
  },
  runner: {
    about: "CPU per superstep: a runner against LangGraph alone, in memory",
    load: async () => (await import("./runner.ts")).runnerBenchmark,
  },
  temporal: {
    about: "steps, CPU and memory on Temporal: graphs on our worker against a workflow written by hand (some minutes)",
    load: async () => (await import("./temporal/index.ts")).temporalBenchmark,
  },
};

const usage = `Usage: npm run bench -- <name> [options]

Benchmarks
${Object.entries(benchmarks)
  .map(([name, { about }]) => `  ${name.padEnd(12)}${about}`)
  .join("\n")}

Options
  --rounds n  how often each side is measured, after one round that does not count
  --quick     a small trial of it, which measures nothing that counts
  --json      print the result as JSON on the last line
  --help      print this
`;

/** @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args);
  const [name, ...more] = positionals;
  if (values.help === true || name === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
  if (benchmark === undefined) throw new WrongUsage(`There is no benchmark "${name}".`);
  if (more.length > 0) throw new WrongUsage(`One benchmark at a time: what is "${more.join(" ")}"?`);
  const quick = values.quick === true;
  const scale = positive("scale", values.scale) ?? (quick ? 0.1 : 1);
  const rounds = count("rounds", values.rounds) ?? (quick ? 3 : undefined);
  const trial = scale !== 1;
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  if (trial) print(`A trial with ${scale} of the work: not the measurement.`);
  const result = await (await benchmark.load()).measure({ scale, rounds, print, progress: progressOnTerminal() });
  if (values.json === true) print(JSON.stringify({ name, ...result, ...(trial ? { quick: true } : {}) }));
  return 0;
}

function progressOnTerminal(): BenchmarkOptions["progress"] {
  if (!process.stderr.isTTY) return () => {};
  const started = performance.now();
  return (line) => {
    const seconds = Math.round((performance.now() - started) / 1_000);
    process.stderr.write(`${`${seconds} s`.padStart(6)}  ${line}\n`);
  };
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: "boolean" },
        json: { type: "boolean" },
        quick: { type: "boolean" },
        rounds: { type: "string" },
        scale: { type: "string" }, // the size of the work; the tests make it small
      },
    });
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
}

function positive(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new WrongUsage(`--${option} takes a number above 0, not "${text}".`);
}

function count(option: string, text: string | undefined): number | undefined {
  const value = positive(option, text);
  if (value === undefined || Number.isInteger(value)) return value;
  throw new WrongUsage(`--${option} takes a whole number, not "${text}".`);
}

class WrongUsage extends Error {}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof WrongUsage)) throw error;
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
