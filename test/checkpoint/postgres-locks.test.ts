import { once } from "node:events";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { newThread } from "./conformance/store.ts";
import { openInOtherProcess } from "./other-process.ts";

const ALONE = { mode: "exclusive", wait: false } as const;
/** For a lock of a connection that is being ended: the server says so before it has let go of the locks. */
const ALONE_SOON = { mode: "exclusive", wait: true } as const;

describeWithPostgres("locks of threads among processes", () => {
  let database: FreshDatabase;
  let checkpointer: Checkpointer;
  beforeAll(async () => {
    database = await freshDatabase();
    checkpointer = await openCheckpointer(database.url);
  });
  afterAll(async () => {
    await checkpointer.close();
    await database.drop();
  });

  async function endLockConnections(): Promise<void> {
    const admin = new Client({ connectionString: database.url });
    await admin.connect();
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM (
         SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       ) AS holders`,
    );
    await admin.end();
  }

  it("a process that is killed frees its locks, and who waits gets them", async () => {
    const threadId = newThread();
    const other = await openInOtherProcess(database.url, "lock", threadId);
    expect(await checkpointer.lockThread(threadId, ALONE)).toBeUndefined();
    const waiting = checkpointer.lockThread(threadId, { mode: "exclusive", wait: true });
    await other.kill();
    const lock = await waiting;
    expect(lock).toBeDefined();
    await lock?.release();
  });

  it("a process that has released its locks ends by itself, also without close", async () => {
    const other = await openInOtherProcess(database.url, "release", newThread());
    expect(await other.ended).toBe(0);
  });

  it("a process that has nothing else to do lives until its checkpointer is closed", async () => {
    const other = await openInOtherProcess(database.url, "close", newThread());
    expect(await other.ended).toBe(0);
  });

  it("the connection that drops takes every lock on it along, which each holder is told; later ones get a new connection", async () => {
    const threads = [newThread(), newThread()];
    const locks = await Promise.all(threads.map((threadId) => checkpointer.lockThread(threadId, ALONE)));
    const told = Promise.all(locks.map(async (lock) => lock && once(lock.lost, "abort")));
    await endLockConnections();
    await told;
    for (const lock of locks) expect(lock?.lost.reason).toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });

    // The server has freed them: another process gets them, while holders here have not yet let go.
    const another = await openCheckpointer(database.url);
    const [first = "", second = ""] = threads;
    const taken = await another.lockThread(first, ALONE_SOON);
    expect(taken).toBeDefined();
    expect(await checkpointer.lockThread(second, ALONE)).toBeUndefined();
    for (const lock of locks) await lock?.release();
    expect(await checkpointer.lockThread(first, ALONE)).toBeUndefined();
    const anew = await checkpointer.lockThread(second, ALONE_SOON);
    expect(anew?.lost.aborted).toBe(false);
    await anew?.release();
    await taken?.release();
    await another.close();
  });

  it("a dead connection that nobody noticed is replaced when the next lock is asked for", async () => {
    const lock = await checkpointer.lockThread(newThread(), { mode: "shared", wait: false });
    await endLockConnections();
    const next = await checkpointer.lockThread(newThread(), ALONE);
    expect(next?.lost.aborted).toBe(false);
    await next?.release();
    await lock?.release();
  });

  it("two schemas of one database are two stores: their locks have nothing to do with each other", async () => {
    const elsewhere = await openCheckpointer(database.url, { schema: "elsewhere" });
    const threadId = newThread();
    const [one, two] = await Promise.all([
      checkpointer.lockThread(threadId, ALONE),
      elsewhere.lockThread(threadId, ALONE),
    ]);
    expect(one).toBeDefined();
    expect(two).toBeDefined();
    await Promise.all([one?.release(), two?.release()]);
    await elsewhere.close();
  });
});
