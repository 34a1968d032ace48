import { inspect } from "node:util";
import { runAgainstMemorySaver } from "./saver-run.ts";
import type { SaverRunOptions, SaverRunReport } from "./saver-run.ts";
import { smallestFailing } from "./smallest.ts";
import type { DifferentialBackend } from "./stores.ts";

/**
 * Runs the first `count` operations of a seed. A difference is an error that says where it is and how few of
 * the operations still show it.
 */
export async function expectNoDifference(
  backend: DifferentialBackend,
  options: Omit<SaverRunOptions, "operations"> & { readonly count: number },
): Promise<SaverRunReport> {
  const operations = Array.from({ length: options.count }, (_, index) => index);
  const report = await runAgainstMemorySaver(backend, { ...options, operations });
  if (report.difference === undefined) return report;
  const fails = async (some: readonly number[]): Promise<boolean> =>
    (await runAgainstMemorySaver(backend, { ...options, operations: some })).difference !== undefined;
  const done = operations.slice(0, report.done);
  const likely = report.ofTheThread.length < done.length && (await fails(report.ofTheThread));
  const few = await smallestFailing(likely ? report.ofTheThread : done, fails, SHRINK_MS);
  throw new Error(await explain(backend, { ...options, operations: few }, report));
}

const SHRINK_MS = Number(process.env.SHRINK ?? 20_000);

async function explain(backend: DifferentialBackend, options: SaverRunOptions, first: SaverRunReport): Promise<string> {
  const again = await runAgainstMemorySaver(backend, options);
  const { difference = first.difference } = again;
  const show = (value: unknown): string => inspect(value, { depth: 6, breakLength: 120, maxStringLength: 300 });
  return [
    `${backend.name} differs from MemorySaver: PERDURE_SEED=${options.seed}, operation ${first.done} of it.`,
    again.difference === undefined ? "It did not happen again." : `These are enough: ${options.operations.join(", ")}`,
    `At ${difference?.path || "the answer itself"}`,
    `ours:      ${show(difference?.ours)}`,
    `reference: ${show(difference?.reference)}`,
    `by actor ${difference?.actor}: ${show(difference?.step)}`,
    "The operations were:",
    ...(again.difference === undefined ? first : again).last.flatMap(({ index, kind, parts }) =>
      parts.map(({ actor, step }) => `${index} ${kind}, actor ${actor}: ${JSON.stringify(step)}`),
    ),
  ].join("\n");
}
