/** Commits beside locks that others hold, and over connections that are lost. */
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { Client } from "pg";
import { Annotation, END, START, StateGraph, interrupt } from "@langchain/langgraph";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { newThread, put } from "../conformance/store.ts";

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

  it("finds its own checkpoint when the server stores it after the connection was lost", async () => {
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
    const guard = { epoch: 0, onHead: true };
    const parent = await put(behind, { threadId, guard });
    const holder = await client();
    await holder.query("BEGIN");
    await holder.query("LOCK TABLE perdure_checkpoints IN SHARE MODE");
    flushes = 0;
    const next = put(behind, { threadId, parent, guard, values: { list: [{ text: "x".repeat(300) }] } });
    await expect.poll(() => flushes, { timeout: 10_000 }).toBe(1);
    for (const socket of sockets) socket.destroy();
    // It finds nothing stored, and sends the same again, while the first is still under way.
    await expect.poll(() => flushes, { timeout: 10_000 }).toBeGreaterThan(1);
    await holder.query("COMMIT");
    const id = await next;
    expect((await behind.getTuple({ configurable: { thread_id: threadId } }))!.checkpoint).toMatchObject({
      id,
      channel_values: { list: [{ text: "x".repeat(300) }] },
    });
    await Promise.all([holder.end(), behind.close()]);
    proxy.close();
    for (const socket of upstreams) socket.destroy();
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
