import { START, StateGraph, entrypoint, getPreviousState, interrupt, task } from "@langchain/langgraph";
import { once, waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

describeOnEachCheckpointer("an entrypoint", (store) => {
  test("with tasks and questions: tasks are done once, each question has an id of its own", async () => {
    const runs: string[] = [];
    const draft = task("draft", async (topic: string) => {
      runs.push(topic);
      return `a draft on ${topic}`;
    });
    const flow = entrypoint("write", async (topic: string) => {
      const text = await draft(topic);
      const title = String(interrupt({ ask: "title?", text }));
      const price = Number(interrupt({ ask: "price?" }));
      const second = await draft(`${topic} again`);
      return { text, title, price, second };
    });
    const runner = createRunner(flow, { name: "write", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const first = await runner.start(thread, "tea");
    expect(first.interrupts).toMatchObject([{ node: "write", value: { ask: "title?", text: "a draft on tea" } }]);
    const second = await runner.resume(thread, { answer: "Tea" });
    expect(second.interrupts).toMatchObject([{ value: { ask: "price?" } }]);
    expect(await runner.resume(thread, { [first.interrupts[0]!.id]: "Tea" })).toEqual(second);
    const done = await runner.resume(thread, { answer: 0 });
    expect(done).toMatchObject({
      status: "done",
      next: [],
      values: { text: "a draft on tea", title: "Tea", price: 0, second: "a draft on tea again" },
    });
    expect(runs).toEqual(["tea", "tea again"]);
    expect(await runner.resume(thread, { [second.interrupts[0]!.id]: 0 })).toEqual(done);
  });

  test("what it has done is not done again after it failed", async () => {
    const runs: string[] = [];
    let broken = true;
    const step = task("step", async (name: string) => {
      runs.push(name);
      if (name === "two" && broken) throw new Error("no");
      return name;
    });
    const flow = entrypoint("flow", async (_input: null | object) => [await step("one"), await step("two")]);
    const runner = createRunner(flow, { name: "flow", checkpointer: store.checkpointer });
    const thread = store.newThread();
    expect(await runner.start(thread, {})).toMatchObject({ status: "error", error: { node: "flow", message: "no" } });
    broken = false;
    expect(await runner.continue(thread)).toMatchObject({ status: "done", values: ["one", "two"] });
    expect(runs).toEqual(["one", "two", "two"]);
  });
});

describe("an entrypoint", () => {
  test.each([[0], [false], [""], [{ a: 1 }], [["x"]]])("takes %j as its input", async (input) => {
    const flow = entrypoint("flow", async (given: unknown) => ({ given }));
    const { runner } = await memoryRunner(flow);
    expect(await runner.start("t", input)).toMatchObject({ status: "done", values: { given: input } });
  });

  test("that returns nothing is done", async () => {
    const { runner } = await memoryRunner(entrypoint("flow", async (_input: string) => {}));
    expect(await runner.start("t", "x")).toMatchObject({ status: "done", next: [] });
    expect(await runner.start("t", "y")).toMatchObject({ status: "done" });
  });

  test("knows what it returned the turn before", async () => {
    const flow = entrypoint("count", async (by: number) => {
      const before = getPreviousState<number>() ?? 0;
      return before + by;
    });
    const { runner } = await memoryRunner(flow);
    expect((await runner.start("t", 2)).values).toBe(2);
    expect((await runner.start("t", 3)).values).toBe(5);
  });

  test("saves what entrypoint.final says, and returns the rest", async () => {
    const flow = entrypoint("count", async (by: number) => {
      const before = getPreviousState<number>() ?? 0;
      return entrypoint.final({ value: `was ${before}`, save: before + by });
    });
    const { runner } = await memoryRunner(flow);
    expect((await runner.start("t", 2)).values).toBe("was 0");
    expect((await runner.start("t", 3)).values).toBe("was 2");
  });

  test("uses once, waits for a signal, and calls a graph that asks", async () => {
    let charges = 0;
    const inner = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: `told ${String(interrupt("inner?"))}` }))
      .addEdge(START, "ask")
      .compile();
    const flow = entrypoint("flow", async (_input: object) => {
      const receipt = await once("charge", () => `receipt ${(charges += 1)}`);
      const parcel = await waitForSignal("shipped", z.string());
      const { log } = await inner.invoke({});
      return [receipt, parcel, ...log];
    });
    const { runner } = await memoryRunner(flow);
    expect((await runner.start("t", {})).interrupts).toMatchObject([{ kind: "signal" }]);
    const asked = await runner.signal("t", { name: "shipped", payload: "p1" });
    expect(asked!.interrupts).toMatchObject([{ kind: "input", value: "inner?", node: "flow" }]);
    const done = await runner.resume("t", { answer: "yes" });
    expect(done.values).toEqual(["receipt 1", "p1", "told yes"]);
    expect(charges).toBe(1);
  });

  test("runs parallel tasks, of which each asks for itself", async () => {
    const ask = task("ask", async (name: string) => `${name} ${String(interrupt(name))}`);
    const flow = entrypoint("flow", async (names: string[]) => Promise.all(names.map((name) => ask(name))));
    const { runner } = await memoryRunner(flow);
    let state = await runner.start("t", ["a", "b"]);
    const seen = new Set<string>();
    for (let calls = 0; state.status === "interrupted"; calls += 1) {
      expect(calls).toBeLessThan(5);
      const { id, value } = state.interrupts[0]!;
      expect(seen.has(id)).toBe(false);
      seen.add(id);
      state = await runner.resume("t", { [id]: `answer to ${String(value)}` });
    }
    expect(state).toMatchObject({ status: "done", values: ["a answer to a", "b answer to b"] });
  });

  test("is stepped as one task, and counts one superstep", async () => {
    const flow = entrypoint("flow", async (n: number) => n + 1);
    const { runner } = await memoryRunner(flow);
    expect((await runner.start("t", 1, { maxSteps: 1 })).status).toBe("done");
    expect((await collect(runner.history("t"))).map(({ step, next }) => [step, next])).toEqual([
      [0, []],
      [-1, ["flow"]],
    ]);
  });

  test("streams what its tasks do and what it returns", async () => {
    const work = task("work", async (n: number) => n * 2);
    const flow = entrypoint("flow", async (n: number) => work(n));
    const { runner } = await memoryRunner(flow);
    const events = await collect(runner.stream("t", { start: 4 }));
    expect(events.filter(({ type }) => type === "update")).toMatchObject([
      { node: "work", update: 8 },
      { node: "flow", update: 8 },
    ]);
    expect(events.at(-1)).toMatchObject({ type: "state", state: { status: "done", values: 8 } });
  });
});
