/** Commits beside locks that others hold, and over connections that are lost. */
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { Client } from "pg";
import { Annotation, END, START, StateGraph, interrupt } from "@langchain/langgraph";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { CheckpointWriter } from "../../../src/checkpoint/postgres/checkpoint-writer.ts";
import { saverTables } from "../../../src/checkpoint/postgres/saver-tables.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { newThread, put } from "../conformance/store.ts";

it("what was judged of a batch stays judged when the rest fails, and is not sent again", async () => {
  const sent: string[][] = [];
  const writer = new CheckpointWriter(
    {
      query: () => expect.unreachable(),
      transaction: () => expect.unreachable(),
      close: () => expect.unreachable(),
      losses: 0,
      commit: async (_statement, [, ops]) => {
        const threads = (JSON.parse(ops as string) as { thread_id: string }[]).map(({ thread_id }) => thread_id);
        sent.push(threads);
        const row = { ok: true, thread: 1, generation: 0, epoch: 0, head: null };
        // "b" is locked at first, then its rows are found taken, then all is well
        if (sent.length === 1) return { rows: [{ ...row, n: 1 }] as never };
        if (sent.length === 2) throw Object.assign(new Error("duplicate key"), { code: "23505" });
        return { rows: [{ ...row, n: 1 }] as never };
      },
    },
    saverTables("public"),
    { lanes: 1 },
  );
  const condition = { basis: { thread: 1, generation: 0 }, epoch: undefined, onHead: false };
  const made = await Promise.all(
    ["a", "b"].map((threadId) => writer.add({ threadId, condition, blobs: [], writes: [] })),
  );
  expect(made.map((verdict) => verdict.made)).toEqual([true, true]);
  expect(sent).toEqual([["a", "b"], ["b"], ["b"]]);
});

describeWithPostgres("a checkpointer on a server", () => {
  let database: FreshDatabase;
  let checkpointer: Checkpointer;
  beforeAll(async () => {
    database = await freshDatabase();
    checkpointer = await openCheckpointer(database.url);
  }, 120_000);
  afterAll(async () => {
    await checkpointer.close();
    await database.drop();
  });

  async function client(): Promise<Client> {
    const one = new Client({ connectionString: database.url });
    await one.connect();
    return one;
  }

  async function holding(threadId: string): Promise<Client> {
    const holder = await client();
    await holder.query("BEGIN");
    await holder.query("SELECT FROM perdure_threads WHERE thread_id = $1 FOR UPDATE", [threadId]);
    return holder;
  }

  it("stores a thread when it is free, however many others stay locked", async () => {
    const threads = Array.from({ length: 5 }, newThread);
    await Promise.all(threads.map((threadId) => put(checkpointer, { threadId })));
    const holders: Client[] = [];
    const puts: Promise<string>[] = [];
    for (const threadId of threads) {
      holders.push(await holding(threadId));
      puts.push(put(checkpointer, { threadId }));
    }
    await holders[4]!.query("COMMIT");
    expect(await puts[4]).toBe(
      (await checkpointer.getTuple({ configurable: { thread_id: threads[4] } }))!.checkpoint.id,
    );
    await Promise.all(holders.slice(0, 4).map((holder) => holder.query("COMMIT")));
    await Promise.all(puts);
    await Promise.all(holders.map((holder) => holder.end()));
  });

  it.each([
    ["guarded", { epoch: 0, onHead: true }, { list: [{ text: "x".repeat(300) }] }],
    ["plain, with a list", undefined, { list: [{ text: "x".repeat(300) }] }],
    ["plain, with an object", undefined, { value: { text: "x".repeat(300) } }],
  ])(
    "finds its own checkpoint when the server stores it after the connection was lost (%s)",
    async (_name, guard, values) => {
      const server = new URL(database.url);
      const sockets = new Set<Socket>();
      const upstreams = new Set<Socket>();
      let flushes = 0;
      // The server is not told that the client is gone.
      const proxy = createServer((socket) => {
        const upstream = connect(Number(server.port), server.hostname);
        sockets.add(socket);
        upstreams.add(upstream);
        for (const each of [socket, upstream]) each.on("error", () => {});
        socket.on("data", (data) => {
          if (data.includes("perdure_flush")) flushes += 1;
          upstream.write(data);
        });
        upstream.pipe(socket, { end: false });
      });
      await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
      const url = new URL(database.url);
      url.port = String((proxy.address() as AddressInfo).port);
      const behind = await openCheckpointer(url.href);
      const threadId = newThread();
      const parent = await put(behind, { threadId, guard });
      const holder = await client();
      await holder.query("BEGIN");
      await holder.query("LOCK TABLE perdure_checkpoints IN SHARE MODE");
      flushes = 0;
      const next = put(behind, { threadId, parent, guard, values });
      await expect.poll(() => flushes, { timeout: 10_000 }).toBe(1);
      for (const socket of sockets) socket.destroy();
      // It finds nothing stored, and sends the same again, while the first is still under way.
      await expect.poll(() => flushes, { timeout: 10_000 }).toBeGreaterThan(1);
      await holder.query("COMMIT");
      const id = await next;
      expect((await behind.getTuple({ configurable: { thread_id: threadId } }))!.checkpoint).toMatchObject({
        id,
        channel_values: values,
      });
      const blobs = await holder.query(
        "SELECT FROM perdure_blobs WHERE thread = (SELECT thread FROM perdure_threads WHERE thread_id = $1)",
        [threadId],
      );
      expect(blobs.rows).toHaveLength(1);
      await Promise.all([holder.end(), behind.close()]);
      proxy.close();
      for (const socket of upstreams) socket.destroy();
    },
  );

  it("stores a thread whose row others lock one after the other all the time", async () => {
    const other = await openCheckpointer(database.url);
    const one = await openCheckpointer(database.url, { statementTimeoutMs: 20_000 });
    const threadId = newThread();
    const guard = { epoch: 0, onHead: true };
    let parent = await put(one, { threadId, guard });
    let stop = false;
    const load = Array.from({ length: 6 }, async () => {
      while (!stop) await other.updateRecord(threadId, (record) => ({ ...record }));
    });
    for (let n = 0; n < 5; n += 1) parent = await put(one, { threadId, parent, guard });
    stop = true;
    await Promise.all(load);
    expect((await one.getTuple({ configurable: { thread_id: threadId } }))!.checkpoint.id).toBe(parent);
    await Promise.all([one.close(), other.close()]);
  });

  it.each([0, 1000])(
    "lists a question that was stored before the checkpoint that it belongs to (cacheThreads %i)",
    async (cacheThreads) => {
      const one = await openCheckpointer(database.url, { cacheThreads });
      const State = Annotation.Root({
        items: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
      });
      const graph = new StateGraph(State)
        .addNode("work", () => ({ items: ["x".repeat(300)] }))
        .addNode("ask", () => ({ items: [interrupt<string, string>("May I?")] }))
        .addEdge(START, "work")
        .addEdge("work", "ask")
        .addEdge("ask", END)
        .compile({ checkpointer: one });
      const threadId = newThread();
      await graph.invoke({ items: ["go"] }, { configurable: { thread_id: threadId }, durability: "async" });
      const { items } = await one.listInterrupts();
      expect(items.filter((item) => item.threadId === threadId)).toMatchObject([{ value: "May I?" }]);
      await one.close();
    },
  );
});
