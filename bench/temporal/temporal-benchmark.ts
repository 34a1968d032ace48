import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { startPostgres } from "../../test/support/postgres.ts";
import { startTemporal } from "../../test/support/temporal-server.ts";
import type { Benchmark } from "../benchmark.ts";
import { bundleWorkflows } from "./bundles.ts";
import { ratiosOf } from "./comparison.ts";
import type { SideName } from "./comparison.ts";
import { graphs, handWritten } from "./contender.ts";
import type { Contender, Meeting } from "./contender.ts";
import { measureParkedMemory } from "./parked-memory.ts";
import { report } from "./report.ts";
import { sizesAt } from "./sizes.ts";
import { measureThroughput } from "./throughput.ts";

/** Parked runs are many in each round. */
const PARKED_ROUNDS = 3;

/**
 * What a graph costs on Temporal: ours against a workflow written by hand, in one run on one server. The worker of each side
 * is a process of its own with the same options, and only its CPU and memory count.
 */
export const temporalBenchmark: Benchmark = {
  async measure({ rounds = 9, scale, print, progress }) {
    const sizes = sizesAt(scale);
    const loadBefore = loadavg()[0] ?? NaN;
    const started = performance.now();
    await using freed = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "perdure-bench-"));
    freed.defer(() => rm(folder, { recursive: true, force: true }));
    progress("bundles of workflows");
    const bundles = await bundleWorkflows(folder);
    const postgres = await startPostgres();
    freed.defer(() => postgres.stop());
    const temporal = await startTemporal();
    freed.defer(() => temporal.stop());
    const { address } = temporal;
    const connection = await Connection.connect({ address });
    freed.defer(() => connection.close());
    const paths = { handWritten: bundles.handWritten.path, graphs: bundles.graphs.path };
    const meeting: Meeting = { client: new Client({ connection }), address, bundles: paths };
    const onPostgres = { checkpointerUrl: postgres.url, granularity: "node" } as const;

    progress(`steps of ${sizes.atOnce} runs at once`);
    const throughput = await withWorkers(
      [
        () => handWritten(meeting),
        () => graphs("memory", meeting, { checkpointerUrl: "memory:", granularity: "node" }),
        () => graphs("postgres", meeting, onPostgres),
        () => graphs("burst", meeting, { ...onPostgres, granularity: "burst" }),
        () => graphs("localBurst", meeting, { ...onPostgres, granularity: "burst", localStart: true }),
      ],
      (contenders) => measureThroughput<SideName>(contenders, sizes, rounds),
    );
    progress(`${sizes.parked} runs that wait`);
    const parked = await withWorkers(
      [() => handWritten(meeting), () => graphs("postgres", meeting, onPostgres)],
      (both) => measureParkedMemory<"handWritten" | "postgres">(both, sizes, Math.min(PARKED_ROUNDS, rounds)),
    );
    const findings = { sizes, throughput, parked, bundles };
    print(
      `Medians of ${rounds} rounds; Node ${process.versions.node}, ${availableParallelism()} cores, ` +
        `load ${loadBefore.toFixed(1)} before; ${Math.round((performance.now() - started) / 1_000)} s`,
    );
    print("");
    report(findings).forEach(print);
    return { ratios: ratiosOf(findings) };
  },
};

/** Starts the workers of all sides, measures, and stops them. */
async function withWorkers<Name extends string, T>(
  sides: readonly (() => Promise<Contender<Name>>)[],
  measure: (contenders: readonly Contender<Name>[]) => Promise<T>,
): Promise<T> {
  const contenders: Contender<Name>[] = [];
  try {
    for (const start of sides) contenders.push(await start());
    return await measure(contenders);
  } finally {
    for (const { worker } of contenders) await worker.stop();
  }
}
