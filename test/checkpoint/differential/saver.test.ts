import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seedOfThisRun } from "../../support/crash-random.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { expectSaverLikeMemorySaver } from "./saver-run.ts";
import { memoryBackend, pgliteBackend, postgresBackend, scramblingSerde, sqliteBackend } from "./stores.ts";
import type { DifferentialBackend } from "./stores.ts";

// test/soak/checkpoint-differential.test.ts does 5,000 operations of several seeds. A difference is shown with few
// operations, which takes some time.
const TIME_MS = 90_000;
const seed = seedOfThisRun();

describe(`a saver answers like MemorySaver, seed ${seed}`, () => {
  const answersLikeMemorySaver = (backend: DifferentialBackend, count: number): void => {
    it(`${count} operations on ${backend.name}`, { timeout: TIME_MS }, async () => {
      expect((await expectSaverLikeMemorySaver(backend, { seed, count })).done).toBe(count);
    });
  };

  answersLikeMemorySaver(memoryBackend, 300);
  answersLikeMemorySaver(sqliteBackend, 150);

  describe("on PGlite", () => {
    const backends = [
      pgliteBackend(),
      pgliteBackend({ name: "pglite with another serializer", serde: scramblingSerde }),
    ];
    afterAll(async () => {
      for (const backend of backends) await backend.close();
    });
    answersLikeMemorySaver(backends[0]!, 100);
    answersLikeMemorySaver(backends[1]!, 60);
  });

  describeWithPostgres("on a server", () => {
    let database: FreshDatabase;
    beforeAll(async () => {
      database = await freshDatabase();
    });
    afterAll(() => database.drop());
    answersLikeMemorySaver(
      postgresBackend(() => database.url),
      120,
    );
  });
});
