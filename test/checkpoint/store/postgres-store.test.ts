import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Operation } from "@langchain/langgraph-checkpoint";
import { PostgresStore } from "@langchain/langgraph-checkpoint-postgres/store";
import { Client, Pool } from "pg";
import type { PoolClient, QueryConfig } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openCheckpointer, openStore, storeSql } from "perdure/checkpoint";
import type { OpenStoreOptions, Store } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { startPostgres } from "../../support/postgres.ts";
import { englishDatabase } from "./english-database.ts";

const script = fileURLToPath(new URL("store-process.ts", import.meta.url));

/** The statements of the docs that begin so. */
function docsSql(start: string): string {
  const page = readFileSync(new URL("../../../docs/store.md", import.meta.url), "utf8");
  const [, statements] = new RegExp(`\`\`\`sql\\n(${start}[\\s\\S]*?)\`\`\``, "u").exec(page) ?? [];
  return statements ?? "";
}

describeWithPostgres("a store on Postgres", () => {
  let database: FreshDatabase;
  let admin: Client;
  const opened: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    database = await freshDatabase();
    admin = new Client({ connectionString: database.url });
    await admin.connect();
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
  });

  async function open(options?: OpenStoreOptions, url = database.url): Promise<Store> {
    const store = await openStore(url, options);
    opened.push(store);
    return store;
  }

  function urlOf(user: string): string {
    const url = new URL(database.url);
    url.username = user;
    return url.href;
  }

  describe("makes its tables", () => {
    it("once, when three processes start at the same time on an empty database", async () => {
      const empty = await freshDatabase();
      const start = (key: string): Promise<{ stdout: string }> =>
        promisify(execFile)(process.execPath, ["--conditions=perdure-source", script, empty.url, key]);
      const ended = await Promise.all(["1", "2", "3"].map(start));
      expect(ended.map(({ stdout }) => stdout)).toEqual(["stored\n", "stored\n", "stored\n"]);
      const store = await openStore(empty.url);
      expect(await store.search(["processes"])).toHaveLength(3);
      await store.close();
      await empty.drop();
    });

    it("once, when many stores of a process open and are used at the same time", async () => {
      const stores = await Promise.all(Array.from({ length: 8 }, () => open({ schema: "at_once", poolSize: 2 })));
      await Promise.all(stores.map((store, n) => store.put(["n"], `${n}`, {})));
      expect(await stores[0]!.search([])).toHaveLength(8);
    });

    it("in a schema of any name, and for each schema apart", async () => {
      const [odd, other] = [await open({ schema: `odd 'name" — é`.replace('"', "") }), await open({ schema: "Other" })];
      await odd.put(["a"], "k", { n: 1 });
      await odd.put(["a"], "k", { n: 2 });
      expect((await odd.search([])).map(({ value }) => value as unknown)).toEqual([{ n: 2 }]);
      expect(await other.search([])).toEqual([]);
    });

    it("not with setup: false, and says what is missing", async () => {
      await expect(openStore(database.url, { schema: "not_there", setup: false })).rejects.toMatchObject({
        code: "CHECKPOINTER_TABLE_MISSING",
        message: expect.stringContaining("not_there"),
      });
      const { rows } = await admin.query("SELECT 1 FROM pg_namespace WHERE nspname = 'not_there'");
      expect(rows).toEqual([]);
    });

    it("not where the statements of storeSql have made them", async () => {
      await admin.query(`BEGIN; ${storeSql({ schema: "by_hand" }).join(";")}; COMMIT`);
      const store = await open({ schema: "by_hand", setup: false });
      await store.put(["a"], "k", { n: 1 });
      const made = "SELECT * FROM by_hand.perdure_store_migrations";
      const before = (await admin.query(made)).rows;
      await (await open({ schema: "by_hand" })).put(["a"], "k", { n: 2 });
      expect((await admin.query(made)).rows).toEqual(before);
      expect((await store.get(["a"], "k"))?.value).toEqual({ n: 2 });
      expect(() => storeSql({ schema: 'a"b' })).toThrow(/storeSql: `?schema/u);
    });

    it("and then lets a user work who may not make any", async () => {
      await open({ schema: "granted" });
      await admin.query(`CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA granted TO reader;
        GRANT ALL ON ALL TABLES IN SCHEMA granted TO reader; GRANT ALL ON ALL SEQUENCES IN SCHEMA granted TO reader`);
      for (const setup of [true, false]) {
        const store = await open({ schema: "granted", setup }, urlOf("reader"));
        await store.put(["a"], "k", { setup });
        expect((await store.get(["a"], "k"))?.value).toEqual({ setup });
        await store.close();
      }
      await admin.query("DROP OWNED BY reader; DROP ROLE reader");
    });

    it("that a user without the right to its sequence can't put into, and says how to grant it", async () => {
      await open({ schema: "no_sequence" });
      await admin.query(`CREATE ROLE tables_only LOGIN; GRANT USAGE ON SCHEMA no_sequence TO tables_only;
        GRANT ALL ON ALL TABLES IN SCHEMA no_sequence TO tables_only`);
      const store = await open({ schema: "no_sequence", setup: false }, urlOf("tables_only"));
      await expect(store.put(["a"], "k", {})).rejects.toMatchObject({
        code: "CHECKPOINTER_UNREACHABLE",
        message: expect.stringContaining("permission denied for sequence perdure_store_written_seq"),
        hint: expect.stringContaining('GRANT USAGE ON ALL SEQUENCES IN SCHEMA "no_sequence"'),
      });
      await admin.query("DROP OWNED BY tables_only; DROP ROLE tables_only");
    });

    it("that a user with the rights of the docs can work with", async () => {
      await (await openCheckpointer(database.url)).close();
      await open();
      await admin.query("CREATE ROLE app LOGIN");
      await admin.query(docsSql("GRANT"));
      const checkpointer = await openCheckpointer(urlOf("app"), { setup: false });
      const store = await openStore(checkpointer, { setup: false, ttlMs: 60_000 });
      await store.put(["granted"], "k", { n: 1 });
      await store.put(["granted"], "k", { n: 2 });
      expect((await store.search(["granted"])).map(({ value }) => value as unknown)).toEqual([{ n: 2 }]);
      await store.delete(["granted"], "k");
      await store.deleteExpired();
      await store.close();
      await checkpointer.updateRecord("granted", (record) => ({ ...record, epoch: 1 }));
      await checkpointer.deleteThread("granted");
      await checkpointer.close();
      await admin.query("DROP OWNED BY app; DROP ROLE app");
    });

    it.each([true, false])("never over those of a newer version, with setup: %s", async (setup) => {
      const schema = `newer_${setup}`;
      await (await open({ schema })).close();
      await admin.query(`INSERT INTO ${schema}.perdure_store_migrations (v) VALUES (1000)`);
      await expect(openStore(database.url, { schema, setup })).rejects.toMatchObject({
        code: "CHECKPOINTER_UNSUPPORTED",
        message: expect.stringContaining("1001"),
      });
    });
  });

  describe("and connections", () => {
    it("H12: goes on when all of them drop while nothing runs", async () => {
      const pool = new Pool({ connectionString: database.url, application_name: "dropped" });
      const store = await openStore(pool, { schema: "dropped" });
      await Promise.all(["1", "2", "3"].map((key) => store.put(["a"], key, {})));
      await endConnections("dropped");
      await vi.waitUntil(() => pool.totalCount === 0);
      expect(await store.search(["a"])).toHaveLength(3);
      await store.put(["a"], "4", {});
      expect(await store.search(["a"])).toHaveLength(4);
      await store.close();
      await pool.end();
    });

    it("stores what was put while they drop again and again", async () => {
      const pool = new Pool({ connectionString: database.url, application_name: "dropping" });
      const store = await openStore(pool, { schema: "dropping" });
      let ended = 0;
      const dropping = (async () => {
        while (ended < 10) ended += await endConnections("dropping");
      })();
      let puts = 0;
      while (ended < 10) {
        await store.put(["a"], `${puts}`, { n: puts });
        puts += 1;
      }
      await dropping;
      const items = await store.search(["a"], { limit: Number.POSITIVE_INFINITY });
      expect(items.map(({ key }) => Number(key)).sort((a, b) => a - b)).toEqual(
        Array.from({ length: puts }, (_, n) => n),
      );
      await store.close();
      await pool.end();
    });

    it("loses nothing and throws nothing when the server crashes and starts again under load", async () => {
      const server = await startPostgres();
      const store = await openStore(server.url);
      const stored: string[] = [];
      let stop = false;
      const work = async (worker: number): Promise<void> => {
        for (let n = 0; !stop; n += 1) {
          const key = `${worker}-${n}`;
          await store.put(["load", `${worker}`], key, { n });
          stored.push(key);
          expect((await store.get(["load", `${worker}`], key))?.value).toEqual({ n });
        }
      };
      const workers = Array.from({ length: 10 }, (_, worker) => work(worker));
      for (let crash = 0; crash < 2; crash += 1) {
        const before = stored.length;
        await vi.waitUntil(() => stored.length > before + 50, { timeout: 20_000 });
        await server.restart("immediate");
      }
      stop = true;
      await Promise.all(workers);
      const found = await store.search(["load"], { limit: Number.POSITIVE_INFINITY });
      expect(found.map(({ key }) => key).sort()).toEqual(stored.sort());
      await store.close();
      await server.stop();
    }, 60_000);

    async function endConnections(name: string): Promise<number> {
      const { rows } = await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        [name],
      );
      return rows.length;
    }
  });

  it("never fails because two stores put and delete the same items in other orders", async () => {
    const stores = [await open({ schema: "meeting" }), await open({ schema: "meeting" })];
    const keys = Array.from({ length: 20 }, (_, n) => `${n}`);
    const shuffled = (): string[] => [...keys].sort(() => Math.random() - 0.5);
    const work = async (store: Store): Promise<void> => {
      for (let round = 0; round < 80; round += 1) {
        await store.batch(
          shuffled().map((key, n) => ({ namespace: ["a"], key, value: n % 2 === 0 ? { round } : null })) as Operation[],
        );
      }
    };
    await Promise.all(stores.map(work));
    expect((await stores[0]!.search(["a"], { limit: 100 })).length).toBeGreaterThan(0);
  });

  it("loses no put where transactions are serializable by default", async () => {
    const strict = await freshDatabase();
    const name = new URL(strict.url).pathname.slice(1);
    await admin.query(`ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`);
    const stores = await Promise.all(["a", "b", "c"].map(() => openStore(strict.url)));
    await Promise.all(
      stores.map(async (store, writer) => {
        for (let n = 0; n < 60; n += 1) await store.put(["writers"], `${n % 2}`, { writer, n });
      }),
    );
    const items = await stores[0]!.search(["writers"]);
    expect(Object.fromEntries(items.map(({ key, value }) => [key, value.n as unknown]))).toEqual({ 0: 58, 1: 59 });
    for (const store of stores) await store.close();
    await strict.drop();
  });

  it("works without named statements, as behind a pooler", async () => {
    const store = await open({ schema: "unnamed", prepare: false });
    await store.put(["a"], "k", { n: 1 });
    expect((await store.get(["a"], "k"))?.value).toEqual({ n: 1 });
  });

  it("does not depend on how a pool reads types", async () => {
    const texts = { getTypeParser: () => (text: string | Buffer) => text.toString() };
    const pool = new Pool({ connectionString: database.url, types: texts });
    const store = await openStore(pool, { schema: "types" });
    await store.put(["a", "b"], "k", { n: 1 });
    const item = (await store.get(["a", "b"], "k"))!;
    expect(item).toMatchObject({ namespace: ["a", "b"], key: "k", value: { n: 1 } });
    expect(Number.isNaN(item.createdAt.getTime())).toBe(false);
    expect(await store.listNamespaces()).toEqual([["a", "b"]]);
    await store.close();
    await pool.end();
  });

  describe("with 30,000 items, sorted as in English,", () => {
    let english: FreshDatabase;
    let pool: Pool;
    let explainer: Client;
    let store: Store;
    const asked: QueryConfig[] = [];
    beforeAll(async () => {
      english = await englishDatabase();
      explainer = new Client({ connectionString: english.url });
      await explainer.connect();
      pool = new Pool({ connectionString: english.url });
      pool.on("connect", recordStatements);
      store = await openStore(pool);
      await explainer.query(
        `INSERT INTO perdure_store (namespace, key, value)
         SELECT ARRAY['tenants', 't' || n % 10, 'u' || n % 1000], 'k' || n, jsonb_build_object('n', n)
           FROM generate_series(1, 30000) AS n`,
      );
      await explainer.query("VACUUM ANALYZE perdure_store");
    });
    afterAll(async () => {
      await store.close();
      await pool.end();
      await explainer.end();
      await english.drop();
    });

    function recordStatements(client: PoolClient): void {
      const query = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>;
      client.query = ((...given: [QueryConfig]) => {
        asked.push(given[0]);
        return query(...given);
      }) as never;
    }

    /** How Postgres finds what the call asks for: the statement it sent, explained. */
    async function planOf(call: () => Promise<unknown>): Promise<string> {
      asked.length = 0;
      await call();
      expect(asked).toHaveLength(1);
      const { text, values } = asked[0]!;
      const { rows } = await explainer.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values);
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    }

    it.each([
      ["an item", "perdure_store_pkey", () => store.get(["tenants", "t3", "u3"], "k3")],
      ["what a user has", "perdure_store_pkey", () => store.search(["tenants", "t3", "u3"])],
      [
        "what a user has of a kind",
        "perdure_store_pkey",
        () => store.search(["tenants", "t3", "u3"], { filter: { n: 3 } }),
      ],
      ["the newest of a tenant", "perdure_store_written_idx", () => store.search(["tenants", "t3"])],
      ["the newest of all", "perdure_store_written_idx", () => store.search([])],
      ["the namespaces of a tenant", "perdure_store_pkey", () => store.listNamespaces({ prefix: ["tenants", "t3"] })],
      ["the tenants", "perdure_store_pkey", () => store.listNamespaces({ prefix: ["tenants"], maxDepth: 2 })],
    ])("finds %s through the index %s", async (_what, index, call) => {
      const plan = await planOf(call);
      expect(plan).toContain(index);
      expect(plan).not.toContain("Seq Scan");
    });

    it("finds the same as one that reads them all", async () => {
      const items = await store.search(["tenants", "t3"], { limit: Number.POSITIVE_INFINITY });
      expect(items).toHaveLength(3_000);
      expect(items.every(({ namespace }) => namespace[1] === "t3")).toBe(true);
      expect(await store.listNamespaces({ prefix: ["tenants"], maxDepth: 2 })).toEqual(
        Array.from({ length: 10 }, (_, n) => ["tenants", `t${n}`]),
      );
    });
  });

  it("can take over the items of LangGraph's PostgresStore with the statement of the docs", async () => {
    const url = new URL(database.url);
    const langgraph = new PostgresStore({ connectionOptions: url.href });
    await langgraph.put(["users", "ana"], "food", { likes: "pizza" });
    await langgraph.put(["users", "bob"], "food", { likes: "rice" });
    const theirs = (await langgraph.get(["users", "ana"], "food"))!;
    await langgraph.stop();

    const store = await open();
    await admin.query(docsSql("INSERT"));
    const item = await store.get(["users", "ana"], "food");
    expect(item).toEqual(theirs);
    expect((await store.search(["users"])).map(({ namespace }) => namespace[1])).toEqual(["bob", "ana"]);
  });
});
