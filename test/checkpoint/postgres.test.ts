import { afterAll, beforeAll } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { describeCheckpointer } from "./conformance/describe-checkpointer.ts";

let database: FreshDatabase;
let opened = 0;

describeWithPostgres("on a server", () => {
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());
  describeCheckpointer("postgres:", { open: () => openCheckpointer(database.url, {schema: `s${++opened}`}), storesChannelsApart: true });
});
