import { Client } from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { newThread, put, read } from "./conformance/store.ts";

describeWithPostgres("the tables in Postgres", () => {
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

  async function tablesIn(schema: string): Promise<string[]> {
    const { rows } = await admin.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1",
      [schema],
    );
    return rows.map(({ name }) => name);
  }

  const all = [
    "perdure_answers",
    "perdure_blobs",
    "perdure_checkpoints",
    "perdure_interrupts",
    "perdure_migrations",
    "perdure_once",
    "perdure_threads",
    "perdure_writes",
  ];

  it("H14: are made once by six processes that start at the same time", async () => {
    const opened = await Promise.all(Array.from({ length: 6 }, () => openCheckpointer(database.url, { poolSize: 2 })));
    expect(await tablesIn("public")).toEqual(all);
    const { rows } = await admin.query("SELECT v FROM perdure_migrations ORDER BY v");
    expect(rows.length).toBeGreaterThan(0);
    expect(rows).toEqual(rows.map((_row, v) => ({ v })));
    await Promise.all(opened.map((checkpointer) => checkpointer.close()));
  });

  it("are in the schema that was asked for, which is made too, whatever its name", async () => {
    const checkpointer = await openCheckpointer(database.url, { schema: "My $chema; DROP" });
    const threadId = newThread();
    await put(checkpointer, { threadId, values: { n: 1 } });
    expect((await read(checkpointer, threadId))?.checkpoint.channel_values).toEqual({ n: 1 });
    await checkpointer.close();
    expect(await tablesIn("My $chema; DROP")).toEqual(all);
    expect(await tablesIn("public")).toEqual([]);
  });

  it("are not made with `setup: false`: the error names what is missing and what to do", async () => {
    const opening = openCheckpointer(database.url, { setup: false });
    await expect(opening).rejects.toMatchObject({
      code: "CHECKPOINTER_TABLE_MISSING",
      hint: expect.stringContaining("setup: false"),
    });
    for (const name of all) await expect(opening).rejects.toThrow(name);
    expect(await tablesIn("public")).toEqual([]);
    await (await openCheckpointer(database.url)).close();
    await (await openCheckpointer(database.url, { setup: false })).close();
  });

  it("that are dropped later are named by the call that needs them", async () => {
    const checkpointer = await openCheckpointer(database.url);
    await admin.query("DROP TABLE perdure_answers");
    const reading = checkpointer.readAnswer("t", "i");
    await expect(reading).rejects.toMatchObject({ code: "CHECKPOINTER_TABLE_MISSING" });
    await expect(reading).rejects.toThrow("perdure_answers");
    await checkpointer.close();
  });

  it("need not be made by the user who works with them; one who may not make them is told so", async () => {
    const role = `worker_${database.url.slice(-12)}`;
    await admin.query(`CREATE ROLE ${role} LOGIN`);
    const url = new URL(database.url);
    url.username = role;
    try {
      const opening = openCheckpointer(url.href);
      await expect(opening).rejects.toMatchObject({ code: "CHECKPOINTER_TABLE_MISSING", cause: { code: "42501" } });
      await (await openCheckpointer(database.url)).close();
      await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`);
      const checkpointer = await openCheckpointer(url.href);
      const threadId = newThread();
      await put(checkpointer, { threadId });
      expect(await read(checkpointer, threadId)).toBeDefined();
      await checkpointer.close();
    } finally {
      await admin.query(`DROP OWNED BY ${role}`);
      await admin.query(`DROP ROLE ${role}`);
    }
  });
});
