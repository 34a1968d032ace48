import { setTimeout as delay } from "node:timers/promises";
import { START, StateGraph } from "@langchain/langgraph";
import { Client, Pool } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { once } from "perdure/nodes";
import type { OnceCommitter, OncePlace, TransactionSql } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { PgDriver } from "../../src/checkpoint/pg-driver.ts";
import { SqlOnce } from "../../src/checkpoint/sql-once.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import type { CutPoint, CuttingProxy } from "../support/cutting-proxy.ts";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { LogState } from "../support/one-node-graph.ts";
import { newThread, put } from "./conformance/store.ts";

type Committing = Checkpointer & OnceCommitter;
const NEVER = new AbortController().signal;
/** However busy the machine is. */
const PATIENTLY = { timeout: 60_000 };

describeWithPostgres("work done once in the database", () => {
  let database: FreshDatabase;
  let proxy: CuttingProxy;
  let admin: Client;
  /** By way of the proxy. */
  let checkpointer: Committing;
  let direct: Checkpointer;
  let place: OncePlace;
  const opened: Checkpointer[] = [];
  const open = async (url: string, poolSize = 10): Promise<Committing> => {
    const one = await openCheckpointer(url, { poolSize });
    opened.push(one);
    return one as Committing;
  };
  beforeAll(async () => {
    database = await freshDatabase();
    proxy = await startCuttingProxy(database.url);
    admin = new Client({ connectionString: database.url });
    await admin.connect();
    await admin.query("CREATE TABLE lines (line text)");
    await admin.query("CREATE TABLE accounts (id int PRIMARY KEY, cents int)");
    await admin.query("INSERT INTO accounts VALUES (1, 100), (2, 100)");
  });
  beforeEach(async () => {
    await admin.query("DELETE FROM lines");
    checkpointer = await open(proxy.url);
    direct = await open(database.url);
    place = await newPlace();
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });
  afterAll(async () => {
    await proxy.close();
    await admin.end();
    await database.drop();
  });

  async function newPlace(): Promise<OncePlace> {
    const threadId = newThread();
    const id = await put(direct, { threadId });
    return { threadId, taskId: "task", key: "key", checkpoints: [{ namespace: "", id }], signal: NEVER };
  }
  const lines = async (): Promise<string[]> =>
    (await admin.query<{ line: string }>("SELECT line FROM lines")).rows.map(({ line }) => line);
  /** Work that adds a line, and counts how often it ran. */
  const addsLine = () => {
    const runs: number[] = [];
    const work = async (sql: TransactionSql): Promise<number> => {
      runs.push(runs.length + 1);
      await sql.query("INSERT INTO lines VALUES ($1)", [`run ${runs.length}`]);
      return runs.length;
    };
    return { runs, work };
  };

  describe("whose connection is lost", () => {
    it("at a COMMIT that did not arrive is done again", async () => {
      const { runs, work } = addsLine();
      const cut = proxy.cutAtCommit("before");
      expect(await checkpointer.commitOnce(place, work)).toBe(2);
      await cut;
      expect(runs).toHaveLength(2);
      expect(await lines()).toEqual(["run 2"]);
    });

    it("at a COMMIT whose answer did not arrive is found done", async () => {
      const { runs, work } = addsLine();
      const cut = proxy.cutAtCommit("after");
      expect(await checkpointer.commitOnce(place, work)).toBe(1);
      await cut;
      expect(runs).toHaveLength(1);
      expect(await lines()).toEqual(["run 1"]);
    });

    it("at a COMMIT that the server is still at waits for it, and is found done", async () => {
      const { runs, work } = addsLine();
      await admin.query(
        `CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END'`,
      );
      await admin.query(
        `CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON lines DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION rest()`,
      );
      const cut = proxy.cutAtCommit("during");
      const result = checkpointer.commitOnce(place, work);
      await cut;
      expect(await lines()).toEqual([]);
      expect(await result).toBe(1);
      expect(runs).toHaveLength(1);
      expect(await lines()).toEqual(["run 1"]);
      await admin.query("DROP TRIGGER slow_commit ON lines");
    });

    it.each<[CutPoint, number[]]>([
      ["before", [1, 2]],
      ["after", [1]],
    ])("%s the server commits, and for long, throws; whoever asks later finds out", async (point, expected) => {
      const { runs, work } = addsLine();
      const cut = proxy.cutAtCommit(point).then(() => proxy.refuse(true));
      await expect(checkpointer.commitOnce(place, work)).rejects.toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
      await cut;
      proxy.refuse(false);
      expect(await checkpointer.commitOnce(place, work)).toBe(expected.at(-1));
      expect(runs).toEqual(expected);
      expect(await lines()).toEqual([`run ${expected.at(-1)}`]);
    });

    it("while it is done is done again", async () => {
      const { runs, work } = addsLine();
      const result = await checkpointer.commitOnce(place, async (sql) => {
        const value = await work(sql);
        const { rows } = await sql.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        if (runs.length === 1) await admin.query("SELECT pg_terminate_backend($1)", [rows[0]!.pid]);
        await sql.query("SELECT 1");
        return value;
      });
      expect(result).toBe(2);
      expect(await lines()).toEqual(["run 2"]);
    });
  });

  it.each<[CutPoint, number[]]>([
    ["before", [1, 2]],
    ["after", [1]],
  ])(
    "a run goes on by itself when its connections are lost %s a commit, and has done it once",
    async (point, expected) => {
      const { runs, work } = addsLine();
      const graph = new StateGraph(LogState)
        .addNode("work", async () => ({ log: [await once.tx("work", work)] }))
        .addEdge(START, "work");
      const runner = createRunner(graph, { name: "work", checkpointer });
      const cut = proxy.cutAtCommit(point, "INTO lines").then(async () => {
        proxy.refuse(true);
        await delay(300);
        proxy.refuse(false);
      });
      expect(await runner.start(newThread(), {})).toMatchObject({ status: "done", values: { log: [expected.at(-1)] } });
      await cut;
      expect(runs).toEqual(expected);
      expect(await lines()).toEqual([`run ${expected.at(-1)}`]);
    },
  );

  it("of two that wait for each other's rows, one is given up by the database and done again", async () => {
    const bothBegun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let runs = 0;
    const transfer = async (from: number, to: number): Promise<void> => {
      const one = await newPlace();
      await checkpointer.commitOnce(one, async (sql) => {
        runs += 1;
        await sql.query("UPDATE accounts SET cents = cents - 1 WHERE id = $1", [from]);
        bothBegun[from - 1]!.resolve();
        await bothBegun[to - 1]!.promise;
        await sql.query("UPDATE accounts SET cents = cents + 1 WHERE id = $1", [to]);
      });
    };
    await Promise.all([transfer(1, 2), transfer(2, 1)]);
    expect(runs).toBe(3);
    expect((await admin.query("SELECT cents FROM accounts ORDER BY id")).rows).toEqual([
      { cents: 100 },
      { cents: 100 },
    ]);
  });

  it("by several processes at once is done by one, and the others get its result", async () => {
    const others = await Promise.all(Array.from({ length: 4 }, () => open(database.url, 2)));
    const { runs, work } = addsLine();
    const all = [checkpointer, ...others].flatMap((one) => [one, one]);
    const results = await Promise.all(all.map((one) => one.commitOnce(place, work)));
    expect(results).toEqual(all.map(() => 1));
    expect(runs).toHaveLength(1);
    expect(await lines()).toEqual(["run 1"]);
  });

  it("goes to the next process when the one that does it fails", async () => {
    const other = await open(database.url);
    const begun = Promise.withResolvers<void>();
    const fail = Promise.withResolvers<never>();
    const failing = checkpointer.commitOnce(place, async (sql) => {
      await sql.query("INSERT INTO lines VALUES ('failed')");
      begun.resolve();
      return fail.promise;
    });
    await begun.promise;
    const next = other.commitOnce(place, async (sql) => {
      await sql.query("INSERT INTO lines VALUES ('next')");
      return "next";
    });
    setImmediate(() => fail.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("next");
    expect(await lines()).toEqual(["next"]);
  });

  describe("that lasts", () => {
    /** Waits without a statement until Postgres has ended a transaction that began later, under the same limit. */
    async function outwait(limitMs: number): Promise<void> {
      const other = new Client({ connectionString: database.url, idle_in_transaction_session_timeout: limitMs });
      const ended = new Promise((resolve) => {
        other.on("error", resolve);
      });
      await other.connect();
      await other.query("BEGIN");
      await ended;
    }

    it("is not ended before its time by a pool whose transactions may not idle as long", async () => {
      const pool = new Pool({ connectionString: database.url, max: 2, idle_in_transaction_session_timeout: 50 });
      const impatient = (await openCheckpointer(pool)) as Committing;
      const { runs, work } = addsLine();
      const result = await impatient.commitOnce({ ...place, timeoutMs: 60_000 }, async (sql) => {
        const value = await work(sql);
        await outwait(50);
        await sql.query("SELECT 1");
        return value;
      });
      expect(result).toBe(1);
      expect(runs).toHaveLength(1);
      expect(await lines()).toEqual(["run 1"]);
      const { rows } = await pool.query<{ limit: string }>(
        "SELECT current_setting('idle_in_transaction_session_timeout') AS limit",
      );
      expect(rows).toEqual([{ limit: "50ms" }]);
      await impatient.close();
      await pool.end();
    });

    it("has on a pool of ours as long as it was given, be that more than a minute, and a little for its commit", async () => {
      for (const [timeoutMs, limit] of [
        [120_000, "130s"],
        [1.5, "10002ms"],
        [2_147_483_647, "2147483647ms"],
        [undefined, "1min"],
      ] as const) {
        const within = { ...(await newPlace()), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
        const found = checkpointer.commitOnce(within, async (sql) => {
          const { rows } = await sql.query("SELECT current_setting('idle_in_transaction_session_timeout') AS limit");
          return rows;
        });
        expect(await found).toEqual([{ limit }]);
      }
    });

    it("and that the server ends for waiting too long is not done again, and says why", async () => {
      let runs = 0;
      const ended = checkpointer.commitOnce(place, async (sql) => {
        runs += 1;
        const { rows } = await sql.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        await sql.query("SET LOCAL idle_in_transaction_session_timeout = 20");
        const alive = "SELECT FROM pg_stat_activity WHERE pid = $1";
        await vi.waitUntil(async () => (await admin.query(alive, [rows[0]!.pid])).rows.length === 0, PATIENTLY);
        await sql.query("INSERT INTO lines VALUES ('late')");
      });
      await expect(ended).rejects.toMatchObject({
        code: "TRANSACTION_ENDED",
        message: expect.stringContaining("idle-in-transaction timeout"),
        hint: expect.stringContaining("idle_in_transaction_session_timeout"),
      });
      expect(runs).toBe(1);
      expect(await lines()).toEqual([]);
    });
  });

  it("that the user has no right to fails with the database's own error", async () => {
    const failing = checkpointer.commitOnce(place, async (sql) => {
      await sql.query("SET LOCAL ROLE pg_monitor");
      await sql.query("INSERT INTO lines VALUES ('not mine')");
    });
    await expect(failing).rejects.toMatchObject({ code: "42501", message: "permission denied for table lines" });
  });

  it("that lasts leaves connections for checkpoints", async () => {
    const small = await open(database.url, 2);
    const goOn = Promise.withResolvers<void>();
    const places = await Promise.all(Array.from({ length: 6 }, newPlace));
    const works = places.map((one) => small.commitOnce(one, () => goOn.promise));
    expect(await put(small, { threadId: newThread() })).toBeDefined();
    goOn.resolve();
    await Promise.all(works);
  });

  it("whose statements commit by themselves is refused, at once and later", async () => {
    const { runs, work } = addsLine();
    const ends = async (sql: TransactionSql): Promise<void> => {
      await work(sql);
      await sql.query("SELECT 1; COMMIT");
      await sql.query("INSERT INTO lines VALUES ('outside')");
    };
    for (let times = 0; times < 2; times += 1) {
      await expect(checkpointer.commitOnce(place, ends)).rejects.toMatchObject({
        code: "TRANSACTION_ENDED",
        message: expect.stringContaining("in part"),
      });
    }
    expect(runs).toHaveLength(1);
  });

  it("is not begun when it is aborted, and waits no longer for its checkpoint then", async () => {
    const { runs, work } = addsLine();
    const controller = new AbortController();
    controller.abort(new Error("stop"));
    await expect(checkpointer.commitOnce({ ...place, signal: controller.signal }, work)).rejects.toThrow("stop");

    const later = new AbortController();
    const lost = { ...place, checkpoints: [{ namespace: "", id: "lost" }], signal: later.signal };
    setTimeout(() => later.abort(new Error("enough")), 20);
    await expect(checkpointer.commitOnce(lost, work)).rejects.toThrow("enough");
    expect(runs).toEqual([]);
  });

  it.each<[string, Partial<OncePlace>]>([
    ["of its own graph", { checkpoints: [{ namespace: "", id: "lost" }] }],
    ["of a graph inside, under a runner too", { epoch: 0, checkpoints: [{ namespace: "inner:1", id: "lost" }] }],
  ])("needs the checkpoint of its task, or does nothing: one %s", async (_which, change) => {
    const pool = new Pool({ connectionString: database.url });
    const address = { description: "test", server: "", database: "", schema: "public" };
    const driver = new PgDriver(pool, address, { owned: true });
    const tables = { once: "perdure_once", threads: "perdure_threads" };
    const asked: unknown[] = [];
    const countStored = async (...given: unknown[]): Promise<number> => {
      asked.push(given);
      return 0;
    };
    const impatient = new SqlOnce({ driver, tables, atOnce: 1, countStored, checkpointTimeoutMs: 20 });
    const { runs, work } = addsLine();
    await expect(impatient.commit({ ...place, ...change }, work, checkpointer.serde)).rejects.toMatchObject({
      code: "GRAPH_UNSUPPORTED",
      hint: expect.stringContaining('"sync"'),
    });
    expect(asked.length).toBeGreaterThan(1);
    expect(runs).toEqual([]);
    await driver.close();
  });
});
