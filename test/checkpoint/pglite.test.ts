import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { describeCheckpointer } from "./conformance/describe-checkpointer.ts";

let database: PGlite;
let opened = 0;
beforeAll(async () => {
  database = await PGlite.create("memory://");
});
afterAll(() => database.close());

describeCheckpointer("pglite:", { open: () => openCheckpointer(database, {schema: `s${++opened}`}), storesChannelsApart: true });
