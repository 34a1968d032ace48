import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { PGlite } from "@electric-sql/pglite";
import { BaseStore } from "@langchain/langgraph-checkpoint";
import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Checkpointer, openCheckpointer, openStore } from "perdure/checkpoint";
import type { OpenStoreOptions } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { newThread, put, read } from "./conformance/store.ts";

const SECRET = "s3cret";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "perdure-store-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** What must hold of a checkpointer and a store on what it has open. */
async function expectShared(url: string): Promise<void> {
  const checkpointer = await openCheckpointer(url);
  const store = await openStore(checkpointer);
  expect(store).toBeInstanceOf(BaseStore);
  expect(store.description).toBe(checkpointer.description);
  const threadId = newThread();
  await put(checkpointer, { threadId, values: { n: 1 } });
  await store.put(["users", "ana"], "food", { likes: "pizza" });

  await store.close();
  expect((await read(checkpointer, threadId))?.checkpoint.channel_values).toEqual({ n: 1 });

  const again = await openStore(checkpointer);
  expect((await again.get(["users", "ana"], "food"))?.value).toEqual({ likes: "pizza" });
  await checkpointer.close();
  await expect(again.get(["users", "ana"], "food")).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
  await expect(again.put(["users", "ana"], "food", {})).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
  await expect(again.search([])).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
  await again.close();
}

describe("a store on the database of a checkpointer", () => {
  it.each(["memory:", "sqlite::memory:", "pglite:memory"])(
    "of %s lives as long as that is open, and is closed without it",
    async (url) => {
      await expectShared(url);
    },
    60_000,
  );

  it.each(["sqlite", "pglite"])(
    "of %s shares a file or directory that has one opener only, and keeps its items for the next one",
    async (scheme) => {
      const url = `${scheme}:${join(directory, scheme)}`;
      await expectShared(url);
      const checkpointer = await openCheckpointer(url);
      await expect(openStore(url)).rejects.toMatchObject({
        code: "CHECKPOINTER_LOCKED",
        hint: expect.stringContaining("openStore(checkpointer)"),
      });
      await checkpointer.close();

      const alone = await openStore(url);
      expect(alone.description).toBe(url);
      expect((await alone.get(["users", "ana"], "food"))?.value).toEqual({ likes: "pizza" });
      await expect(openCheckpointer(url)).rejects.toMatchObject({ code: "CHECKPOINTER_LOCKED" });
      await alone.close();
      await (await openCheckpointer(url)).close();
    },
    120_000,
  );

  it("that has none to share is refused", async () => {
    const memory = await openCheckpointer("memory:");
    const own = new Proxy(memory, {});
    expect(own).toBeInstanceOf(Checkpointer);
    await expect(openStore(own)).rejects.toMatchObject({ code: "CHECKPOINTER_UNSUPPORTED" });
  });
});

describe("a store of its own", () => {
  it("in memory is empty each time, and belongs to nobody else", async () => {
    const [one, other] = [await openStore("memory:"), await openStore("memory:")];
    await one.put(["a"], "k", {});
    expect(await other.search([])).toEqual([]);
    await one.close();
  });
});

describe("a PGlite that was handed in", () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await PGlite.create("memory://");
  }, 60_000);
  afterAll(() => database.close());

  it("stays open when the store is closed", async () => {
    const store = await openStore(database);
    await store.put(["a"], "k", {});
    await store.close();
    expect((await database.query("SELECT key FROM perdure_store")).rows).toEqual([{ key: "k" }]);
  });

  it("has a store in the schema of the checkpointer, unless it is told another one", async () => {
    const checkpointer = await openCheckpointer(database, { schema: "threads" });
    for (const options of [{}, { schema: "memories" }]) await (await openStore(checkpointer, options)).close();
    const { rows } = await database.query(
      "SELECT schemaname FROM pg_tables WHERE tablename = 'perdure_store' AND schemaname <> 'public'",
    );
    expect(rows).toEqual([{ schemaname: "threads" }, { schemaname: "memories" }]);
    await checkpointer.close();
  });
});

describeWithPostgres("a store on a Postgres server", () => {
  let database: FreshDatabase;
  let admin: Client;
  beforeAll(async () => {
    database = await freshDatabase();
    admin = new Client({ connectionString: database.url });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
  });

  const connections = async (): Promise<number> => {
    const { rows } = await admin.query<{ count: number }>(
      `SELECT count(*)::int4 AS count FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'perdure'`,
    );
    return rows[0]!.count;
  };

  it("shares a checkpointer's pool", async () => {
    await expectShared(database.url);
    const checkpointer = await openCheckpointer(database.url, { poolSize: 1 });
    const before = await connections();
    const store = await openStore(checkpointer);
    await Promise.all(Array.from({ length: 20 }, (_, n) => store.put(["shared"], `${n}`, {})));
    await expect.poll(connections).toBe(before);
    await checkpointer.close();
  });

  it("ends the pool it made itself, and only that", async () => {
    const own = await openStore(database.url);
    await own.put(["a"], "k", {});
    expect(await connections()).toBeGreaterThan(0);
    await own.close();
    await expect.poll(connections).toBe(0);

    const pool = new Pool({ connectionString: database.url });
    const listeners = pool.listenerCount("error");
    const store = await openStore(pool);
    expect((await store.get(["a"], "k"))?.key).toBe("k");
    await store.close();
    expect(pool.listenerCount("error")).toBe(listeners);
    expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await pool.end();
    await expect(openStore(pool)).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
  });

  it("outlives the checkpointer on a pool that was handed in, and still hears its errors", async () => {
    const pool = new Pool({ connectionString: database.url });
    const checkpointer = await openCheckpointer(pool);
    const store = await openStore(checkpointer);
    await checkpointer.close();
    expect(pool.listenerCount("error")).toBe(1);
    await store.put(["a"], "outlives", {});
    await store.close();
    await pool.end();
  });

  it("never shows the password, in itself or in an error", async () => {
    const url = new URL(database.url);
    url.password = SECRET;
    const store = await openStore(url.href);
    expect(store.description).toBe(`postgres://${url.host}${url.pathname}`);
    expect(inspect(store, { depth: 10 })).not.toContain(SECRET);
    expect(JSON.stringify({ store })).not.toContain(SECRET);
    await store.close();

    url.port = "1";
    for (const wrong of [url.href, url.href.replace(SECRET, `${SECRET}#`)]) {
      const error: unknown = await openStore(wrong).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ name: "PerdureError" });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET);
    }
  });
});

describe("a store is not opened", () => {
  it.each([
    ["an unknown scheme", "redis://localhost", "CHECKPOINTER_URL_INVALID"],
    ["an empty URL", "", "CHECKPOINTER_URL_INVALID"],
    ["one connection", new Client(), "CHECKPOINTER_URL_INVALID"],
    ["nothing", undefined, "CHECKPOINTER_URL_INVALID"],
  ])("on %s", async (_what, target, code) => {
    await expect(openStore(target as string)).rejects.toMatchObject({ code });
  });

  it.each([
    [{ ttlMs: 0 }, "ttlMs"],
    [{ ttlMs: 1.5 }, "ttlMs"],
    [{ ttl: 5 }, "ttl"],
    [{ schema: 'a"b' }, "schema"],
    [{ poolSize: 0 }, "poolSize"],
    [{ index: { dims: 0, embeddings: {} } }, "index.dims"],
    [{ index: { dims: 3, embeddings: {} } }, "index.embeddings"],
    [{ index: { dims: 3, embeddings: SECRET, fields: "text" } }, "index"],
    [{ index: { dims: 3, embeddings: { apiKey: SECRET } } }, "index.embeddings"],
    [{ index: [{ embeddings: { apiKey: SECRET } }] }, "index"],
    [{ ssl: SECRET }, "ssl"],
    [{ serde: { dumpsTyped: SECRET } }, "serde"],
    [null, "what it was given"],
  ])("with the options %j, and the option is named, but no secret in it", async (options, named) => {
    const error: unknown = await openStore("memory:", options as OpenStoreOptions).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "OPTIONS_INVALID",
      message: expect.stringMatching(new RegExp(`openStore: .*${named}`, "u")),
    });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET);
  });
});
