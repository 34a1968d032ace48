import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { describeCheckpointer } from "./conformance/describe-checkpointer.ts";

let database: PGlite;
let stores = 0;
beforeAll(async () => {
  database = await PGlite.create("memory://");
});
afterAll(() => database.close());

// One database for all, since one takes seconds to open; each store is a schema of its own.
describeCheckpointer("pglite:", {
  fresh: async () => {
    const schema = `store_${(stores += 1)}`;
    return { open: () => openCheckpointer(database, { schema }) };
  },
  durable: true,
  shared: true,
  storesChannelsApart: true,
  propertyRuns: 10,
});
