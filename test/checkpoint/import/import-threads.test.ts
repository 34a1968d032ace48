import { randomUUID } from "node:crypto";
import { HumanMessage } from "@langchain/core/messages";
import {
  Annotation,
  Command,
  DeltaChannel,
  MessagesAnnotation,
  START,
  Send,
  StateGraph,
  interrupt,
} from "@langchain/langgraph";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { importThreads, openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer, ImportProgress } from "perdure/checkpoint";
import { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { collect } from "../../support/collect.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { comparable } from "../differential/comparable.ts";
import { scramblingSerde } from "../differential/stores.ts";

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  log: Annotation<string[]>({ reducer: (all, added) => [...all, ...added], default: () => [] }),
  delta: () =>
    new DeltaChannel<string[], string[]>((all, writes) => [...all, ...writes.flat()], { snapshotFrequency: 3 }),
});
const inner = new StateGraph(Annotation.Root({ log: State.spec.log }))
  .addNode("inside", () => ({ log: [String(interrupt("inside?"))] }))
  .addEdge(START, "inside")
  .compile();
const graph = new StateGraph(State)
  .addNode("talk", () => ({
    messages: [new HumanMessage({ id: randomUUID(), content: "hello\u00e9" })],
    delta: ["talked"],
  }))
  .addNode("wide", ({ log }) => ({ log: [`wide of ${log.length}`] }))
  .addNode("inner", inner)
  .addEdge(START, "talk")
  .addConditionalEdges("talk", () => [1, 2, 3].map((n) => new Send("wide", { log: Array(n).fill("x") })), ["wide"])
  .addEdge("wide", "inner");

describeWithPostgres("importThreads", () => {
  let database: FreshDatabase;
  let pool: Pool;
  let saver: PostgresSaver;
  const opened: Checkpointer[] = [];
  const schema = "langgraph tables";
  const open = async (target = "memory:"): Promise<Checkpointer> => {
    const checkpointer = await openCheckpointer(target === "postgres:" ? database.url : target, {
      schema: `s${opened.length}`,
    });
    opened.push(checkpointer);
    return checkpointer;
  };
  beforeAll(async () => {
    database = await freshDatabase();
    pool = new Pool({ connectionString: database.url, max: 5 });
    saver = new PostgresSaver(pool, undefined, { schema });
    await saver.setup();
    const app = graph.compile({ checkpointer: saver });
    for (const thread_id of ["asks", "two turns"]) {
      await app.invoke({ messages: [new HumanMessage("hi")], delta: ["in"] }, { configurable: { thread_id } });
    }
    const config = { configurable: { thread_id: "two turns" } };
    await app.updateState(config, { log: ["updated"], delta: ["updated"] }, "talk");
    const [, older] = await collect(app.getStateHistory(config));
    await app.updateState(older?.config ?? {}, { log: ["forked"] }, "talk");
    await app.invoke({ messages: [new HumanMessage("again")] }, config);
  });
  afterAll(async () => {
    for (const checkpointer of opened) await checkpointer.close();
    await pool.end();
    await database.drop();
  });

  /** All checkpoints of a thread, one by one. */
  async function read(from: Pick<Checkpointer, "getTuple">, threadId: string): Promise<unknown[]> {
    const { rows } = await pool.query<{ checkpoint_ns: string; checkpoint_id: string }>(
      `SELECT checkpoint_ns, checkpoint_id FROM "${schema}".checkpoints WHERE thread_id = $1 ORDER BY 1, 2`,
      [threadId],
    );
    const tuples = await Promise.all(
      rows.map((row) => from.getTuple({ configurable: { thread_id: threadId, ...row } })),
    );
    return tuples.map((tuple) => tuple && comparable(tuple));
  }

  describe.each(["memory:", "sqlite::memory:", "pglite:memory", "postgres:"])("into %s", (target) => {
    it("gives every checkpoint of every thread as PostgresSaver gives it, and threads that go on", async () => {
      const checkpointer = await open(target);
      const progress: ImportProgress[] = [];
      const result = await importThreads(pool, checkpointer, { schema, onProgress: (each) => progress.push(each) });
      expect(result).toEqual({ imported: 2, checkpoints: expect.any(Number), skipped: [], failed: [] });
      expect(progress.map(({ threadId, outcome }) => [threadId, outcome])).toEqual([
        ["asks", "imported"],
        ["two turns", "imported"],
      ]);
      let checkpoints = 0;
      for (const threadId of ["asks", "two turns"]) {
        const original = await read(saver, threadId);
        checkpoints += original.length;
        expect(await read(checkpointer, threadId)).toEqual(original);
        expect(await collect(checkpointer.list({ configurable: { thread_id: threadId } }))).toHaveLength(
          original.length,
        );
      }
      expect(result.checkpoints).toBe(checkpoints);
      const threads = await checkpointer.listThreads();
      expect(threads.items.map(({ threadId }) => threadId).toSorted()).toEqual(["asks", "two turns"]);

      const config = { configurable: { thread_id: "asks" } };
      const before = await graph.compile({ checkpointer: saver }).getState(config);
      expect((await graph.compile({ checkpointer }).getState(config)).values).toEqual(before.values);
      const done = await graph.compile({ checkpointer }).invoke(new Command({ resume: "yes" }), config);
      expect(done.log).toContain("yes");
      expect(done.delta).toEqual(["in", "talked"]);
    });

    it("dates a question as its checkpoint is dated, and lists the oldest first", async () => {
      const checkpointer = await open(target);
      const younger = "a younger question";
      await graph.compile({ checkpointer: saver }).invoke({ log: [] }, { configurable: { thread_id: younger } });
      // In the order of their ids, not of their age.
      await importThreads(pool, checkpointer, { schema, threadIds: [younger, "asks"] });
      const { items } = await checkpointer.listInterrupts();
      expect(items.map(({ threadId }) => threadId)).toEqual(["asks", younger]);
      for (const { threadId, checkpointNs: checkpoint_ns, askedAt } of items) {
        const original = await saver.getTuple({ configurable: { thread_id: threadId, checkpoint_ns } });
        expect(askedAt).toBe(original?.checkpoint.ts);
      }
      await saver.deleteThread(younger);
    });

    it("takes bytes over, in values and in writes", async () => {
      const thread_id = "bytes";
      const bytes = new Uint8Array([0, 200, 255]);
      const config = { configurable: { thread_id, checkpoint_ns: "" } };
      const checkpoint = {
        ...emptyCheckpoint(),
        id: uuid6(0),
        channel_values: { file: bytes },
        channel_versions: { file: 1 },
      };
      const at = await saver.put(config, checkpoint, { source: "loop", step: 0, parents: {} }, { file: 1 });
      await saver.putWrites(
        at,
        [
          ["file", bytes],
          ["files", [{ bytes }]],
        ],
        randomUUID(),
      );
      const checkpointer = await open(target);
      expect(await importThreads(pool, checkpointer, { schema, threadIds: [thread_id] })).toMatchObject({
        imported: 1,
        failed: [],
      });
      const tuple = await checkpointer.getTuple(config);
      expect(tuple?.checkpoint.channel_values).toEqual({ file: bytes });
      expect(tuple?.pendingWrites?.map(([, channel, value]) => [channel, value])).toEqual([
        ["file", bytes],
        ["files", [{ bytes }]],
      ]);
      await saver.deleteThread(thread_id);
    });

    it("shows a thread when it is whole, and takes away what a killed import left of it", async () => {
      const checkpointer = await open(target);
      const listed = async (): Promise<string[]> => [
        ...(await checkpointer.listThreads()).items.map(({ threadId }) => threadId),
        ...(await checkpointer.listThreads({ interrupted: true })).items.map(({ threadId }) => threadId),
        ...(await checkpointer.listInterrupts()).items.map(({ threadId }) => threadId),
      ];
      let staged = "";
      const seen: unknown[] = [];
      const copyThread = vi.spyOn(checkpointer, "copyThread").mockImplementation(async (from) => {
        staged = from;
        const prune = { keepNewest: 1, before: new Date(Date.now() + 60_000), finishedOnly: false };
        seen.push(await listed(), await checkpointer.prune(prune));
        seen.push(await checkpointer.prune({ ...prune, threadId: from }));
        throw new Error("killed");
      });
      // Who is killed clears nothing away.
      const deleteThread = vi.spyOn(checkpointer, "deleteThread").mockResolvedValue();
      const one = { schema, threadIds: ["asks"] };
      expect(await importThreads(pool, checkpointer, one)).toMatchObject({ imported: 0, failed: [{}] });
      const left = () => collect(checkpointer.list({ configurable: { thread_id: staged } }));
      expect(seen).toEqual([[], { threads: 0, checkpoints: 0 }, { threads: 0, checkpoints: 0 }]);
      expect(await left()).not.toEqual([]);

      copyThread.mockRestore();
      deleteThread.mockRestore();
      expect(await importThreads(pool, checkpointer, one)).toMatchObject({ imported: 1, failed: [] });
      expect(await left()).toEqual([]);
      expect(await listed()).toEqual(["asks", "asks", "asks"]);

      // Killed between the copy and the end.
      await checkpointer.copyThread("asks", staged);
      expect(await importThreads(pool, checkpointer, one)).toMatchObject({ skipped: ["asks"], failed: [] });
      expect(await left()).toEqual([]);
    });
  });

  describe("a thread that is there", () => {
    const one = { schema, threadIds: ["asks"] };
    const config = { configurable: { thread_id: "asks" } };
    const exists = (message: unknown) => ({
      imported: 0,
      skipped: [],
      failed: [
        {
          threadId: "asks",
          error: expect.objectContaining({
            code: "THREAD_EXISTS",
            message: expect.stringContaining(message as string),
          }),
        },
      ],
    });

    it("since it was imported is skipped, and stays as it is: an import can be run again, and gets what came since", async () => {
      const checkpointer = await open();
      expect(await importThreads(pool, checkpointer, one)).toMatchObject({ imported: 1, skipped: [] });
      await checkpointer.updateRecord("asks", (record) => ({ ...record, epoch: 7 }));
      expect(await importThreads(pool, checkpointer, { schema })).toMatchObject({
        imported: 1,
        skipped: ["asks"],
        failed: [],
      });
      expect(await importThreads(pool, checkpointer, { schema })).toMatchObject({
        imported: 0,
        skipped: ["asks", "two turns"],
        failed: [],
      });
      expect(await checkpointer.readRecord("asks")).toMatchObject({ epoch: 7 });
    });

    it("since it was imported is skipped also when it went on here, or lost old checkpoints to prune", async () => {
      const checkpointer = await open();
      await importThreads(pool, checkpointer, one);
      await checkpointer.prune({ keepNewest: 1 });
      await graph.compile({ checkpointer }).invoke(new Command({ resume: "yes" }), config);
      expect(await importThreads(pool, checkpointer, one)).toMatchObject({
        imported: 0,
        skipped: ["asks"],
        failed: [],
      });
    });

    it("because somebody wrote to it before the import fails, and keeps what was written", async () => {
      const checkpointer = await open();
      await graph.compile({ checkpointer }).invoke({ messages: [new HumanMessage("new")] }, config);
      const before = await collect(checkpointer.list(config));
      expect(await importThreads(pool, checkpointer, one)).toMatchObject(exists("it has none of the"));
      expect(await collect(checkpointer.list(config))).toEqual(before);
    });

    it("with a record and no checkpoint fails too", async () => {
      const checkpointer = await open();
      await checkpointer.updateRecord("asks", (record) => ({ ...record, epoch: 7 }));
      expect(await importThreads(pool, checkpointer, one)).toMatchObject(exists("it has none of the"));
    });

    it("fails when LangGraph's tables got more after it was imported", async () => {
      const checkpointer = await open();
      const thread_id = "goes on";
      const app = graph.compile({ checkpointer: saver });
      await app.invoke({ messages: [new HumanMessage("hi")] }, { configurable: { thread_id } });
      const those = { schema, threadIds: [thread_id] };
      await importThreads(pool, checkpointer, those);
      await app.updateState({ configurable: { thread_id } }, { log: ["old graph"] }, "talk");
      const { failed } = await importThreads(pool, checkpointer, those);
      expect(failed).toMatchObject([{ threadId: thread_id, error: { code: "THREAD_EXISTS" } }]);
      expect(String(failed[0]?.error)).toMatch(/it has not the newest 1 of the \d+ checkpoints/u);
      await saver.deleteThread(thread_id);
    });
  });

  it("says after every hundred checkpoints how far it is", async () => {
    const thread_id = "long";
    let parent: string | undefined;
    for (let n = 0; n < 201; n += 1) {
      const checkpoint = { ...emptyCheckpoint(), id: uuid6(n) };
      const at = { configurable: { thread_id, checkpoint_ns: "", checkpoint_id: parent } };
      await saver.put(at, checkpoint, { source: "loop", step: n, parents: {} }, {});
      parent = checkpoint.id;
    }
    const those = { schema, threadIds: [thread_id] };
    const progress: ImportProgress[] = [];
    await importThreads(pool, await open(), { ...those, onProgress: (each) => progress.push(each) });
    expect(progress).toEqual([
      { threadId: thread_id, outcome: "importing", checkpoints: 100, total: 201 },
      { threadId: thread_id, outcome: "importing", checkpoints: 200, total: 201 },
      { threadId: thread_id, outcome: "imported", checkpoints: 201 },
    ]);

    const checkpointer = await open();
    const onProgress = (): void => {
      throw new Error("mine");
    };
    await expect(importThreads(pool, checkpointer, { ...those, onProgress })).rejects.toThrow("mine");
    expect(await collect(checkpointer.list({}))).toEqual([]);
    await saver.deleteThread(thread_id);
  });

  it("of two that import at once, each thread is imported by one", async () => {
    const checkpointer = await open("postgres:");
    const [one, two] = await Promise.all([1, 2].map(() => importThreads(pool, checkpointer, { schema })));
    expect((one?.imported ?? 0) + (two?.imported ?? 0)).toBe(2);
    expect([...(one?.skipped ?? []), ...(two?.skipped ?? [])].toSorted()).toEqual(["asks", "two turns"]);
    expect(await read(checkpointer, "two turns")).toEqual(await read(saver, "two turns"));
  });

  it("imports nothing of a thread with a checkpoint that does not read back the same, and goes on with the others", async () => {
    const checkpointer = await open();
    const put = checkpointer.put.bind(checkpointer);
    checkpointer.put = async (config, checkpoint, ...rest) => {
      if (!String(config.configurable?.["thread_id"]).endsWith("two turns")) return put(config, checkpoint, ...rest);
      const channel_values = { ...checkpoint.channel_values, log: ["spoilt"] };
      return put(config, { ...checkpoint, channel_values }, ...rest);
    };
    const done = await importThreads(pool, checkpointer, { schema });
    expect(done).toMatchObject({ imported: 1, failed: [{ threadId: "two turns", error: { code: "IMPORT_DIFFERS" } }] });
    expect(String(done.failed[0]?.error)).toContain('its values of "log" differ');
    expect((await checkpointer.listThreads()).items.map(({ threadId }) => threadId)).toEqual(["asks"]);
  });

  it("that was stopped in the middle of a thread leaves nothing of it, and begins it anew", async () => {
    const checkpointer = await open();
    const stop = new AbortController();
    const put = checkpointer.put.bind(checkpointer);
    let puts = 0;
    checkpointer.put = async (...given) => {
      if ((puts += 1) === 3) stop.abort(new Error("enough"));
      return put(...given);
    };
    await expect(importThreads(pool, checkpointer, { schema, signal: stop.signal })).rejects.toThrow("enough");
    expect((await checkpointer.listThreads()).items).toEqual([]);
    expect(await importThreads(pool, checkpointer, { schema })).toMatchObject({ imported: 2, failed: [] });
  });

  it("reads checkpoints from before format 4, whose sends lie with the parent", async () => {
    const thread_id = "old";
    const parent = uuid6(0);
    const old = (id: string) => ({
      v: 1,
      id,
      ts: new Date().toISOString(),
      channel_values: { log: ["a"] },
      channel_versions: { log: 1 },
      versions_seen: {},
    });
    const at = (checkpoint_id?: string) => ({ configurable: { thread_id, checkpoint_ns: "", checkpoint_id } });
    const metadata = { source: "loop" as const, step: 0, parents: {} };
    await saver.put(at(), old(parent), metadata, { log: 1 });
    await saver.putWrites(at(parent), [["__pregel_tasks", { lg_name: "Send", node: "wide", args: 1 }]], randomUUID());
    const child = uuid6(1);
    await saver.put(at(parent), old(child), metadata, {});
    await saver.put(at(child), old(uuid6(2)), metadata, {});
    const checkpointer = await open("postgres:");
    expect(await importThreads(pool, checkpointer, { schema, threadIds: [thread_id] })).toMatchObject({
      imported: 1,
      checkpoints: 3,
      failed: [],
    });
    const tuple = await checkpointer.getTuple(at(child));
    expect(tuple?.checkpoint.channel_values["__pregel_tasks"]).toHaveLength(1);
    await saver.deleteThread(thread_id);
  });

  it("says what is missing: the thread, the tables, the server, the option", async () => {
    const checkpointer = await open();
    const absent = await importThreads(pool, checkpointer, { schema, threadIds: ["nobody"] });
    expect(absent.failed).toEqual([
      { threadId: "nobody", error: expect.objectContaining({ code: "THREAD_NOT_FOUND" }) },
    ]);
    const url = "postgres://nobody@127.0.0.1:1/db";
    const calls: [() => Promise<unknown>, string, string][] = [
      [
        () => importThreads(pool, checkpointer, { schema: "elsewhere" }),
        "CHECKPOINTER_TABLE_MISSING",
        'no tables of LangGraph\'s PostgresSaver in schema "elsewhere"',
      ],
      [() => importThreads(url, checkpointer), "CHECKPOINTER_UNREACHABLE", "127.0.0.1:1"],
      [() => importThreads(7 as never, checkpointer), "CHECKPOINTER_URL_INVALID", "got 7"],
      [() => importThreads(undefined as never, checkpointer), "CHECKPOINTER_URL_INVALID", "got undefined"],
      [() => importThreads("case-42", checkpointer), "CHECKPOINTER_URL_INVALID", "without a scheme"],
      [
        () => importThreads(pool, undefined as never),
        "OPTIONS_INVALID",
        "the checkpointer to import to can't be undefined",
      ],
      [() => importThreads(url, saver as never), "OPTIONS_INVALID", "the checkpointer to import to"],
      [
        () => importThreads(checkpointer as never, url as never),
        "OPTIONS_INVALID",
        "first from where, then the checkpointer",
      ],
      [() => importThreads(pool, checkpointer, { schemas: "x" } as never), "OPTIONS_INVALID", '"schemas"'],
      [() => importThreads(pool, checkpointer, { threadIds: ["a\0"] }), "OPTIONS_INVALID", "`threadIds.0`"],
      [() => importThreads(pool, checkpointer, null as never), "OPTIONS_INVALID", "can't be null"],
    ];
    for (const [call, code, message] of calls) {
      await expect(call(), message).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    }
  });

  it("says of values that another serializer wrote that they need it", async () => {
    const thread_id = "secret";
    // PostgresSaver keeps metadata as JSON, whatever the serializer.
    const serde: SerializerProtocol = {
      dumpsTyped: (value) => (Array.isArray(value) ? scramblingSerde : saver.serde).dumpsTyped(value),
      loadsTyped: (type, data) =>
        (type.startsWith("scrambled") ? scramblingSerde : saver.serde).loadsTyped(type, data) as Promise<unknown>,
    };
    const own = new PostgresSaver(pool, serde, { schema });
    const config = { configurable: { thread_id, checkpoint_ns: "" } };
    const checkpoint = {
      ...emptyCheckpoint(),
      id: uuid6(0),
      channel_values: { list: [1] },
      channel_versions: { list: 1 },
    };
    await own.put(config, checkpoint, { source: "loop", step: 0, parents: {} }, { list: 1 });
    const those = { schema, threadIds: [thread_id] };
    const { failed } = await importThreads(pool, await open(), those);
    expect(failed).toMatchObject([{ error: { code: "CHECKPOINT_DAMAGED", hint: expect.stringContaining("`serde`") } }]);
    const whole = await importThreads(pool, await open(), { ...those, serde });
    expect(whole).toMatchObject({ imported: 1, failed: [] });
    await own.deleteThread(thread_id);
  });

  it.each(["sqlite:./file", "pglite:./directory", "memory:"])("says that %s is no Postgres server", async (from) => {
    const importing = importThreads(from, await open());
    await expect(importing).rejects.toMatchObject({
      code: "CHECKPOINTER_URL_INVALID",
      message: expect.stringContaining(`${from.split(":")[0]}: has none of LangGraph's tables`),
      hint: expect.stringContaining("postgres://"),
    });
  });

  it("takes no serializer that is none, and shows nothing of it", async () => {
    const importing = importThreads(pool, await open(), { schema, serde: { key: "s3cret" } as never });
    await expect(importing).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(importing).rejects.toThrow("`serde` can't be an object: must have dumpsTyped and loadsTyped");
  });
});
