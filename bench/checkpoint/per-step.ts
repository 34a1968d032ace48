import type { BenchPostgres } from "./bench-postgres.ts";
import type { DatabaseContender } from "./contender.ts";
import { stepsOf, underLoad } from "./throughput.ts";
import type { Load } from "./throughput.ts";
import type { Workload } from "./workload.ts";

/** What the server is asked for one step. */
export interface PerStep {
  readonly statements: number | undefined;
  readonly transactions: number;
}

/**
 * Counts at the server what a workload asks of it, on new threads: what an instance asks that runs it,
 * less what an instance asks that is opened and closed.
 * @param contend makes a contender over a database
 */
export async function countPerStep(
  postgres: BenchPostgres,
  contend: (url: string) => DatabaseContender,
  workload: Workload,
  options: Load & { readonly database: string },
): Promise<PerStep> {
  const { database, ...load } = options;
  const { open } = contend(await postgres.createDatabase(database, { counted: true }));
  const counted = async (loads: readonly Load[]) => {
    const { saver, close } = await open("counted");
    for (const each of loads) await underLoad(workload.over(saver), each);
    await close();
    return postgres.countsOf(database);
  };
  const made = await counted([]); // with the tables
  const opened = await counted([]);
  const worked = await counted([load]);
  const perStep = (of: (counts: typeof made) => number): number =>
    (of(worked) - of(opened) - (of(opened) - of(made))) / stepsOf(workload, load);
  return {
    transactions: perStep(({ transactions }) => transactions),
    statements: worked.statements === undefined ? undefined : perStep(({ statements }) => statements ?? NaN),
  };
}
