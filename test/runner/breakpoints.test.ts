import { START, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

const chain = new StateGraph(TextLog)
  .addNode("a", () => ({ log: "a" }))
  .addNode("b", () => ({ log: "b" }))
  .addNode("c", () => ({ log: "c" }))
  .addEdge(START, "a")
  .addEdge("a", "b")
  .addEdge("b", "c");

const parallel = new StateGraph(TextLog)
  .addNode("left", () => ({ log: "left" }))
  .addNode("right", () => ({ log: "right" }))
  .addNode("after", () => ({ log: "after" }))
  .addEdge(START, "left")
  .addEdge(START, "right")
  .addEdge(["left", "right"], "after");

describe("a breakpoint", () => {
  test("before a node is one open question, of kind breakpoint, and any answer passes it", async () => {
    const { runner } = await memoryRunner(chain.compile({ interruptBefore: ["b"] }));
    const stopped = await runner.start("t", {});
    expect(stopped).toMatchObject({
      status: "interrupted",
      next: ["b"],
      tasks: [],
      interrupts: [{ kind: "breakpoint", node: "b", value: { before: ["b"] } }],
      values: { log: ["a"] },
    });
    expect(await runner.resume("t", { answer: false })).toMatchObject({
      status: "done",
      values: { log: ["a", "b", "c"] },
    });
  });

  test("after a node stops once that is committed", async () => {
    const { runner } = await memoryRunner(chain.compile({ interruptAfter: ["a"] }));
    const stopped = await runner.start("t", {});
    expect(stopped).toMatchObject({
      status: "interrupted",
      next: ["b"],
      interrupts: [{ kind: "breakpoint", node: "a", value: { after: ["a"] } }],
      values: { log: ["a"] },
    });
    expect((await runner.resume("t", { answer: true })).status).toBe("done");
  });

  test("before the first node stops before anything has run", async () => {
    const { runner } = await memoryRunner(chain.compile({ interruptBefore: ["a"] }));
    expect(await runner.start("t", {})).toMatchObject({ status: "interrupted", next: ["a"], values: { log: [] } });
    expect((await runner.resume("t", { answer: true })).status).toBe("done");
  });

  test("after the last node there is nothing to stop for", async () => {
    const { runner } = await memoryRunner(chain.compile({ interruptAfter: ["c"] }));
    expect((await runner.start("t", {})).status).toBe("done");
  });

  test.each(["interruptBefore", "interruptAfter"] as const)('%s: "*" stops at every node, once', async (where) => {
    const { runner } = await memoryRunner(chain.compile({ [where]: "*" }));
    const stops: string[] = [];
    let state = await runner.start("t", {});
    while (state.status === "interrupted") {
      stops.push(state.next.join());
      state = await runner.resume("t", { answer: true });
    }
    expect(stops).toEqual(where === "interruptBefore" ? ["a", "b", "c"] : ["b", "c"]);
    expect(state).toMatchObject({ status: "done", values: { log: ["a", "b", "c"] } });
  });

  test("before several tasks of a superstep is one question for all of them", async () => {
    const { runner } = await memoryRunner(parallel.compile({ interruptBefore: ["left", "right"] }));
    const stopped = await runner.start("t", {});
    expect(stopped.interrupts).toMatchObject([{ kind: "breakpoint", value: { before: ["left", "right"] } }]);
    expect(await runner.resume("t", { answer: true })).toMatchObject({ status: "done" });
  });

  test("before one of several tasks holds all of the superstep, as LangGraph does", async () => {
    const { runner } = await memoryRunner(parallel.compile({ interruptBefore: ["right"] }));
    expect(await runner.start("t", {})).toMatchObject({ next: ["left", "right"], tasks: [], values: { log: [] } });
    const done = await runner.resume("t", { answer: true });
    expect(done.values.log).toEqual(["left", "right", "after"]);
  });

  test("is met in each turn and in each round of a loop", async () => {
    const loop = new StateGraph(TextLog)
      .addNode("round", () => ({ log: "round" }))
      .addEdge(START, "round")
      .addConditionalEdges("round", ({ log }) => (log.length % 3 === 0 ? "__end__" : "round"));
    const { runner } = await memoryRunner(loop.compile({ interruptBefore: ["round"] }));
    const ids = new Set<string>();
    for (let turn = 0; turn < 2; turn += 1) {
      let state = await runner.start("t", {});
      while (state.status === "interrupted") {
        ids.add(state.interrupts[0]!.id);
        state = await runner.resume("t", { answer: true });
      }
    }
    expect(ids.size).toBe(6);
  });

  test("continue and step do not pass it; an answer that is wrong or late is refused as any other", async () => {
    const { runner } = await memoryRunner(chain.compile({ interruptBefore: ["b"] }));
    const stopped = await runner.start("t", {});
    expect(await runner.continue("t")).toEqual(stopped);
    expect(await runner.step("t", { tasks: [] })).toEqual(stopped);
    await expect(runner.start("t", {})).rejects.toMatchObject({ code: "THREAD_INTERRUPTED" });
    await runner.resume("t", { [stopped.interrupts[0]!.id]: true });
    await expect(runner.resume("t", { [stopped.interrupts[0]!.id]: false })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
  });

  test("is not met again by a task that failed or asked after it", async () => {
    let broken = true;
    const graph = new StateGraph(TextLog)
      .addNode("a", () => {
        if (broken) throw new Error("no");
        return { log: String(interrupt("sure?")) };
      })
      .addEdge(START, "a")
      .compile({ interruptBefore: ["a"] });
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    expect((await runner.resume("t", { answer: true })).status).toBe("error");
    broken = false;
    expect((await runner.continue("t")).interrupts).toMatchObject([{ kind: "input", value: "sure?" }]);
    expect((await runner.resume("t", { answer: "yes" })).status).toBe("done");
  });

  test("the state can be changed at it: update goes on from there", async () => {
    const { runner } = await memoryRunner(chain.compile({ interruptBefore: ["c"] }));
    await runner.start("t", {});
    const updated = await runner.update("t", { log: "by hand" }, { asNode: "b" });
    expect(updated).toMatchObject({ status: "interrupted", next: ["c"], values: { log: ["a", "b", "by hand"] } });
    expect((await runner.resume("t", { answer: true })).values.log).toEqual(["a", "b", "by hand", "c"]);
  });

  test("inside of a subgraph stops the thread, and is passed as one of the root", async () => {
    const inner = chain.compile({ interruptBefore: ["b"], interruptAfter: ["b"] });
    const middle = new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner").compile();
    const outer = new StateGraph(TextLog)
      .addNode("middle", middle)
      .addNode("called", async (state) => ({ log: (await inner.invoke({ log: state.log.length.toString() })).log }))
      .addEdge(START, "middle")
      .addEdge("middle", "called");
    const { runner } = await memoryRunner(outer);
    let state = await runner.start("t", {});
    const stops: string[] = [];
    const ids = new Set<string>();
    while (state.status === "interrupted") {
      expect(state.interrupts).toMatchObject([{ kind: "breakpoint", value: { inside: state.next } }]);
      expect(await runner.continue("t")).toEqual(state); // nothing but an answer passes it
      stops.push(state.next.join());
      ids.add(state.interrupts[0]!.id);
      state = await runner.resume("t", { answer: true });
    }
    expect(stops).toEqual(["middle", "middle", "called", "called"]);
    expect(ids.size).toBe(4);
    expect(state).toMatchObject({ status: "done", values: { log: ["a", "b", "c", "3", "a", "b", "c"] } });
  });

  test("inside of a subgraph beside a question, each is answered for itself", async () => {
    const inner = chain.compile({ interruptBefore: ["b"] });
    const outer = new StateGraph(TextLog)
      .addNode("inner", inner)
      .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
      .addEdge(START, "inner")
      .addEdge(START, "ask");
    const { runner } = await memoryRunner(outer);
    const { interrupts } = await runner.start("t", {});
    expect(interrupts.map(({ kind }) => kind)).toEqual(["breakpoint", "input"]);
    const one = await runner.resume("t", { [interrupts[1]!.id]: "yes" });
    expect(one.interrupts).toEqual([interrupts[0]]);
    expect(await runner.resume("t", { answer: true })).toMatchObject({
      status: "done",
      values: { log: ["yes", "a", "b", "c"] },
    });
  });

  test("inside of a subgraph whose node fails after it is not met again", async () => {
    let broken = true;
    const inner = new StateGraph(TextLog)
      .addNode("a", () => {
        if (broken) throw new Error("no");
        return { log: String(interrupt("sure?")) };
      })
      .addEdge(START, "a")
      .compile({ interruptBefore: ["a"] });
    const outer = new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner");
    const { runner } = await memoryRunner(outer);
    expect((await runner.start("t", {})).interrupts).toMatchObject([{ kind: "breakpoint" }]);
    expect((await runner.resume("t", { answer: true })).status).toBe("error");
    broken = false;
    expect((await runner.continue("t")).interrupts).toMatchObject([{ kind: "input", value: "sure?" }]);
    expect(await runner.resume("t", { answer: "yes" })).toMatchObject({ status: "done", values: { log: ["yes"] } });
  });
});

describeOnEachCheckpointer("a breakpoint", (store) => {
  test("is durable: no new process passes it, and the answer of one holds for the others", async () => {
    const graph = chain.compile({ interruptBefore: ["b", "c"] });
    const first = createRunner(graph, { name: "first", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const stopped = await first.start(thread, {});

    const checkpointer = (await store.openAgain()) ?? store.checkpointer;
    const second = createRunner(chain.compile({ interruptBefore: ["b", "c"] }), { name: "second", checkpointer });
    expect(await second.inspect(thread)).toEqual(stopped);
    expect(await second.continue(thread)).toEqual(stopped);
    const next = await second.resume(thread, { answer: true });
    expect(next).toMatchObject({ status: "interrupted", next: ["c"], values: { log: ["a", "b"] } });
    expect(await first.continue(thread)).toEqual(next);
    expect(await first.resume(thread, { answer: true })).toMatchObject({ status: "done" });
    expect(await collect(first.history(thread))).toHaveLength(5);
  });

  test("whose answer was committed by a process that died then is passed by the next continue", async () => {
    const runner = createRunner(chain.compile({ interruptBefore: ["b"] }), {
      name: "r",
      checkpointer: store.checkpointer,
    });
    const thread = store.newThread();
    await runner.start(thread, {});
    const lock = await store.checkpointer.lockThread(thread, { mode: "exclusive", wait: false });
    expect(await runner.resume(thread, { answer: true })).toMatchObject({ status: "ready", next: ["b"] });
    await lock!.release();
    expect(await runner.continue(thread)).toMatchObject({ status: "done" });
  });
});
