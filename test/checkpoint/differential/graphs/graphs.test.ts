import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seedOfThisRun } from "../../../support/crash-random.ts";
import { describeWithPostgres, freshDatabase } from "../../../support/fresh-database.ts";
import type { FreshDatabase } from "../../../support/fresh-database.ts";
import { memoryBackend, postgresBackend } from "../stores.ts";
import { expectGraphsLikeOnMemorySaver } from "./graph-run.ts";

const TIME_MS = 90_000;
const seed = seedOfThisRun();

describe(`plain LangGraph graphs do what they do on MemorySaver, seed ${seed}`, () => {
  it("40 operations in memory", { timeout: TIME_MS }, async () => {
    expect((await expectGraphsLikeOnMemorySaver(memoryBackend, { seed, count: 40 })).done).toBe(40);
  });

  describeWithPostgres("on a server", () => {
    let database: FreshDatabase;
    beforeAll(async () => {
      database = await freshDatabase();
    });
    afterAll(() => database.drop());

    it("30 operations in two processes", { timeout: TIME_MS }, async () => {
      const backend = postgresBackend(() => database.url);
      expect((await expectGraphsLikeOnMemorySaver(backend, { seed, count: 30 })).done).toBe(30);
    });
  });
});
