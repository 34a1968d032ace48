import { randomUUID } from "node:crypto";
import { Annotation, DeltaChannel, START, StateGraph, interrupt } from "@langchain/langgraph";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import type { ChannelVersions } from "@langchain/langgraph-checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import { once } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { expect, it } from "vitest";
import { collect } from "../../support/collect.ts";
import { describeOnEachStore, unreachableRows } from "./stores.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const append = (all: string[], added: string[]): string[] => [...all, ...added];

/** Asks after its first step, and has a subgraph that asks too. */
function askingGraph(ask: "root" | "subgraph" | "nobody") {
  const State = Annotation.Root({
    log: Annotation<string[]>({ reducer: append, default: () => [] }),
  });
  const inner = new StateGraph(State)
    .addNode("first", () => ({ log: ["inner first"] }))
    .addNode("ask", () => ({ log: [ask === "subgraph" ? String(interrupt("inside?")) : "not asked"] }))
    .addEdge(START, "first")
    .addEdge("first", "ask")
    .compile();
  return new StateGraph(State)
    .addNode("work", () => ({ log: ["work"] }))
    .addNode("inner", inner)
    .addNode("ask", () => ({ log: [ask === "root" ? String(interrupt("sure?")) : "not asked"] }))
    .addNode("end", () => ({ log: ["end"] }))
    .addEdge(START, "work")
    .addEdge("work", "inner")
    .addEdge("inner", "ask")
    .addEdge("ask", "end");
}

describeOnEachStore("prune", (store) => {
  const newThread = (): string => `thread-${randomUUID()}`;
  const idsOf = async (threadId: string, ns?: string): Promise<string[]> => {
    const configurable = { thread_id: threadId, ...(ns === undefined ? {} : { checkpoint_ns: ns }) };
    return (await collect(store.checkpointer.list({ configurable }))).map(({ checkpoint }) => checkpoint.id);
  };

  it("keepNewest leaves the newest checkpoints of a finished thread, and the thread goes on in a process that knew it", async () => {
    const { checkpointer } = store;
    const threadId = newThread();
    const runner = createRunner(askingGraph("nobody"), { name: "pruned", checkpointer });
    await runner.start(threadId, { log: ["one"] });
    await runner.start(threadId, { log: ["two"] });
    const before = await idsOf(threadId, "");
    const all = (await idsOf(threadId)).length;
    const removed = await checkpointer.prune({ threadId, keepNewest: 2 });
    expect(await idsOf(threadId, "")).toEqual(before.slice(0, 2));
    expect(removed).toEqual({ threads: 0, checkpoints: all - (await idsOf(threadId)).length });
    expect(await unreachableRows(store, threadId)).toBe(0);
    const state = await runner.start(threadId, { log: ["three"] });
    const twin = newThread();
    for (const line of ["one", "two"]) await runner.start(twin, { log: [line] });
    expect(state.values).toEqual((await runner.start(twin, { log: ["three"] })).values);
    expect(
      (
        await createRunner(askingGraph("nobody"), { name: "pruned", checkpointer: await store.again() }).inspect(
          threadId,
        )
      ).values,
    ).toEqual(state.values);
  });

  it.each(["root", "subgraph"] as const)(
    "leaves a question of the %s open, and what runs after its answer",
    async (ask) => {
      const threadId = newThread();
      const runner = createRunner(askingGraph(ask), { name: "pruned", checkpointer: store.checkpointer });
      await runner.start(threadId, { log: ["in"] });
      const asked = await runner.inspect(threadId);
      expect(asked.status).toBe("interrupted");
      await store.checkpointer.prune({ threadId, keepNewest: 1 });
      expect(await runner.inspect(threadId)).toEqual(asked);
      const done = await runner.resume(threadId, { answer: "yes" });
      expect(done).toMatchObject({ status: "done" });
      expect(done.values.log).toContain("yes");
      expect(done.values.log.filter((line) => line === "inner first")).toHaveLength(1);
    },
  );

  it("leaves a breakpoint after a node where it is", async () => {
    const threadId = newThread();
    const graph = askingGraph("nobody").compile({ interruptAfter: ["work"] });
    const runner = createRunner(graph, { name: "pruned", checkpointer: store.checkpointer });
    const stopped = await runner.start(threadId, { log: [] });
    expect(stopped).toMatchObject({ status: "interrupted", interrupts: [{ kind: "breakpoint" }] });
    await store.checkpointer.prune({ threadId, keepNewest: 1 });
    expect(await runner.inspect(threadId)).toEqual(stopped);
  });

  it("keeps what LangGraph's DeltaChannel needs, also after an update of the state", async () => {
    const { checkpointer } = store;
    const State = Annotation.Root({
      log: () =>
        new DeltaChannel<string[], string[]>((all, writes) => [...all, ...writes.flat()], { snapshotFrequency: 4 }),
    });
    const graph = new StateGraph(State)
      .addNode("work", () => ({ log: ["work"] }))
      .addEdge(START, "work")
      .compile({ checkpointer });
    const config = { configurable: { thread_id: newThread() } };
    for (let turn = 0; turn < 9; turn += 1) {
      await graph.invoke({ log: [`turn ${turn}`] }, config);
      if (turn % 3 === 1) await graph.updateState(config, { log: ["updated"] }, "work");
      const { values } = await graph.getState(config);
      await checkpointer.prune({ threadId: config.configurable.thread_id, keepNewest: 1 });
      expect((await graph.getState(config)).values).toEqual(values);
    }
    const { values } = await graph.getState(config);
    expect(values.log).toHaveLength(9 * 2 + 3);
    expect((await idsOf(config.configurable.thread_id)).length).toBeLessThan(20);
  });

  it("keeps the parent's name where the parent is gone", async () => {
    const { checkpointer } = store;
    const threadId = newThread();
    await createRunner(askingGraph("nobody"), { name: "pruned", checkpointer }).start(threadId, { log: [] });
    const config = { configurable: { thread_id: threadId } };
    const head = await checkpointer.getTuple(config);
    await checkpointer.prune({ threadId, keepNewest: 1 });
    const kept = await checkpointer.getTuple(config);
    expect(kept?.parentConfig).toEqual(head?.parentConfig);
    expect(await checkpointer.getTuple(kept?.parentConfig ?? {})).toBeUndefined();
  });

  it("a process that goes on from a checkpoint that another one has pruned stores again what is gone", async () => {
    const thread_id = newThread();
    const other = await store.again();
    const put = async (by: Checkpointer, parent: string | undefined, list: unknown[], newVersions: ChannelVersions) => {
      const id = uuid6(0);
      await by.put(
        { configurable: { thread_id, checkpoint_ns: "", ...(parent === undefined ? {} : { checkpoint_id: parent }) } },
        {
          ...emptyCheckpoint(),
          id,
          channel_values: { text: "t".repeat(500), list },
          channel_versions: { text: 1, list: list.length },
        },
        { source: "loop", step: 0, parents: {} },
        newVersions,
      );
      return id;
    };
    const list = [{ item: "x".repeat(300) }, { item: 2 }, { item: 3 }];
    const first = await put(store.checkpointer, undefined, list.slice(0, 1), { text: 1, list: 1 });
    const left = await put(store.checkpointer, first, list.slice(0, 2), { list: 2 });
    await put(other, undefined, [], { text: 1, list: 0 });
    await other.prune({ threadId: thread_id, keepNewest: 1 });
    expect(await store.checkpointer.getTuple({ configurable: { thread_id, checkpoint_id: left } })).toBeUndefined();
    await put(store.checkpointer, left, list, { list: 3 });
    const head = await (await store.again()).getTuple({ configurable: { thread_id } });
    expect(head?.checkpoint.channel_values).toEqual({ text: "t".repeat(500), list });
    expect(await unreachableRows(store, thread_id)).toBe(0);
  });

  it("keeps answers: a late one to a question that is pruned is refused, the same one again is not", async () => {
    const threadId = newThread();
    const runner = createRunner(askingGraph("root"), { name: "pruned", checkpointer: store.checkpointer });
    const asked = await runner.start(threadId, { log: [] });
    const [question] = asked.status === "interrupted" ? asked.interrupts : [];
    const id = question?.id as string;
    await runner.resume(threadId, { [id]: "yes" });
    await runner.start(threadId, { log: [] }).catch(() => {});
    await store.checkpointer.prune({ threadId, keepNewest: 1 });
    await expect(runner.resume(threadId, { [id]: "no" })).rejects.toMatchObject({ code: "INTERRUPT_ALREADY_ANSWERED" });
    await runner.resume(threadId, { [id]: "yes" });
  });

  it("keeps what once.tx did in a task that is not done, and forgets it of those that are gone", async ({ skip }) => {
    if (store.query === undefined) skip();
    const State = Annotation.Root({ n: Annotation<number> });
    let effects = 0;
    const graph = new StateGraph(State)
      .addNode("pay", async () => ({ n: await once.tx("pay", async () => (effects += 1)) }))
      .addNode("ask", async () => {
        const n = await once.tx("fee", async () => (effects += 1));
        interrupt("sure?");
        return { n };
      })
      .addEdge(START, "pay")
      .addEdge("pay", "ask");
    const threadId = newThread();
    const runner = createRunner(graph, { name: "pays", checkpointer: store.checkpointer });
    await runner.start(threadId, { n: 0 });
    const keys = async () =>
      (await store.query?.("SELECT key FROM perdure_once WHERE thread_id = $1 ORDER BY key", [threadId]))?.map(
        ({ key }) => key,
      );
    expect(await keys()).toEqual(["fee", "pay"]);
    await store.checkpointer.prune({ threadId, keepNewest: 1 });
    // The checkpoint before the question stays as well.
    expect(await keys()).toEqual(["fee", "pay"]);
    expect((await runner.resume(threadId, { answer: "yes" })).values).toEqual({ n: 2 });
    expect(effects).toBe(2);
    await store.checkpointer.prune({ threadId, keepNewest: 1 });
    expect(await keys()).toEqual([]);
  });

  it("an age deletes finished threads that are older, and leaves those that are not done until it is told otherwise", async () => {
    const { checkpointer } = store;
    const [done, asking] = [newThread(), newThread()];
    await createRunner(askingGraph("nobody"), { name: "pruned", checkpointer }).start(done, { log: [] });
    await createRunner(askingGraph("root"), { name: "pruned", checkpointer }).start(asking, { log: [] });
    const checkpoints = (await idsOf(done)).length;
    expect(await checkpointer.prune({ threadId: done, olderThanMs: DAY_MS })).toEqual({ threads: 0, checkpoints: 0 });
    const soon = new Date(Date.now() + DAY_MS);
    expect(await checkpointer.prune({ threadId: done, before: soon })).toEqual({ threads: 1, checkpoints });
    expect(await checkpointer.readRecord(done)).toBeUndefined();
    expect(await idsOf(done)).toEqual([]);
    expect(await checkpointer.prune({ threadId: asking, before: soon })).toEqual({ threads: 0, checkpoints: 0 });
    expect(await checkpointer.prune({ threadId: asking, before: soon, finishedOnly: false })).toMatchObject({
      threads: 1,
    });
    expect(await idsOf(asking)).toEqual([]);
  });

  it("finishedOnly trims no thread that is not done", async () => {
    const { checkpointer } = store;
    const threadId = newThread();
    const runner = createRunner(askingGraph("root"), { name: "pruned", checkpointer });
    await runner.start(threadId, { log: [] });
    const before = await idsOf(threadId);
    expect(await checkpointer.prune({ threadId, keepNewest: 1, finishedOnly: true })).toEqual({
      threads: 0,
      checkpoints: 0,
    });
    expect(await idsOf(threadId)).toEqual(before);
    await runner.resume(threadId, { answer: "yes" });
    expect((await checkpointer.prune({ threadId, keepNewest: 1, finishedOnly: true })).checkpoints).toBeGreaterThan(0);
    expect(await idsOf(threadId)).toHaveLength(1);
  });

  it("does not delete a thread that somebody drives", async () => {
    const { checkpointer } = store;
    const threadId = newThread();
    await createRunner(askingGraph("nobody"), { name: "pruned", checkpointer }).start(threadId, { log: [] });
    const lock = await checkpointer.lockThread(threadId, { mode: "exclusive", wait: false });
    const soon = new Date(Date.now() + DAY_MS);
    expect(await checkpointer.prune({ threadId, before: soon })).toEqual({ threads: 0, checkpoints: 0 });
    await lock?.release();
    expect(await checkpointer.prune({ threadId, before: soon })).toMatchObject({ threads: 1 });
  });

  it("without a threadId goes through all threads", async () => {
    const { checkpointer } = store;
    const threads = Array.from({ length: 4 }, newThread);
    for (const threadId of threads)
      await createRunner(askingGraph("nobody"), { name: "pruned", checkpointer }).start(threadId, { log: [] });
    await checkpointer.prune({ keepNewest: 1 });
    for (const threadId of threads) expect(await idsOf(threadId)).toHaveLength(1);
    await checkpointer.prune({ before: new Date(Date.now() + DAY_MS) });
    for (const threadId of threads) expect(await idsOf(threadId)).toEqual([]);
  });

  it.each([
    {},
    { threadId: "t" },
    { finishedOnly: true },
    { keepNewest: 0 },
    { keepNewest: 1.5 },
    { olderThanMs: -1 },
    { before: "yesterday" },
    { before: new Date(), olderThanMs: 1 },
    { keep: 3 },
  ])("%j is refused with OPTIONS_INVALID", async (options) => {
    const pruning = store.checkpointer.prune(options as never);
    await expect(pruning).rejects.toSatisfy((error: unknown) => isPerdureError(error, "OPTIONS_INVALID"));
  });

  it.each([
    [undefined, "needs `keepNewest`, `olderThanMs` or `before`"],
    [{}, "needs `keepNewest`, `olderThanMs` or `before`"],
    [{ before: new Date("x") }, "`before` can't be an invalid Date: must be a valid Date"],
    [{ before: 5 }, "`before` can't be 5: must be a valid Date"],
  ])("says of %j what is wrong", async (options, message) => {
    await expect(store.checkpointer.prune(options as never)).rejects.toThrow(message);
  });
});
