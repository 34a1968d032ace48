import { checkpointerSql, openCheckpointer } from "perdure/checkpoint";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { newThread, put, read } from "./conformance/store.ts";

describe("checkpointerSql", () => {
  it("refuses what is no name of a schema", () => {
    expect(() => checkpointerSql({ schema: 'a"b' })).toThrow(expect.objectContaining({ code: "OPTIONS_INVALID" }));
  });
});

describeWithPostgres("the statements of checkpointerSql", () => {
  let database: FreshDatabase;
  let admin: Client;
  beforeEach(async () => {
    database = await freshDatabase();
    admin = new Client({ connectionString: database.url });
    await admin.connect();
  });
  afterEach(async () => {
    await admin.end();
    await database.drop();
  });

  /** Columns, indexes and what the migrations say of themselves. */
  async function catalogOf(schema: string): Promise<unknown[]> {
    const queries = [
      "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, is_identity FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1, ordinal_position",
      "SELECT replace(indexdef, $1, '') FROM pg_indexes WHERE schemaname = $1 ORDER BY 1",
      "SELECT relname, reloptions FROM pg_class WHERE relnamespace = $1::regnamespace ORDER BY 1",
    ];
    const found = [];
    for (const query of queries) found.push((await admin.query(query, [schema])).rows);
    return [...found, (await admin.query(`SELECT v FROM "${schema}".perdure_migrations ORDER BY v`)).rows];
  }

  it("make what openCheckpointer makes, so that it works after them with `setup: false`", async () => {
    await admin.query(["BEGIN", ...checkpointerSql({ schema: "printed" }), "COMMIT"].join(";\n"));
    const checkpointer = await openCheckpointer(database.url, { schema: "printed", setup: false });
    const threadId = newThread();
    await put(checkpointer, { threadId, values: { n: 1 } });
    expect((await read(checkpointer, threadId))?.checkpoint.channel_values).toEqual({ n: 1 });
    await checkpointer.close();
    await (await openCheckpointer(database.url, { schema: "opened" })).close();
    expect(await catalogOf("printed")).toEqual(await catalogOf("opened"));
  });

  it("leave nothing to do for openCheckpointer with setup", async () => {
    for (const statement of checkpointerSql()) await admin.query(statement);
    const before = await catalogOf("public");
    await (await openCheckpointer(database.url)).close();
    expect(await catalogOf("public")).toEqual(before);
  });
});
