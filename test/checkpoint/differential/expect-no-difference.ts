import { inspect } from "node:util";
import type { Difference } from "./first-difference.ts";
import { smallestFailing } from "./smallest-failing.ts";

/** What every run reports. */
export interface RunReport {
  readonly difference: Difference | undefined;
  /** How many operations were done. */
  readonly done: number;
  /** Those that probably show the difference on their own. @default all */
  readonly likely?: readonly number[];
  /** What was done last, and where the difference is, for people. */
  readonly story: readonly string[];
}

/** A run that can be made again with fewer operations. */
export interface Repeatable<Report extends RunReport> {
  readonly name: string;
  readonly seed: number;
  /** How many operations to do. */
  readonly count: number;
  readonly run: (operations: readonly number[]) => Promise<Report>;
}

const SHRINK_MS = 20_000;

/**
 * Does a run and returns its report. A difference is an error that says where it is, how few of the operations
 * still show it, and what they were.
 */
export async function expectNoDifference<Report extends RunReport>(repeatable: Repeatable<Report>): Promise<Report> {
  const { name, seed, count, run } = repeatable;
  const operations = Array.from({ length: count }, (_, index) => index);
  const first = await run(operations);
  if (first.difference === undefined) return first;
  const fails = async (some: readonly number[]): Promise<boolean> => (await run(some)).difference !== undefined;
  const done = operations.slice(0, first.done);
  const { likely = done } = first;
  const start = likely.length < done.length && (await fails(likely)) ? likely : done;
  const few = await smallestFailing(start, fails, SHRINK_MS);
  const again = await run(few);
  const { difference, story } = again.difference === undefined ? first : again;
  throw new Error(
    [
      `${name} differs from MemorySaver: PERDURE_SEED=${seed}, found after ${first.done} operations.`,
      again.difference === undefined ? "It did not happen again." : `These are enough: ${few.join(", ")}.`,
      `At ${difference?.path || "the answer itself"}:`,
      `ours:      ${show(difference?.ours)}`,
      `reference: ${show(difference?.reference)}`,
      ...story,
    ].join("\n"),
  );
}

function show(value: unknown): string {
  if (value instanceof Error) return value.stack ?? value.message;
  return inspect(value, { depth: 6, breakLength: 120, maxStringLength: 300 });
}
