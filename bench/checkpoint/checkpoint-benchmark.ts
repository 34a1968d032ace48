import { mkdtemp, rm, statfs } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import type { Benchmark } from "../benchmark.ts";
import { startBenchPostgres } from "./bench-postgres.ts";
import { ratiosOf } from "./comparison.ts";
import { measureListing } from "./listing.ts";
import { turnsAdded } from "./long-thread.ts";
import { measureOnPglite } from "./on-pglite.ts";
import { measureOnPostgres } from "./on-postgres.ts";
import { report } from "./report.ts";
import { Script } from "./script.ts";
import { sizesAt } from "./sizes.ts";

/** What PostgresSaver's 1,600 steps and the log of the server take on disk, and then some. */
const DISK_BYTES = 6_000_000_000;

/** PGlite is alone in its table, so fewer rounds do. */
const PGLITE_ROUNDS = 3;

/**
 * What a checkpointer on Postgres costs: ours, with plain `graph.compile({ checkpointer })`, against
 * LangGraph's PostgresSaver, in one run on one server, with `durability: "sync"`.
 */
export const checkpointBenchmark: Benchmark = {
  async measure({ rounds = 7, scale, print, progress }) {
    const sizes = sizesAt(scale);
    const script = new Script(sizes.longSteps + turnsAdded(rounds));
    await assertRoomOnDisk(DISK_BYTES * Math.min(1, scale));
    const loadBefore = loadavg()[0] ?? NaN;
    const started = performance.now();
    const directory = await mkdtemp(join(tmpdir(), "perdure-bench-"));
    try {
      const postgres = await startBenchPostgres();
      try {
        const options = { script, sizes, rounds, progress };
        const onPostgres = await measureOnPostgres(postgres, options);
        progress(`lists of ${sizes.listedThreads} threads`);
        const listing = await measureListing(await postgres.createDatabase("bench_listing"), {
          threads: sizes.listedThreads,
          limit: sizes.listLimit,
          rounds: Math.max(20, rounds),
        });
        const pgliteRounds = Math.min(PGLITE_ROUNDS, rounds);
        const onPglite = await measureOnPglite(join(directory, "pglite"), { ...options, rounds: pgliteRounds });

        const findings = { sizes, postgres: onPostgres, pglite: onPglite, listing };
        print(
          `Medians of ${rounds} rounds (PGlite ${pgliteRounds}), durability "sync", messages of 1 KB; ` +
            `Node ${process.versions.node}, Postgres ${postgres.version}, ${availableParallelism()} cores, ` +
            `load ${loadBefore.toFixed(1)} before; ${Math.round((performance.now() - started) / 1_000)} s`,
        );
        print("");
        report(findings).forEach(print);
        return { ratios: ratiosOf(onPostgres), bytes1600: onPostgres.built.perdure.long.size.bytes };
      } finally {
        await postgres.stop();
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function assertRoomOnDisk(bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize >= bytes) return;
  throw new Error(`${tmpdir()} has room for ${bavail * bsize} bytes; this takes ${bytes}.`);
}
