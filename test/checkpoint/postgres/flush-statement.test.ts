/** Both forms of the statement, sent to a server as a checkpointer sends them. */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkpointerSql, openCheckpointer } from "perdure/checkpoint";
import type { BlobRow, CheckpointRow, Commit, Verdict, WritesRow } from "../../../src/checkpoint/postgres/commit.ts";
import { flushStatement, verdicts, wholeResult } from "../../../src/checkpoint/postgres/flush-statement.ts";
import type { VerdictRow } from "../../../src/checkpoint/postgres/flush-statement.ts";
import { flushValues } from "../../../src/checkpoint/postgres/flush-values.ts";
import { saverTables } from "../../../src/checkpoint/postgres/saver-tables.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { newThread, put, putWrites, read } from "../conformance/store.ts";

const tables = saverTables("public");
const going = flushStatement(tables, { begins: false });
const beginning = flushStatement(tables, { begins: true });
const ITEM = JSON.stringify({ text: `"ä" and \\ ${"x".repeat(300)}` });

function commit(threadId: string, more: Partial<Commit> = {}): Commit {
  return { threadId, condition: { basis: undefined, epoch: undefined, onHead: false }, blobs: [], writes: [], ...more };
}

function checkpoint(id: string, more: Partial<CheckpointRow> = {}): CheckpointRow {
  return { ns: "", id, parentId: undefined, body: json("{}"), lineages: [], upTos: [], ...more };
}

function item(text: string): BlobRow {
  return { lineage: 1, start: 0, stored: json(text) };
}

function result(text: string, more: Partial<WritesRow> = {}): WritesRow {
  return { ns: "", checkpointId: "c1", taskId: "task", idx: 0, stored: json(text), ...more };
}

function json(text: string) {
  return { type: null, bytes: Buffer.from(text) };
}

describeWithPostgres("a flush", () => {
  let database: FreshDatabase;
  let client: Client;
  let other: Client;
  beforeAll(async () => {
    database = await freshDatabase();
    client = new Client({ connectionString: database.url });
    other = new Client({ connectionString: database.url });
    await Promise.all([client.connect(), other.connect()]);
    for (const statement of checkpointerSql()) await client.query(statement);
  });
  afterAll(async () => {
    await Promise.all([client.end(), other.end()]);
    await database.drop();
  });

  async function flush(statement: string, commits: readonly Commit[]): Promise<(Verdict | undefined)[]> {
    const { rows } = await client.query<VerdictRow>(statement, flushValues(commits));
    return verdicts(commits.length, rows);
  }

  /** A thread with one checkpoint, c1. */
  async function thread(): Promise<string> {
    const threadId = newThread();
    await flush(beginning, [commit(threadId, { checkpoint: checkpoint("c1") })]);
    return threadId;
  }

  /** Holds the row of a thread until what is returned is called. */
  async function lock(threadId: string): Promise<() => Promise<unknown>> {
    await other.query("BEGIN");
    await other.query(`SELECT FROM ${tables.threads} WHERE thread_id = $1 FOR UPDATE`, [threadId]);
    return () => other.query("COMMIT");
  }

  /** The heads of threads; null where it has none, or is not there. */
  async function headsOf(...threadIds: string[]): Promise<(string | null)[]> {
    const { rows } = await client.query<{ head: string | null }>(
      `SELECT t.head FROM unnest($1::text[]) WITH ORDINALITY AS o(id, n) LEFT JOIN ${tables.threads} t ON t.thread_id = o.id ORDER BY n`,
      [threadIds],
    );
    return rows.map(({ head }) => head);
  }

  async function stored(what: "checkpoints" | "blobs" | "writes" | "interrupts", threadId: string): Promise<number> {
    const text = `SELECT FROM ${tables[what]} x JOIN ${tables.threads} t USING (thread) WHERE t.thread_id = $1`;
    return (await client.query(text, [threadId])).rows.length;
  }

  /** The results of a thread's tasks, whole, and as they lie in their own rows. */
  async function results(threadId: string): Promise<{ whole: string; own: string }[]> {
    const { rows } = await client.query<{ whole: string; own: string }>(
      `SELECT ${wholeResult} AS whole, w.text AS own FROM ${tables.writes} w JOIN ${tables.threads} t USING (thread)
         LEFT JOIN ${tables.blobs} part ON part.thread = w.thread AND part.lineage = w.lineage AND part.start = w.start
        WHERE t.thread_id = $1 AND w.idx = 0 ORDER BY w.task_id`,
      [threadId],
    );
    return rows;
  }

  describe("to threads that are there, missing and locked", () => {
    it("judges those that are there; then makes those that are missing; and leaves out the locked one till it is free", async () => {
      const [there, missing, locked] = [await thread(), newThread(), await thread()];
      const next = (threadId: string) => commit(threadId, { checkpoint: checkpoint("c2"), writes: [result("[]")] });
      const release = await lock(locked);

      expect(await flush(going, [next(locked), next(missing), next(there)])).toEqual([
        undefined,
        undefined,
        { made: true, thread: expect.any(Number), generation: 0, epoch: 0, head: "c1" },
      ]);
      expect(await flush(beginning, [next(locked), next(missing)])).toEqual([
        undefined,
        { made: true, thread: expect.any(Number), generation: 0, epoch: 0, head: undefined },
      ]);
      expect(await headsOf(there, missing, locked)).toEqual(["c2", "c2", "c1"]);
      expect([await stored("writes", missing), await stored("writes", locked)]).toEqual([1, 0]);

      await release();
      expect(await flush(going, [next(locked)])).toMatchObject([{ made: true, head: "c1" }]);
      expect(await headsOf(locked)).toEqual(["c2"]);
      expect(await stored("writes", locked)).toBe(1);
    });

    it("judges all three at once where threads may be made", async () => {
      const [there, missing, locked] = [await thread(), newThread(), await thread()];
      const release = await lock(locked);
      const judged = await flush(
        beginning,
        [there, missing, locked].map((threadId) => commit(threadId, { checkpoint: checkpoint("c2") })),
      );
      await release();
      expect(judged).toMatchObject([{ made: true, head: "c1" }, { made: true }, undefined]);
      expect(await headsOf(there, missing, locked)).toEqual(["c2", "c2", "c1"]);
    });

    it("holds up the locked one only, when it comes from a checkpointer with one connection", async () => {
      const checkpointer = await openCheckpointer(database.url, { poolSize: 1 });
      const [there, missing, locked] = [newThread(), newThread(), newThread()];
      await Promise.all([there, locked].map((threadId) => put(checkpointer, { threadId, id: "c1" })));
      const release = await lock(locked);
      let isLocked = true;
      const writes = [missing, locked, there].map((threadId) =>
        putWrites(checkpointer, { threadId, checkpointId: "c1" }, [["list", threadId]]),
      );
      const held = writes[1]!.then(() => isLocked);
      await Promise.all([writes[0], writes[2]]);
      expect([await stored("writes", missing), await stored("writes", locked)]).toEqual([1, 0]);
      isLocked = false;
      await release();
      expect(await held).toBe(false);
      expect((await read(checkpointer, locked))!.pendingWrites).toEqual([["task", "list", locked]]);
      await checkpointer.close();
    });
  });

  it.each<[string, Partial<Commit["condition"]>, string | undefined]>([
    ["was prepared from a thread that is gone", { basis: { thread: 1, generation: 0 } }, undefined],
    ["belongs to an epoch that was begun", { epoch: 1 }, undefined],
    ["has to stand on a checkpoint", { onHead: true }, "c0"],
  ])("makes no thread for a commit that %s", async (_, condition, parentId) => {
    const threadId = newThread();
    const refused = commit(threadId, {
      condition: { ...commit(threadId).condition, ...condition },
      checkpoint: checkpoint("c1", { parentId }),
    });
    expect(await flush(beginning, [refused])).toEqual([
      { made: false, thread: 0, generation: 0, epoch: 0, head: undefined },
    ]);
    const { rows } = await client.query(`SELECT FROM ${tables.threads} WHERE thread_id = $1`, [threadId]);
    expect(rows).toEqual([]);
  });

  it("makes threads with the records that their first commits bring, and none for the others", async () => {
    const [withRecord, without] = [newThread(), newThread()];
    const first = (threadId: string): Commit => commit(threadId, { checkpoint: checkpoint("c1") });
    const record = { epoch: 3, stored: { type: null, bytes: Buffer.from('{"epoch":3}') } };
    expect(await flush(beginning, [first(without), { ...first(withRecord), record }])).toMatchObject([
      { made: true, epoch: 0 },
      { made: true, epoch: 3 },
    ]);
    const { rows } = await client.query(
      `SELECT epoch::int, record_type, convert_from(record, 'UTF8') AS record FROM ${tables.threads} WHERE thread_id = ANY ($1) ORDER BY epoch`,
      [[withRecord, without]],
    );
    expect(rows).toEqual([
      { epoch: 0, record_type: null, record: null },
      { epoch: 3, record_type: null, record: '{"epoch":3}' },
    ]);
  });

  it.each([
    ["going", going],
    ["beginning", beginning],
  ])("refuses a commit with a first record in a thread that is there (%s)", async (_, statement) => {
    const threadId = await thread();
    const second = commit(threadId, {
      checkpoint: checkpoint("c2"),
      record: { epoch: 0, stored: { type: null, bytes: Buffer.from("{}") } },
    });
    expect(await flush(statement, [second])).toMatchObject([{ made: false, head: "c1" }]);
    expect(await headsOf(threadId)).toEqual(["c1"]);
    expect(await stored("checkpoints", threadId)).toBe(1);
  });

  it("stores of a refused commit nothing, and of the one beside it in the thread all", async () => {
    const threadId = await thread();
    const whole = (id: string, epoch: number): Commit =>
      commit(threadId, {
        condition: { basis: undefined, epoch, onHead: false },
        checkpoint: checkpoint(id),
        blobs: [{ ...item("1"), start: epoch }],
        writes: [
          result("[]", { checkpointId: id }),
          result("[]", { checkpointId: id, idx: -3, asks: { answersBefore: 0, interruptId: undefined } }),
        ],
      });
    expect(await flush(going, [whole("c3", 1), whole("c2", 0)])).toMatchObject([
      { made: false, head: "c1" },
      { made: true, head: "c1" },
    ]);
    expect(await headsOf(threadId)).toEqual(["c2"]);
    expect(await stored("checkpoints", threadId)).toBe(2);
    expect(await stored("blobs", threadId)).toBe(1);
    expect(await stored("writes", threadId)).toBe(2);
    expect(await stored("interrupts", threadId)).toBe(1);
  });

  it("moves a head forward only, to the newest checkpoint of the root", async () => {
    const threadId = await thread();
    const puts = [checkpoint("c3"), checkpoint("c2"), checkpoint("c9", { ns: "sub" })];
    await flush(
      going,
      puts.map((each) => commit(threadId, { checkpoint: each })),
    );
    expect(await headsOf(threadId)).toEqual(["c3"]);
    await flush(going, [commit(threadId, { checkpoint: checkpoint("c0") })]);
    expect(await headsOf(threadId)).toEqual(["c3"]);
    expect(await stored("checkpoints", threadId)).toBe(5);
  });

  describe("with a result that became items of a list,", () => {
    it("stores the items once, however often they occur in the result, which comes back as it was", async () => {
      const threadId = await thread();
      const text = `[["messages",[${ITEM}]],["last",${ITEM}]]`;
      await flush(going, [
        commit(threadId, { writes: [result(text)] }),
        commit(threadId, { checkpoint: checkpoint("c2"), blobs: [item(ITEM)] }),
      ]);
      const [row] = await results(threadId);
      expect(row!.whole).toBe(text);
      expect(row!.own).not.toContain("xxx");
    });

    it("stores the result whole when the commit with the items is refused", async () => {
      const threadId = await thread();
      const text = `[["messages",[${ITEM}]]]`;
      const judged = await flush(going, [
        commit(threadId, { writes: [result(text)] }),
        commit(threadId, {
          condition: { basis: undefined, epoch: 7, onHead: false },
          checkpoint: checkpoint("c2"),
          blobs: [item(ITEM)],
        }),
      ]);
      expect(judged).toMatchObject([{ made: true }, { made: false }]);
      expect(await results(threadId)).toEqual([{ whole: text, own: text }]);
      expect(await stored("blobs", threadId)).toBe(0);
    });

    it("leaves the first result of the task as it stands, also when only the second one has the items", async () => {
      const threadId = await thread();
      const first = `[["messages",["another"]]]`;
      await flush(going, [commit(threadId, { writes: [result(first)] })]);
      const again = [
        commit(threadId, { writes: [result(`[["messages",[${ITEM}]]]`)] }),
        commit(threadId, { checkpoint: checkpoint("c2"), blobs: [item(ITEM)] }),
      ];
      expect(await flush(going, again)).toMatchObject([{ made: true }, { made: true }]);
      expect(await results(threadId)).toEqual([{ whole: first, own: first }]);
    });
  });
});
