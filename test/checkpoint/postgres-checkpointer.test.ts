import { afterAll, beforeAll, describe } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { describeCheckpointer, describeStoring } from "./conformance/describe-checkpointer.ts";

describeWithPostgres("on a Postgres server", () => {
  let database: FreshDatabase;
  let stores = 0;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());

  describeCheckpointer("postgres:", {
    fresh: async () => {
      const schema = `store_${(stores += 1)}`;
      return { open: () => openCheckpointer(database.url, { schema }) };
    },
    durable: true,
    shared: true,
    storesChannelsApart: true,
    propertyRuns: 10,
  });

  describe.each([
    ["without a cache, as after every restart", 0],
    ["with a cache of one checkpoint", 1],
  ])("%s", (_what, cacheThreads) => {
    describeStoring("postgres:", {
      fresh: async () => {
        const schema = `store_${(stores += 1)}`;
        return { open: () => openCheckpointer(database.url, { schema, cacheThreads }) };
      },
      durable: true,
      shared: true,
      storesChannelsApart: true,
      propertyRuns: 5,
    });
  });
});
