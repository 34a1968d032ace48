import { Command, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import type { ThreadState } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** Asks each of `names` in a task of its own. */
const askAll = (names: readonly string[]) =>
  new StateGraph(TextLog)
    .addNode("ask", (name: string) => ({ log: `${name} ${String(interrupt(name))}` }))
    .addConditionalEdges(START, () => names.map((name) => new Send("ask", name)))
    .compile();

const wrap = (inner: object) =>
  new StateGraph(TextLog)
    .addNode("inner", inner as ReturnType<typeof askAll>)
    .addEdge(START, "inner")
    .compile();

const values = ({ interrupts }: Pick<ThreadState, "interrupts">) =>
  interrupts.map(({ value }) => String(value)).toSorted();

function question(state: Pick<ThreadState, "interrupts">, value: unknown): string {
  const found = state.interrupts.filter((one) => one.value === value);
  expect(found).toHaveLength(1);
  return found[0]!.id;
}

describeOnEachCheckpointer("questions of a subgraph", (store) => {
  test("side by side: each is listed with its namespace, answered for itself, and asks nobody again", async () => {
    const runner = createRunner(wrap(askAll(["a", "b", "c"])), { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    expect(values(asked)).toEqual(["a", "b", "c"]);
    for (const { node, namespace } of asked.interrupts)
      expect([node, namespace!.split(":")[0]]).toEqual(["inner", "inner"]);
    await expect(runner.resume(thread, { answer: 1 })).rejects.toMatchObject({ code: "INTERRUPT_AMBIGUOUS" });

    const one = await runner.resume(thread, { [question(asked, "b")]: 2 });
    expect(values(one)).toEqual(["a", "c"]);
    expect(await runner.continue(thread)).toEqual(one);
    expect(await runner.resume(thread, { [question(asked, "b")]: 2 })).toEqual(one);
    await expect(runner.resume(thread, { [question(asked, "b")]: 3 })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
    const done = await runner.resume(thread, { [question(asked, "c")]: 3, [question(asked, "a")]: 1 });
    expect(done).toMatchObject({ status: "done", values: { log: ["a 1", "b 2", "c 3"] } });
  });

  test("two deep, and one after the other in one node", async () => {
    const twice = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: [String(interrupt("first")), String(interrupt("second"))] }))
      .addEdge(START, "ask")
      .compile();
    const graph = wrap(wrap(twice));
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const first = await runner.start(thread, {});
    expect(first.interrupts).toMatchObject([{ value: "first", node: "inner" }]);
    expect(first.interrupts[0]!.namespace!.split("|")).toHaveLength(2);
    const second = await runner.resume(thread, { answer: 1 });
    expect(second.interrupts).toMatchObject([{ value: "second" }]);
    expect(second.interrupts[0]!.id).not.toBe(first.interrupts[0]!.id);
    expect(await runner.resume(thread, { [question(first, "first")]: 1 })).toEqual(second);
    expect(await runner.resume(thread, { answer: 2 })).toMatchObject({ status: "done", values: { log: ["1", "2"] } });
  });

  test("of several subgraphs side by side, each in a task of its own", async () => {
    const inner = askAll(["x", "y"]);
    const graph = new StateGraph(TextLog)
      .addNode("inner", inner)
      .addConditionalEdges(START, () => [1, 2].map((n) => new Send("inner", { log: [`from ${n}`] })));
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    expect(values(asked)).toEqual(["x", "x", "y", "y"]);
    expect(new Set(asked.interrupts.map(({ id }) => id)).size).toBe(4);
    const answers = Object.fromEntries(
      asked.interrupts.map(({ id, value }, index) => [id, `${String(value)}${index}`]),
    );
    for (const [id, answer] of Object.entries(answers)) await runner.resume(thread, { [id]: answer });
    const done = await runner.inspect(thread);
    expect(done.status).toBe("done");
    expect(done.values.log.filter((line) => !line.startsWith("from"))).toHaveLength(4);
  });

  test("of one that a node's function calls, which is not seen in the graph", async () => {
    const inner = askAll(["a", "b"]);
    let calls = 0;
    const graph = new StateGraph(TextLog)
      .addNode("call", async () => {
        calls += 1;
        const { log } = await inner.invoke({});
        return { log: [...log, String(interrupt("own"))] };
      })
      .addEdge(START, "call");
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    expect(values(asked)).toEqual(["a", "b"]);
    await runner.resume(thread, { [question(asked, "b")]: 2 });
    const own = await runner.resume(thread, { [question(asked, "a")]: 1 });
    expect(own.interrupts).toMatchObject([{ value: "own", node: "call" }]);
    const done = await runner.resume(thread, { answer: 3 });
    expect(done).toMatchObject({ status: "done", values: { log: ["a 1", "b 2", "3"] } });
    expect(calls).toBe(4);
  });

  test("of one with a memory of its own, over several turns", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("ask", ({ log }) => ({ log: `told ${String(interrupt(`after ${log.length}`))}` }))
      .addEdge(START, "ask")
      .compile({ checkpointer: true });
    const graph = new StateGraph(TextLog)
      .addNode("call", async (_state, config) => ({ log: (await inner.invoke({ log: "in" }, config)).log.join(", ") }))
      .addEdge(START, "call");
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const ids = new Set<string>();
    for (const turn of [1, 2]) {
      const asked = await runner.start(thread, {});
      expect(asked.interrupts).toMatchObject([{ value: `after ${turn * 2 - 1}` }]);
      ids.add(asked.interrupts[0]!.id);
      const done = await runner.resume(thread, { answer: turn });
      expect(done.status).toBe("done");
    }
    expect((await runner.inspect(thread)).values.log).toEqual(["in, told 1", "in, told 1, in, told 2"]);
    expect(ids.size).toBe(2);
  });

  test("of one with a memory of its own, whose turn is begun by one call and driven by others", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("ask", ({ log }) => ({ log: `told ${String(interrupt(`after ${log.length}`))}` }))
      .addEdge(START, "ask")
      .compile({ checkpointer: true });
    const graph = new StateGraph(TextLog)
      .addNode("call", async ({ log }, config) => ({
        log: (await inner.invoke({ log: `in ${log.length}` }, config)).log.join(", "),
      }))
      .addEdge(START, "call");
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    for (const turn of [1, 2, 3]) {
      const begun = await runner.start(thread, {}, { drive: false });
      const asked = await runner.step(thread, { tasks: begun.tasks.map(({ id }) => id) });
      expect(asked.interrupts).toMatchObject([{ value: `after ${turn * 2 - 1}` }]);
      expect(await runner.continue(thread)).toEqual(asked);
      await runner.resume(thread, { answer: turn }, { drive: false });
      expect((await runner.continue(thread)).status).toBe("done");
    }
    const last = (await runner.inspect(thread)).values.log.at(-1);
    expect(last).toBe("in 0, told 1, in 1, told 2, in 2, told 3");
  });

  test("a subgraph that loops asks under a new id each round, and keeps what it did", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("ask", ({ log }) => ({ log: String(interrupt(`round ${log.length}`)) }))
      .addEdge(START, "ask")
      .addConditionalEdges("ask", ({ log }) => (log.length < 3 ? "ask" : "__end__"))
      .compile();
    const runner = createRunner(wrap(inner), { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    let state = await runner.start(thread, {});
    const seen: unknown[] = [];
    while (state.status === "interrupted") {
      expect(state.interrupts).toHaveLength(1);
      seen.push(state.interrupts[0]!.value);
      state = await runner.resume(thread, { answer: "x" });
    }
    expect(seen).toEqual(["round 0", "round 1", "round 2"]);
    expect(state.values.log).toEqual(["x", "x", "x"]);
  });
});

describe("a subgraph", () => {
  test("waits for a signal like the root", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("wait", async () => ({ log: await waitForSignal("go", z.string()) }))
      .addEdge(START, "wait")
      .compile();
    const { runner } = await memoryRunner(wrap(inner));
    expect((await runner.start("t", {})).interrupts).toMatchObject([{ kind: "signal", node: "inner" }]);
    expect(await runner.signal("t", { name: "go", payload: "now" })).toMatchObject({
      status: "done",
      values: { log: ["now"] },
    });
  });

  test("runs again only what it had not finished, when it fails", async () => {
    const runs: string[] = [];
    let broken = true;
    const inner = new StateGraph(TextLog)
      .addNode("first", () => {
        runs.push("first");
        return { log: "first" };
      })
      .addNode("second", () => {
        runs.push("second");
        if (broken) throw new Error("no");
        return { log: "second" };
      })
      .addEdge(START, "first")
      .addEdge("first", "second")
      .compile();
    const { runner } = await memoryRunner(wrap(inner));
    expect(await runner.start("t", {})).toMatchObject({ status: "error", error: { node: "inner", message: "no" } });
    broken = false;
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["first", "second"] } });
    expect(runs).toEqual(["first", "second", "second"]);
  });

  test("goes to a node of its parent by Command.PARENT", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("leave", () => new Command({ graph: Command.PARENT, goto: "other", update: { log: "left" } }))
      .addEdge(START, "leave")
      .compile();
    const outer = new StateGraph(TextLog)
      .addNode("inner", inner, { ends: ["other"] })
      .addNode("other", () => ({ log: "arrived" }))
      .addEdge(START, "inner");
    const { runner } = await memoryRunner(outer);
    expect(await runner.start("t", {})).toMatchObject({ status: "done", values: { log: ["left", "arrived"] } });
  });

  test("goes to its parent after an answer too", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("leave", () => {
        const goto = String(interrupt("where to?"));
        return new Command({ graph: Command.PARENT, goto, update: { log: "left" } });
      })
      .addEdge(START, "leave")
      .compile();
    const outer = new StateGraph(TextLog)
      .addNode("inner", inner, { ends: ["other"] })
      .addNode("other", () => ({ log: "arrived" }))
      .addEdge(START, "inner");
    const { runner } = await memoryRunner(outer);
    await runner.start("t", {});
    expect(await runner.resume("t", { answer: "other" })).toMatchObject({
      status: "done",
      values: { log: ["left", "arrived"] },
    });
  });

  test("a failed task and an open question beside each other: the question is listed, the failure runs again", async () => {
    let broken = true;
    const bad = new StateGraph(TextLog)
      .addNode("bad", () => {
        if (broken) throw new Error("no");
        return { log: "mended" };
      })
      .addEdge(START, "bad")
      .compile();
    const outer = new StateGraph(TextLog)
      .addNode("asking", askAll(["a"]))
      .addNode("bad", bad)
      .addEdge(START, "asking")
      .addEdge(START, "bad");
    const { runner } = await memoryRunner(outer);
    const failed = await runner.start("t", {});
    expect(failed).toMatchObject({ status: "error", error: { node: "bad" }, interrupts: [{ value: "a" }] });
    // the answer is taken, and what failed is not run again by it
    const answered = await runner.resume("t", { answer: 1 });
    expect(answered).toMatchObject({ status: "error", interrupts: [], values: { log: ["a 1"] } });
    broken = false;
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["a 1", "mended"] } });
  });

  test("both a failure and a question below one node: the failure is shown, and the question comes back", async () => {
    let broken = true;
    const inner = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: `told ${String(interrupt("sure?"))}` }))
      .addNode("bad", () => {
        if (broken) throw new Error("no");
        return { log: "mended" };
      })
      .addEdge(START, "ask")
      .addEdge(START, "bad")
      .compile();
    const { runner } = await memoryRunner(wrap(inner));
    const failed = await runner.start("t", {});
    expect(failed.status).toBe("error");
    broken = false;
    const asked = await runner.continue("t");
    expect(asked).toMatchObject({ status: "interrupted", interrupts: [{ value: "sure?" }] });
    expect(await runner.resume("t", { answer: "yes" })).toMatchObject({ status: "done" });
    expect((await runner.inspect("t")).values.log.toSorted()).toEqual(["mended", "told yes"]);
  });

  test("that keeps no checkpoints can't ask: its node fails and says why, and the thread does not ask for ever", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
      .addEdge(START, "ask")
      .compile({ checkpointer: false });
    const { runner } = await memoryRunner(wrap(inner));
    await runner.start("t", {});
    const failed = await runner.resume("t", { answer: "yes" });
    expect(failed).toMatchObject({
      status: "error",
      interrupts: [],
      error: { node: "inner", message: expect.stringContaining("GRAPH_UNSUPPORTED") as string },
    });
    expect(await runner.continue("t")).toEqual(failed);
  });
});
