import { setImmediate as turn } from "node:timers/promises";
import { Annotation, END, START, StateGraph, interrupt } from "@langchain/langgraph";
import type { BaseStore, LangGraphRunnableConfig } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import { createAgent, tool } from "langchain";
import type { ToolRuntime } from "langchain";
import { openStore } from "perdure/checkpoint";
import type { Store } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { startOpenAiServer } from "../support/openai-server.ts";
import type { OpenAiServer } from "../support/openai-server.ts";

const State = Annotation.Root({ user: Annotation<string>, said: Annotation<string>, known: Annotation<string[]> });

/** Tells what it knows of a user, then learns what was said; asks before it learns a secret. */
const learner = new StateGraph(State)
  .addNode("learn", async ({ user, said }, config: LangGraphRunnableConfig) => {
    const { store } = config as { readonly store: BaseStore };
    const known = await store.search(["memories", user], { limit: 100 });
    if (said.startsWith("secret")) interrupt({ may: said });
    await Promise.all([store.put(["memories", user], said, { said }), store.put(["seen"], user, { at: said })]);
    return { known: known.map(({ value }) => (value as { said: string }).said).sort() };
  })
  .addEdge(START, "learn")
  .addEdge("learn", END);

describeOnEachCheckpointer("a graph with a store", (place) => {
  let store: Store;
  let server: OpenAiServer | undefined;
  beforeEach(async () => {
    store = await openStore(place.checkpointer);
    const items = await store.search([], { limit: Number.POSITIVE_INFINITY });
    await Promise.all(items.map(({ namespace, key }) => store.delete(namespace, key)));
  });
  afterEach(async () => {
    await store.close();
    await server?.close();
    server = undefined;
  });

  const inputs = [
    { user: "ana", said: "likes pizza" },
    { user: "anabel", said: "likes rice" },
    { user: "ana", said: "hates rain" },
    { user: "ana", said: "plays chess" },
  ];
  const learned = [[], [], ["likes pizza"], ["hates rain", "likes pizza"]];

  test("remembers across threads, under a runner", async () => {
    const runner = createRunner(learner.compile({ store }), { name: "learner", checkpointer: place.checkpointer });
    const known: string[][] = [];
    for (const input of inputs) {
      const ended = await runner.start(place.newThread(), input);
      expect(ended.status).toBe("done");
      known.push(ended.values.known);
    }
    expect(known).toEqual(learned);
    expect(await store.listNamespaces()).toEqual([["memories", "ana"], ["memories", "anabel"], ["seen"]]);
  });

  test("remembers across threads, compiled plainly", async () => {
    const graph = learner.compile({ checkpointer: place.checkpointer, store });
    const known: string[][] = [];
    for (const input of inputs) {
      const values = await graph.invoke(input, { configurable: { thread_id: place.newThread() } });
      known.push(values.known);
    }
    expect(known).toEqual(learned);
  });

  test("waits with its question open, and learns when another runner resumes it", async () => {
    const thread = place.newThread();
    const options = { name: "learner", checkpointer: place.checkpointer };
    const asked = await createRunner(learner.compile({ store }), options).start(thread, {
      user: "bob",
      said: "secret",
    });
    expect(asked.status).toBe("interrupted");
    expect(await store.search(["memories", "bob"])).toEqual([]);
    await turn();
    const ended = await createRunner(learner.compile({ store }), options).resume(thread, { answer: true });
    expect(ended.status).toBe("done");
    expect((await store.get(["memories", "bob"], "secret"))?.value).toEqual({ said: "secret" });
  });

  test("that fails to store leaves the task failed, and continues when that is mended", async () => {
    const closed = await openStore(place.checkpointer);
    await closed.close();
    const thread = place.newThread();
    const options = { name: "learner", checkpointer: place.checkpointer };
    const failed = await createRunner(learner.compile({ store: closed }), options).start(thread, inputs[0]!);
    expect(failed).toMatchObject({ status: "error", error: { code: "STORE_CLOSED" } });
    const ended = await createRunner(learner.compile({ store }), options).continue(thread);
    expect(ended.status).toBe("done");
    expect(await store.search(["memories"])).toHaveLength(1);
  });

  test("serves the tools of an agent made by createAgent", async () => {
    server = await startOpenAiServer([
      { calls: [{ name: "remember", args: { fact: "likes tea" } }] },
      { text: "Noted." },
    ]);
    const remember = tool(
      async ({ fact }: { fact: string }, runtime: ToolRuntime) => {
        // LangChain takes it for a store of another kind.
        await (runtime.store as unknown as BaseStore).put(["facts"], "1", { fact });
        return "stored";
      },
      { name: "remember", description: "Remembers a fact", schema: z.object({ fact: z.string() }) },
    );
    const model = new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.baseURL } });
    const agent = createAgent({ model, tools: [remember], store });
    const runner = createRunner(agent, { name: "agent", checkpointer: place.checkpointer });
    const ended = await runner.start(place.newThread(), { messages: [{ role: "user", content: "I like tea" }] });
    expect(ended.status).toBe("done");
    expect((await store.get(["facts"], "1"))?.value).toEqual({ fact: "likes tea" });
  });
});
