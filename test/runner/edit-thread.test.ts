import { Annotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

const chain = new StateGraph(TextLog)
  .addNode("a", ({ log }) => ({ log: `a ${log.length}` }))
  .addNode("b", ({ log }) => ({ log: `b ${log.length}` }))
  .addEdge(START, "a")
  .addEdge("a", "b");

const askOnce = new StateGraph(TextLog)
  .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
  .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
  .addEdge(START, "ask")
  .addEdge("ask", "after");

/** A task that finishes at once beside one that asks. */
const halfDone = new StateGraph(
  Annotation.Root({
    log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
    paid: Annotation<number>({ reducer: (kept, added) => kept + added, default: () => 0 }),
    note: Annotation<string>(),
  }),
)
  .addNode("pay", () => ({ paid: 5 }))
  .addNode("ask", () => ({ log: [String(interrupt("sure?"))] }))
  .addNode("after", ({ paid }) => ({ log: [`paid ${paid}`] }))
  .addEdge(START, "pay")
  .addEdge(START, "ask")
  .addEdge(["pay", "ask"], "after");

describeOnEachCheckpointer("runner.history", (store) => {
  test("lists the checkpoints, newest first, with what came next and the state at each", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const done = await runner.start(thread, { log: "in" });
    const history = await collect(runner.history(thread));
    expect(history.map(({ step, source, next, values }) => [step, source, next, values.log])).toEqual([
      [2, "loop", [], ["in", "a 1", "b 2"]],
      [1, "loop", ["b"], ["in", "a 1"]],
      [0, "loop", ["a"], ["in"]],
      [-1, "input", ["__start__"], []],
    ]);
    expect(history[0]!.checkpointId).toBe(done.checkpointId);
    history.forEach(({ parentId, createdAt }, index) => {
      expect(parentId).toBe(history[index + 1]?.checkpointId);
      expect(new Date(createdAt).toISOString()).toBe(createdAt);
    });
    expect(history.at(-1)).not.toHaveProperty("parentId");
  });

  test("reads a part: at most so many, and before one", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, { log: "in" });
    const all = await collect(runner.history(thread));
    expect(await collect(runner.history(thread, { limit: 2 }))).toEqual(all.slice(0, 2));
    expect(await collect(runner.history(thread, { before: all[1]!.checkpointId }))).toEqual(all.slice(2));
    expect(await collect(runner.history(thread, { before: all[0]!.checkpointId, limit: 1 }))).toEqual([all[1]]);
  });

  test("has nothing of subgraphs in it, and nothing of a superstep that is not committed", async () => {
    const inner = askOnce.compile();
    const outer = new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner");
    const runner = createRunner(outer, { name: "outer", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, { log: "in" });
    expect((await collect(runner.history(thread))).map(({ step, next }) => [step, next])).toEqual([
      [0, ["inner"]],
      [-1, ["__start__"]],
    ]);
  });
});

describeOnEachCheckpointer("runner.fork", (store) => {
  test("makes an older checkpoint the head again; continue goes on from there, and the past stays", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, { log: "in" });
    const before = await collect(runner.history(thread));
    const beforeB = before.find(({ next }) => next[0] === "b")!;

    const forked = await runner.fork(thread, { checkpointId: beforeB.checkpointId });
    expect(forked).toMatchObject({ status: "ready", next: ["b"], values: { log: ["in", "a 1"] } });
    await runner.update(thread, { log: "changed" }, { asNode: "a" });
    const done = await runner.continue(thread);
    expect(done.values.log).toEqual(["in", "a 1", "changed", "b 3"]);

    const after = await collect(runner.history(thread));
    expect(after.map(({ source }) => source)).toEqual(["loop", "update", "fork", "loop", "loop", "loop", "input"]);
    for (const checkpoint of before) expect(after).toContainEqual(checkpoint);
  });

  test("counts the steps of its turn also when the input of the turn was pruned", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    for (const log of ["one", "two"]) await runner.start(thread, { log });
    await store.checkpointer.prune({ threadId: thread, keepNewest: 2 });
    const beforeB = (await collect(runner.history(thread))).at(-1)!;
    expect(beforeB).toMatchObject({ step: 5, next: ["b"] });
    await runner.fork(thread, { checkpointId: beforeB.checkpointId });
    expect(await runner.continue(thread, { maxSteps: 3 })).toMatchObject({ status: "done" });
  });

  test("of a done checkpoint is done", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const done = await runner.start(thread, { log: "one" });
    await runner.start(thread, { log: "two" });
    const forked = await runner.fork(thread, { checkpointId: done.checkpointId });
    expect(forked).toMatchObject({ status: "done", values: done.values });
    expect((await runner.start(thread, { log: "three" })).values.log).toEqual([
      "one",
      "a 1",
      "b 2",
      "three",
      "a 4",
      "b 5",
    ]);
  });

  test("asks a question anew, under a new id; the old one is not open any more", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    const id = asked.interrupts[0]!.id;
    await runner.resume(thread, { answer: "first" });
    await runner.fork(thread, { checkpointId: asked.checkpointId });
    const again = await runner.continue(thread);
    expect(again.interrupts[0]!.id).not.toBe(id);
    await expect(runner.resume(thread, { [id]: "second" })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
    expect((await runner.resume(thread, { answer: "second" })).values.log).toEqual(["second", "after 1"]);
  });

  test("of a fork, and two forks of one checkpoint, are branches of their own", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, { log: "in" });
    const beforeB = (await collect(runner.history(thread))).find(({ next }) => next[0] === "b")!;
    const logs: string[][] = [];
    for (const change of ["x", "y", "z"]) {
      await runner.fork(thread, { checkpointId: beforeB.checkpointId });
      await runner.update(thread, { log: change }, { asNode: "a" });
      logs.push((await runner.continue(thread)).values.log);
    }
    expect(logs).toEqual(["x", "y", "z"].map((change) => ["in", "a 1", change, "b 3"]));
  });

  test("drops an open question and a cancel, and records the question as superseded", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    await runner.cancel(thread, "wrong way");
    const input = (await collect(runner.history(thread))).at(-1)!;
    const forked = await runner.fork(thread, { checkpointId: input.checkpointId });
    expect(forked.status).toBe("ready");
    const record = await store.checkpointer.readRecord(thread);
    expect(record!.superseded.map(({ interruptIds }) => interruptIds)).toEqual([[asked.interrupts[0]!.id]]);
    expect((await runner.continue(thread)).status).toBe("interrupted");
  });

  test("an unknown checkpoint is CHECKPOINT_NOT_FOUND, and the thread stays as it was", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const done = await runner.start(thread, { log: "in" });
    for (const checkpointId of ["1ef00000-0000-6000-8000-000000000000", "nonsense"]) {
      await expect(runner.fork(thread, { checkpointId })).rejects.toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
    }
    expect(await runner.inspect(thread)).toEqual(done);
  });
});

describeOnEachCheckpointer("runner.update", (store) => {
  test("changes the state as a node would, through its reducers, and routes from that node", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, { log: "in" });
    const updated = await runner.update(thread, { log: "by hand" }, { asNode: "a" });
    expect(updated).toMatchObject({ status: "ready", next: ["b"], values: { log: ["in", "a 1", "b 2", "by hand"] } });
    expect((await runner.continue(thread)).values.log.at(-1)).toBe("b 4");
  });

  test("of a half-done superstep is refused: it would lose what the finished tasks did", async () => {
    const runner = createRunner(halfDone, { name: "half", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    const update = runner.update(thread, { note: "by phone", log: ["yes"] }, { asNode: "ask" });
    await expect(update).rejects.toMatchObject({ code: "THREAD_UNFINISHED" });
    expect(await runner.inspect(thread)).toEqual(asked);
    const done = await runner.resume(thread, { answer: "yes" });
    expect(done).toMatchObject({ status: "done", values: { paid: 5, log: ["yes", "paid 5"] } });
  });

  test("H7: while a question is open, without saying as which node, is refused and drops nothing", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    await expect(runner.update(thread, { log: "by phone" })).rejects.toMatchObject({ code: "THREAD_INTERRUPTED" });
    expect(await runner.inspect(thread)).toEqual(asked);
  });

  test("in place of a question drops it", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    const updated = await runner.update(thread, { log: "by phone" }, { asNode: "ask" });
    expect(updated).toMatchObject({ status: "ready", next: ["after"], interrupts: [] });
    expect((await runner.continue(thread)).values.log).toEqual(["by phone", "after 1"]);
    await expect(runner.resume(thread, { [asked.interrupts[0]!.id]: "late" })).rejects.toMatchObject({
      code: "INTERRUPT_NOT_OPEN",
    });
    expect((await store.checkpointer.readRecord(thread))!.superseded).toHaveLength(1);
  });

  test("begins a thread that was not there", async () => {
    const runner = createRunner(chain, { name: "chain", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const made = await runner.update(thread, { log: "made" }, { asNode: "a" });
    expect(made).toMatchObject({ status: "ready", next: ["b"], values: { log: ["made"] } });
    expect((await runner.continue(thread)).values.log).toEqual(["made", "b 1"]);
  });
});

describe("runner.update", () => {
  test("without asNode counts as made by the last node that ran", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.start("t", {});
    await runner.resume("t", { answer: "x" });
    expect(await runner.update("t", { log: "y" })).toMatchObject({
      status: "done",
      values: { log: ["x", "after 1", "y"] },
    });
  });

  test("as a node that is none, or with what no node may return, is refused and changes nothing", async () => {
    const { runner } = await memoryRunner(chain);
    const done = await runner.start("t", { log: "in" });
    const invalid = { code: "OPTIONS_INVALID" };
    await expect(runner.update("t", { log: "x" }, { asNode: "c" as never })).rejects.toMatchObject(invalid);
    await expect(runner.update("t", "text" as never, { asNode: "a" })).rejects.toMatchObject(invalid);
    expect(await runner.inspect("t")).toEqual(done);
  });

  test("where it is not clear which node ran last is refused", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("left", () => ({ log: "left" }))
      .addNode("right", () => ({ log: "right" }))
      .addEdge(START, "left")
      .addEdge(START, "right");
    const { runner } = await memoryRunner(graph);
    const done = await runner.start("t", {});
    await expect(runner.update("t", { log: "x" })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    expect(await runner.inspect("t")).toEqual(done);
  });

  test("keeps signals that wait, and the limit of the run", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => ({ log: await waitForSignal("go", z.string()) }))
      .addNode("again", async () => ({ log: await waitForSignal("go", z.string()) }))
      .addEdge(START, "wait")
      .addEdge("wait", "again");
    const { runner } = await memoryRunner(graph);
    await runner.signal("t", { name: "other", payload: "x" });
    await runner.start("t", {}, { maxSteps: 1 });
    await runner.update("t", { log: "by hand" }, { asNode: "wait" });
    await runner.signal("t", { name: "go", payload: "now" }).catch(() => {});
    await expect(runner.continue("t")).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
    expect((await runner.continue("t", { maxSteps: 5 })).values.log).toEqual(["by hand", "now"]);
  });

  test("sends tasks as its node would", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("split", () => ({}))
      .addNode("work", (name: string) => ({ log: name }))
      .addEdge(START, "split")
      .addConditionalEdges("split", ({ log }) => log.map((name) => new Send("work", name)));
    const { runner } = await memoryRunner(graph);
    const made = await runner.update("t", { log: ["x", "y"] }, { asNode: "split" });
    expect(made.next).toEqual(["work", "work"]);
    expect((await runner.continue("t")).values.log).toEqual(["x", "y", "x", "y"]);
  });
});
