/** Commits whose connection is lost before or after the server has stored them, and rows that somebody deleted by hand. */
import { PGlite } from "@electric-sql/pglite";
import { INTERRUPT } from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PerdureError } from "perdure/errors";
import type { Checkpointer } from "perdure/checkpoint";
import { connectPgliteDatabase } from "../../../src/checkpoint/connect-pglite.ts";
import { interruptId } from "../../../src/checkpoint/index.ts";
import { PostgresCheckpointer } from "../../../src/checkpoint/postgres/postgres-checkpointer.ts";
import { preparePostgres } from "../../../src/checkpoint/open-postgres.ts";
import type { SqlDriver } from "../../../src/checkpoint/sql-driver.ts";
import { collect } from "../../support/collect.ts";
import { newThread, put, putWrites, read } from "../conformance/store.ts";

let database: PGlite;
let checkpointer: Checkpointer;
/** Called around the next commit; it may throw. */
let before: (() => Promise<void>) | undefined;
let after: (() => Promise<void>) | undefined;
let losses = 0;

beforeAll(async () => {
  database = await PGlite.create("memory://");
  const { driver, address } = connectPgliteDatabase(database, "public");
  await preparePostgres(driver, address, true);
  checkpointer = checkpointerOver({
    query: (statement, values) => driver.query(statement, values),
    transaction: (work) => driver.transaction(work),
    close: () => driver.close(),
    get losses() {
      return losses;
    },
    commit: async (statement, values) => {
      const [early, late] = [before, after];
      before = after = undefined;
      await early?.();
      const result = await driver.commit(statement, values);
      await late?.();
      return result as never;
    },
  });
}, 120_000);
afterAll(async () => {
  await checkpointer.close();
  await database.close();
});

function checkpointerOver(driver: SqlDriver): Checkpointer {
  return new PostgresCheckpointer({
    driver,
    schema: "public",
    description: "a database whose connections are lost",
    shared: false,
    cacheThreads: 10,
    lanes: 1,
    onceAtOnce: 1,
    locks: { lock: async () => undefined, close: async () => {} },
  });
}

async function lost(): Promise<never> {
  const cause = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  throw new PerdureError("CHECKPOINTER_UNREACHABLE", "the connection was lost.", { hint: "Wait.", cause });
}

const KEY = "(SELECT thread FROM perdure_threads WHERE thread_id = $1)";
const messages = (count: number) => Array.from({ length: count }, (_, n) => ({ n, text: "x".repeat(200) }));
const numbers = async (threadId: string): Promise<unknown> => {
  const { checkpoint } = (await read(checkpointer, threadId))!;
  return (checkpoint.channel_values["list"] as { n: number }[]).map(({ n }) => n);
};

describe("a connection that is lost", () => {
  it("before a checkpoint was put on top of itself takes nothing of it away", async () => {
    const threadId = newThread();
    const list = messages(1);
    const id = await put(checkpointer, { threadId, values: { list } });
    list.push(...messages(2).slice(1));
    before = lost;
    await put(checkpointer, { threadId, id, parent: id, values: { list } });
    expect(await numbers(threadId)).toEqual([0, 1]);
    await put(checkpointer, { threadId, parent: id, values: { list: [...list, { n: 2 }] } });
    expect(await numbers(threadId)).toEqual([0, 1, 2]);
  });

  it("after a checkpoint was stored does not store it again", async () => {
    const threadId = newThread();
    const parent = await put(checkpointer, { threadId, values: { list: messages(1) } });
    after = lost;
    await put(checkpointer, { threadId, parent, values: { list: messages(2) } });
    expect(await numbers(threadId)).toEqual([0, 1]);
    expect(await collect(checkpointer.list({ configurable: { thread_id: threadId } }))).toHaveLength(2);
    const { rows } = await database.query(`SELECT FROM perdure_blobs WHERE thread = ${KEY}`, [threadId]);
    expect(rows).toHaveLength(2);
  });

  it("after a question was stored does not open it again when it was answered meanwhile", async () => {
    const threadId = newThread();
    const checkpointId = await put(checkpointer, { threadId });
    const task = { checkpointNs: "", checkpointId, taskId: "task", earlier: [] };
    after = async () => {
      await checkpointer.commitAnswers(threadId, {
        headCheckpointId: checkpointId,
        answers: [{ interruptId: interruptId("task", 0), answer: "yes", task }],
      });
      await lost();
    };
    await putWrites(checkpointer, { threadId, checkpointId }, [
      [INTERRUPT, { value: "May I?", perdure: { answers: 0 } }],
    ]);
    expect((await checkpointer.listInterrupts()).items).toEqual([]);
  });
});

it("a server that has lost the last commits in a failover gets whole lists again", async () => {
  const threadId = newThread();
  const first = await put(checkpointer, { threadId, values: { list: messages(1) } });
  const parent = await put(checkpointer, { threadId, parent: first, values: { list: messages(2) } });
  await database.query(`DELETE FROM perdure_checkpoints WHERE thread = ${KEY} AND id = $2`, [threadId, parent]);
  await database.query(`DELETE FROM perdure_blobs WHERE thread = ${KEY} AND start > 0`, [threadId]);
  await database.query("UPDATE perdure_threads SET head = $2 WHERE thread_id = $1", [threadId, first]);
  losses += 1;
  await put(checkpointer, { threadId, parent, values: { list: messages(3) } });
  expect(await numbers(threadId)).toEqual([0, 1, 2]);
});

it("a checkpoint that is prepared anew because the thread was pruned has the values that it was given", async () => {
  const threadId = newThread();
  const value = { text: "y".repeat(300) };
  const parent = await put(checkpointer, { threadId, values: { list: messages(3) } });
  before = async () => {
    await database.query("UPDATE perdure_threads SET generation = generation + 1 WHERE thread_id = $1", [threadId]);
  };
  const stored = put(checkpointer, { threadId, parent, values: { list: messages(4), value } });
  value.text = "changed";
  await stored;
  expect((await read(checkpointer, threadId))!.checkpoint.channel_values["value"]).toEqual({ text: "y".repeat(300) });
  expect(await numbers(threadId)).toEqual([0, 1, 2, 3]);
});

describe("rows that somebody deleted by hand", () => {
  it.each(["min", "max"])("are missed when a list is read: the one with the %simum", async (which) => {
    const threadId = newThread();
    const list = messages(3);
    let parent: string | undefined;
    for (const length of [1, 2, 3])
      parent = await put(checkpointer, { threadId, parent, values: { list: list.slice(0, length) } });
    await database.query(
      `DELETE FROM perdure_blobs WHERE thread = ${KEY}
          AND start = (SELECT ${which}(start) FROM perdure_blobs WHERE thread = ${KEY})`,
      [threadId],
    );
    await expect(read(checkpointer, threadId)).rejects.toMatchObject({ code: "CHECKPOINT_DAMAGED" });
  });

  it("are missed when a task's result is read that refers to them", async () => {
    const threadId = newThread();
    const checkpointId = await put(checkpointer, { threadId });
    const [first, second] = messages(2);
    const added = [first, second];
    const writes = putWrites(checkpointer, { threadId, checkpointId }, [["list", added]]);
    await put(checkpointer, { threadId, parent: checkpointId, values: { list: added } });
    await writes;
    expect((await read(checkpointer, threadId, { checkpointId }))!.pendingWrites).toEqual([["task", "list", added]]);
    await database.query(`DELETE FROM perdure_blobs WHERE thread = ${KEY}`, [threadId]);
    await expect(read(checkpointer, threadId, { checkpointId })).rejects.toMatchObject({ code: "CHECKPOINT_DAMAGED" });
  });
});
