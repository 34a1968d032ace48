import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seedOfThisRun } from "../../support/crash-random.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { expectNoDifference } from "./report.ts";
import { memoryBackend, pgliteBackend, postgresBackend, sqliteBackend } from "./stores.ts";

const seed = seedOfThisRun();
const count = Number(process.env.COUNT ?? 200);
describe(`seed ${seed}`, () => {
  for (const backend of [memoryBackend, sqliteBackend]) {
    it(
      backend.name,
      async () => {
        const t = performance.now();
        const report = await expectNoDifference(backend, {
          seed,
          count,
          without: (process.env.WITHOUT ?? "").split(",").filter(Boolean) as never,
        });
        console.log(backend.name, report.done / ((performance.now() - t) / 1000), report.counts);
        expect(report.done).toBe(count);
      },
      600_000,
    );
  }
  describe("pglite", () => {
    const backend = pgliteBackend();
    afterAll(() => backend.close());
    it(
      backend.name,
      async () => {
        const t = performance.now();
        const report = await expectNoDifference(backend, {
          seed,
          count,
          without: (process.env.WITHOUT ?? "").split(",").filter(Boolean) as never,
        });
        console.log(backend.name, report.done / ((performance.now() - t) / 1000));
      },
      600_000,
    );
  });
});
describeWithPostgres("on a server", () => {
  let database: FreshDatabase;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());
  for (const processes of ["one process", "two processes"] as const) {
    it(
      processes,
      async () => {
        const t = performance.now();
        const report = await expectNoDifference(
          postgresBackend(() => database.url, processes),
          { seed, count, without: (process.env.WITHOUT ?? "").split(",").filter(Boolean) as never },
        );
        console.log(processes, report.done / ((performance.now() - t) / 1000));
      },
      600_000,
    );
  }
});
