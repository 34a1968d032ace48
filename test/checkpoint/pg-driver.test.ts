import type { Socket } from "node:net";
import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer, ThreadRecord } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { collect, newThread, put, putWrites, read } from "./conformance/store.ts";

/** However busy the machine is. */
const PATIENTLY = { timeout: 60_000 };

describeWithPostgres("connections to Postgres", () => {
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

  /** Ends every other connection to the database, or those that wait for a lock; returns which. */
  async function endConnections(waitingOnly: boolean): Promise<number[]> {
    const { rows } = await admin.query<{ pid: number }>(
      `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND ($1 = false OR wait_event_type = 'Lock')`,
      [waitingOnly],
    );
    return rows.map(({ pid }) => pid);
  }

  it("H12: an idle connection that drops does not end the process, and the next call gets another one", async () => {
    // A pool without a listener of its own, as people write it: an `error` event would be an uncaught exception.
    const pool = new Pool({ connectionString: database.url });
    const checkpointer = await openCheckpointer(pool);
    const threadId = newThread();
    await put(checkpointer, { threadId, values: { n: 1 } });
    expect(await endConnections(false)).not.toEqual([]);
    await vi.waitUntil(() => pool.totalCount === 0, PATIENTLY);
    expect((await read(checkpointer, threadId))?.checkpoint.channel_values).toEqual({ n: 1 });
    await checkpointer.close();
    await pool.end();
  });

  it.each([
    ["a read", (checkpointer: Checkpointer, threadId: string) => checkpointer.readRecord(threadId)],
    ["a commit", (checkpointer: Checkpointer, threadId: string) => checkpointer.updateRecord(threadId, nextEpoch)],
  ])("%s finds a live connection when all the idle ones died unnoticed", async (_what, work) => {
    const pool = new Pool({ connectionString: database.url, max: 4 });
    const checkpointer = await openCheckpointer(pool);
    const threadId = newThread();
    await checkpointer.updateRecord(threadId, nextEpoch);
    const clients = await Promise.all(Array.from({ length: 4 }, () => pool.connect()));
    const sockets = clients.map(
      (client) => (client as unknown as { connection: { stream: Socket } }).connection.stream,
    );
    for (const socket of sockets) socket.pause();
    for (const client of clients) client.release();
    const pids = clients.map((client) => (client as unknown as { processID: number }).processID);
    // one that an earlier test has left may still be on its way out
    expect(await endConnections(false)).toEqual(expect.arrayContaining(pids));
    expect(pool.idleCount).toBe(4);

    const result = work(checkpointer, threadId);
    for (const socket of sockets) socket.resume();
    expect((await result)?.epoch).toBeGreaterThan(0);
    await checkpointer.close();
    await pool.end();
  });

  describe("a commit that has to wait", () => {
    /** Its statement waits for this one on the server; for a locked thread it is tried again instead. */
    const TABLE = "LOCK TABLE perdure_checkpoints IN SHARE MODE";
    async function whileHeld(threadId: string, work: () => Promise<void>, lock?: string): Promise<void> {
      const holder = new Client({ connectionString: database.url });
      await holder.connect();
      await holder.query("BEGIN");
      if (lock === undefined)
        await holder.query("SELECT FROM perdure_threads WHERE thread_id = $1 FOR UPDATE", [threadId]);
      else await holder.query(lock);
      try {
        await work();
      } finally {
        await holder.query("ROLLBACK");
        await holder.end();
      }
    }

    it("H12: is made over another connection when its own drops, once", async () => {
      const checkpointer = await openCheckpointer(database.url);
      const threadId = newThread();
      const parent = await put(checkpointer, { threadId });
      let made: Promise<string> | undefined;
      await whileHeld(
        threadId,
        async () => {
          made = put(checkpointer, { threadId, parent });
          await vi.waitUntil(async () => (await endConnections(true)).length > 0, PATIENTLY);
        },
        TABLE,
      );
      const id = await made;
      const stored = await collect(checkpointer.list({ configurable: { thread_id: threadId } }));
      expect(stored.map(({ checkpoint }) => checkpoint.id)).toEqual([id, parent]);
      await checkpointer.close();
    });

    it("holds up no other thread", async () => {
      const checkpointer = await openCheckpointer(database.url);
      const [held, ...others] = Array.from({ length: 20 }, newThread) as [string, ...string[]];
      const parent = await put(checkpointer, { threadId: held });
      let waiting: Promise<string> | undefined;
      await whileHeld(held, async () => {
        waiting = put(checkpointer, { threadId: held, parent });
        await Promise.all(others.map((threadId) => put(checkpointer, { threadId })));
        await Promise.all(others.map((threadId) => put(checkpointer, { threadId })));
      });
      await waiting;
      await checkpointer.close();
    });

    it("gives up after statementTimeoutMs when somebody else has locked its thread, and stores nothing", async () => {
      const checkpointer = await openCheckpointer(database.url, { statementTimeoutMs: 500 });
      const threadId = newThread();
      const parent = await put(checkpointer, { threadId });
      await whileHeld(threadId, async () => {
        await expect(put(checkpointer, { threadId, parent })).rejects.toMatchObject({ code: "THREAD_BUSY" });
      });
      expect((await read(checkpointer, threadId))?.config.configurable?.["checkpoint_id"]).toBe(parent);
      await checkpointer.close();
    });

    it("is ended by the server after statementTimeoutMs, stores nothing, and its connection is sound", async () => {
      const checkpointer = await openCheckpointer(database.url, { statementTimeoutMs: 2_000, poolSize: 1 });
      const threadId = newThread();
      const parent = await put(checkpointer, { threadId });
      await whileHeld(
        threadId,
        async () => {
          await expect(put(checkpointer, { threadId, parent })).rejects.toThrow("statement timeout");
          // With one connection in the pool, this is the one that was ended in the middle.
          expect((await read(checkpointer, threadId))?.config.configurable?.["checkpoint_id"]).toBe(parent);
        },
        TABLE,
      );
      await put(checkpointer, { threadId, parent, guard: { onHead: true, epoch: 0 } });
      await checkpointer.close();
    });
  });

  it("are no more than poolSize, and one for locks", async () => {
    const checkpointer = await openCheckpointer(`${database.url}?application_name=counted`, { poolSize: 2 });
    const threads = Array.from({ length: 10 }, newThread);
    await Promise.all(threads.map((threadId) => checkpointer.updateRecord(threadId, nextEpoch)));
    const locks = await Promise.all(
      threads.map((threadId) => checkpointer.lockThread(threadId, { mode: "exclusive", wait: true })),
    );
    const { rows } = await admin.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'counted'");
    expect(rows).toHaveLength(3);
    for (const lock of locks) await lock?.release();
    await checkpointer.close();
  });

  describe("of a pool that was handed in", () => {
    it("stay open when the checkpointer closes, and its listener goes", async () => {
      const pool = new Pool({ connectionString: database.url });
      pool.on("error", () => {});
      const checkpointer = await openCheckpointer(pool);
      expect(pool.listenerCount("error")).toBe(2);
      await put(checkpointer, { threadId: newThread() });
      await checkpointer.close();
      expect(pool.listenerCount("error")).toBe(1);
      expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
      await pool.end();
    });

    it("are gone when its owner ends it: the checkpointer is closed", async () => {
      const pool = new Pool({ connectionString: database.url });
      const checkpointer = await openCheckpointer(pool);
      await pool.end();
      await expect(checkpointer.readRecord("t")).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
      await expect(put(checkpointer, { threadId: "t" })).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
      await checkpointer.close();
    });

    it.each([
      { prepare: true, what: "keep the plans of statements that are sent often" },
      { prepare: false, what: "keep no plan with prepare: false, as behind a pooler that knows no names" },
    ])("$what", async ({ prepare }) => {
      const pool = new Pool({ connectionString: database.url, max: 1 });
      const checkpointer = await openCheckpointer(pool, { prepare });
      const threadId = newThread();
      const parent = await put(checkpointer, { threadId, values: { list: ["a"] } });
      await putWrites(checkpointer, { threadId, checkpointId: parent }, [["list", "b"]]);
      await put(checkpointer, { threadId, parent, values: { list: ["a", "b"] } });
      expect((await read(checkpointer, threadId))?.checkpoint.channel_values).toEqual({ list: ["a", "b"] });
      expect((await read(checkpointer, threadId, { checkpointId: parent }))?.pendingWrites).toEqual([
        ["task", "list", "b"],
      ]);
      const { rows } = await pool.query<{ name: string }>("SELECT name FROM pg_prepared_statements");
      expect(rows.length > 0).toBe(prepare);
      await checkpointer.close();
      await pool.end();
    });

    it("may be a single one: commits follow each other and locks have their own", async () => {
      const pool = new Pool({ connectionString: database.url, max: 1 });
      const checkpointer = await openCheckpointer(pool);
      const threads = Array.from({ length: 5 }, newThread);
      await Promise.all(
        threads.map(async (threadId) => {
          const lock = await checkpointer.lockThread(threadId, { mode: "exclusive", wait: true });
          await put(checkpointer, { threadId });
          await lock?.release();
        }),
      );
      for (const threadId of threads) expect(await read(checkpointer, threadId)).toBeDefined();
      await checkpointer.close();
      await pool.end();
    });
  });
});

function nextEpoch(record: ThreadRecord): ThreadRecord {
  return { ...record, epoch: record.epoch + 1 };
}
