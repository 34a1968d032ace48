/**
 * 5,000 random operations of each of several seeds on each kind of saver, and many on graphs; each seeded fault is
 * found with another seed each time. PERDURE_SEED begins the seeds.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAULTS } from "../checkpoint/differential/faults/faults.ts";
import type { FaultName } from "../checkpoint/differential/faults/faults.ts";
import { faultyBackend } from "../checkpoint/differential/faults/faulty-backend.ts";
import { SOURCE_FAULTS, patchedSource } from "../checkpoint/differential/faults/patched-source.ts";
import { expectGraphsLikeOnMemorySaver } from "../checkpoint/differential/graphs/graph-run.ts";
import { OPERATION_WEIGHTS } from "../checkpoint/differential/operation.ts";
import { expectSaverLikeMemorySaver, runAgainstMemorySaver } from "../checkpoint/differential/saver-run.ts";
import {
  memoryBackend,
  pgliteBackend,
  postgresBackend,
  scramblingSerde,
  sqliteBackend,
} from "../checkpoint/differential/stores.ts";
import type { DifferentialBackend } from "../checkpoint/differential/stores.ts";
import { seedOfThisRun } from "../support/crash-random.ts";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";

const TIME_MS = 1_800_000;
const OPERATIONS = 5_000;
const GRAPH_OPERATIONS = 600;
const first = seedOfThisRun();
const seeds = [first, first + 1, first + 2];

function describeBackend(backend: DifferentialBackend): void {
  it.each(seeds)(`${OPERATIONS} operations on ${backend.name}, seed %i`, { timeout: TIME_MS }, async (seed) => {
    const { done, counts } = await expectSaverLikeMemorySaver(backend, { seed, count: OPERATIONS });
    expect(done).toBe(OPERATIONS);
    expect(Object.keys(counts).toSorted()).toEqual(Object.keys(OPERATION_WEIGHTS).toSorted());
  });

  it.each(seeds)(
    `${GRAPH_OPERATIONS} operations on graphs on ${backend.name}, seed %i`,
    { timeout: TIME_MS },
    async (seed) => {
      const { done } = await expectGraphsLikeOnMemorySaver(backend, { seed, count: GRAPH_OPERATIONS });
      expect(done).toBe(GRAPH_OPERATIONS);
    },
  );
}

describe("a saver answers like MemorySaver", () => {
  describeBackend(memoryBackend);
  describeBackend(sqliteBackend);

  describe("on PGlite", () => {
    const backends = [
      pgliteBackend(),
      pgliteBackend({ name: "pglite with another serializer", serde: scramblingSerde }),
    ];
    afterAll(async () => {
      for (const backend of backends) await backend.close();
    });
    for (const backend of backends) describeBackend(backend);
  });

  describeWithPostgres("on a server", () => {
    let database: FreshDatabase;
    beforeAll(async () => {
      database = await freshDatabase();
    });
    afterAll(() => database.drop());
    describeBackend(postgresBackend(() => database.url));
  });
});

describe("the test of the test: a saver with a fault is told from one without", () => {
  it.each(Object.keys(FAULTS) as FaultName[])("%s, within 3,000 operations", { timeout: TIME_MS }, async (fault) => {
    const operations = Array.from({ length: 3_000 }, (_, index) => index);
    const { difference } = await runAgainstMemorySaver(faultyBackend(fault), { seed: first, operations });
    expect(difference).toBeDefined();
  });

  // A stale cache shows where a thread is deleted and made again just so; `npm test` does that.
  it.each(Object.entries(SOURCE_FAULTS).filter(([name]) => name !== "staleCache"))(
    "%s in the source, within 3,000 operations",
    { timeout: TIME_MS },
    async (_name, patches) => {
      const { checkpoint, remove } = await patchedSource(patches);
      const backend = pgliteBackend({ openCheckpointer: checkpoint.openCheckpointer });
      try {
        const operations = Array.from({ length: 3_000 }, (_, index) => index);
        const { difference } = await runAgainstMemorySaver(backend, { seed: first, operations });
        expect(difference).toBeDefined();
      } finally {
        await backend.close();
        await remove();
      }
    },
  );
});
