import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import { expect, it } from "vitest";
import { describeOnEachStore, unreachableRows } from "./stores.ts";

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (all, added) => [...all, ...added], default: () => [] }),
  count: Annotation<number>({ reducer: (_old, now) => now, default: () => 0 }),
});
const STEPS = 12;
const inner = new StateGraph(Annotation.Root({ count: State.spec.count }))
  .addNode("first", ({ count }) => ({ count: count + 1 }))
  .addNode("second", ({ count }) => ({ count: count + 1 }))
  .addEdge(START, "first")
  .addEdge("first", "second")
  .compile();
/** Works in rounds: a list grows, a subgraph counts, and each fourth round somebody is asked. */
const graph = new StateGraph(State)
  .addNode("work", async ({ count }) => {
    await setImmediate();
    const answer = count % 4 === 2 ? String(interrupt(count)) : "nobody asked";
    return { log: [`${answer} ${"x".repeat(count * 9)}`] };
  })
  .addNode("inner", inner)
  .addEdge(START, "work")
  .addEdge("work", "inner")
  .addConditionalEdges("inner", ({ count }) => (count < STEPS ? "work" : "__end__"), ["work", "__end__"]);

describeOnEachStore("prune beside runs", (store) => {
  it("changes nothing of what they come to, however often threads are trimmed under them", async () => {
    const driving = await store.again();
    const runner = createRunner(graph, { name: "rounds", checkpointer: driving });
    const drive = async (threadId: string) => {
      let state = await runner.start(threadId, { log: ["in"] });
      while (state.status === "interrupted") state = await runner.resume(threadId, { answer: `yes ${state.step}` });
      return state;
    };
    const expected = await drive(`alone-${randomUUID()}`);
    expect(expected).toMatchObject({ status: "done", values: { count: STEPS } });

    const threads = Array.from({ length: store.kind === "pglite" ? 4 : 10 }, () => `loaded-${randomUUID()}`);
    let isDone = false;
    let removed = 0;
    const pruning = (async () => {
      while (!isDone) {
        for (const threadId of threads)
          removed += (await store.checkpointer.prune({ threadId, keepNewest: 1 })).checkpoints;
        await setImmediate();
      }
    })();
    const states = await Promise.all(threads.map(drive)).finally(() => (isDone = true));
    await pruning;
    for (const { status, values, step } of states)
      expect({ status, values, step }).toEqual({ status: "done", values: expected.values, step: expected.step });
    expect(removed).toBeGreaterThan(0);

    await store.checkpointer.prune({ keepNewest: 1 });
    for (const threadId of threads) {
      expect(await unreachableRows(store, threadId)).toBe(0);
      const { values } = await createRunner(graph, { name: "rounds", checkpointer: await store.again() }).inspect(
        threadId,
      );
      expect(values).toEqual(expected.values);
    }
  }, 120_000);
});
