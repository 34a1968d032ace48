import { Client, Pool } from "pg";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openCheckpointer, openStore } from "perdure/checkpoint";
import { connectPostgresPool } from "../../src/checkpoint/connect-postgres.ts";
import { saverTableSet } from "../../src/checkpoint/postgres/saver-tables.ts";
import { setUpPostgresTables } from "../../src/checkpoint/postgres-tables.ts";
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

  /** A role that may do nothing beyond what everybody may, and the URL to connect as it. */
  async function asRole(name: string, work: (url: string, role: string) => Promise<void>): Promise<void> {
    const role = `${name}_${database.url.slice(-12)}`;
    const url = new URL(database.url);
    url.username = role;
    await admin.query(`CREATE ROLE ${role} LOGIN`);
    try {
      await work(url.href, role);
    } finally {
      await admin.query(`DROP OWNED BY ${role} CASCADE`);
      await admin.query(`DROP ROLE ${role}`);
    }
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

  it.each([1, 2, 3])("are found when another process makes them just before statement %i of a start", async (n) => {
    const pool = new Pool({ connectionString: database.url });
    const { driver, address } = connectPostgresPool(pool, { schema: "public", prepare: true });
    let statements = 0;
    const query = vi.spyOn(driver, "query").mockImplementation(async (statement, values) => {
      statements += 1;
      if (statements === n) await (await openCheckpointer(database.url)).close();
      return pool.query(statement as string, values as unknown[]) as never;
    });
    await setUpPostgresTables(driver, address, saverTableSet("public"), { setup: true });
    expect(query.mock.calls.length).toBeGreaterThan(1);
    expect(await tablesIn("public")).toEqual(all);
    await pool.end();
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

  it.each([
    ["in a schema of its own", "agents", (role: string) => `CREATE SCHEMA agents AUTHORIZATION ${role}`],
    ["in public", "public", (role: string) => `GRANT CREATE ON SCHEMA public TO ${role}`],
  ])("are made by a role that may make tables but no schemas, %s", async (_where, schema, allow) => {
    await asRole("maker", async (url, role) => {
      await admin.query(allow(role));
      const checkpointer = await openCheckpointer(url, { schema });
      const threadId = newThread();
      await put(checkpointer, { threadId });
      expect(await read(checkpointer, threadId)).toBeDefined();
      await (await openStore(checkpointer)).put(["a"], "k", {});
      await checkpointer.close();
      expect(await tablesIn(schema)).toEqual(expect.arrayContaining(all));
    });
  });

  it.each([true, false])("of a newer release are refused, and left as they are, with `setup: %s`", async (setup) => {
    await (await openCheckpointer(database.url)).close();
    await admin.query("INSERT INTO perdure_migrations VALUES (1000)");
    await expect(openCheckpointer(database.url, { setup })).rejects.toMatchObject({
      code: "CHECKPOINTER_UNSUPPORTED",
      message: expect.stringContaining("1001"),
      hint: expect.stringContaining("update"),
    });
    expect((await admin.query("SELECT max(v) AS newest FROM perdure_migrations")).rows).toEqual([{ newest: 1000 }]);
  });

  it.each([true, false])("that somebody dropped are named at once, with `setup: %s`", async (setup) => {
    await (await openCheckpointer(database.url)).close();
    await admin.query("DROP TABLE perdure_answers");
    const opening = openCheckpointer(database.url, { setup });
    await expect(opening).rejects.toMatchObject({ code: "CHECKPOINTER_TABLE_MISSING" });
    await expect(opening).rejects.toThrow("(perdure_answers)");
  });

  it("whose user lacks a right are left alone, and the error says which right and how to grant it", async () => {
    await (await openCheckpointer(database.url)).close();
    await asRole("reader", async (url, role) => {
      await admin.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`);
      const checkpointer = await openCheckpointer(url);
      await expect(put(checkpointer, { threadId: newThread() })).rejects.toMatchObject({
        code: "CHECKPOINTER_UNREACHABLE",
        message: expect.stringMatching(/lacks a right: permission denied for table perdure_\w+/u),
        hint: expect.stringContaining('ON ALL TABLES IN SCHEMA "public"'),
        cause: expect.objectContaining({ code: "42501" }),
      });
      await checkpointer.close();
    });
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
    await asRole("worker", async (url, role) => {
      const opening = openCheckpointer(url);
      await expect(opening).rejects.toMatchObject({ code: "CHECKPOINTER_TABLE_MISSING", cause: { code: "42501" } });
      await (await openCheckpointer(database.url)).close();
      await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`);
      const checkpointer = await openCheckpointer(url);
      const threadId = newThread();
      await put(checkpointer, { threadId });
      expect(await read(checkpointer, threadId)).toBeDefined();
      await checkpointer.close();
    });
  });
});
