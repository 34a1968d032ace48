/** The limit of a run where the gate sees nothing, clocks that differ, and what an update without a node counts as. */
import { END, START, StateGraph } from "@langchain/langgraph";
import { InMemoryCache } from "@langchain/langgraph-checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import type { Runner } from "perdure/runner";
import { afterEach, expect, test, vi } from "vitest";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";

type ClockRunner = Runner<object, { log: string[] }, "a" | "b" | "c">;

afterEach(() => {
  vi.restoreAllMocks();
});

test("H8: maxSteps holds for nodes whose result comes out of a cache", async () => {
  const graph = new StateGraph(TextLog)
    .addNode("n", () => ({ log: "x" }), { cachePolicy: { keyFunc: () => "same" } })
    .addEdge(START, "n")
    .addEdge("n", "n")
    .compile({ cache: new InMemoryCache() });
  const runner = createRunner(graph, { name: "cached", checkpointer: await openCheckpointer("memory:") });
  const limited = await runner.start("t", {}, { maxSteps: 5 });
  expect(limited.status).toBe("ready");
  expect(limited.values.log.length).toBeLessThanOrEqual(6); // LangGraph sees its own limit one superstep late
  await expect(runner.continue("t")).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
});

test("H8: the limit of a run is not the limit of a subgraph in it", async () => {
  const inner = new StateGraph(TextLog)
    .addNode("n", () => ({ log: "x" }))
    .addEdge(START, "n")
    .addConditionalEdges("n", ({ log }) => (log.length < 40 ? "n" : END), ["n", END])
    .compile();
  const graph = new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner");
  const runner = createRunner(graph, { name: "outer", checkpointer: await openCheckpointer("memory:") });
  const done = await runner.start("t", {}, { maxSteps: 1 });
  expect(done).toMatchObject({ status: "done", values: { log: { length: 40 } } });
});

test("I2: a process whose clock is a little behind the last one's waits until it has caught up", async () => {
  const { graph, runs } = threeNodes();
  const runner = createRunner(graph, { name: "clocks", checkpointer: await openCheckpointer("memory:") });
  await runner.start("t", {}, { maxSteps: 1 });
  const real = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => real() - 200);
  expect(await runner.continue("t", { maxSteps: 10 })).toMatchObject({
    status: "done",
    values: { log: ["a", "b", "c"] },
  });
  expect(runs).toEqual(["a", "b", "c"]);
});

test.each([
  ["a fork", (runner: ClockRunner, checkpointId: string) => runner.fork("t", { checkpointId })],
  ["an update", (runner: ClockRunner) => runner.update("t", {}, { asNode: "a" })],
])("I4: %s by a process whose clock is a little behind becomes the head all the same", async (_what, edit) => {
  const { graph } = threeNodes();
  const runner = createRunner(graph, { name: "clocks", checkpointer: await openCheckpointer("memory:") });
  const { checkpointId } = await runner.start("t", {}, { maxSteps: 1 });
  const done = await runner.continue("t", { maxSteps: 10 });
  const real = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => real() - 200);
  const edited = await edit(runner, checkpointId);
  expect(edited).toMatchObject({ status: "ready", next: ["b"] });
  expect(edited.checkpointId).not.toBe(done.checkpointId);
});

test("I4: a process whose clock is far behind drives nothing, and says why", async () => {
  const { graph, runs } = threeNodes();
  const runner = createRunner(graph, { name: "clocks", checkpointer: await openCheckpointer("memory:") });
  const { checkpointId } = await runner.start("t", {}, { maxSteps: 1 });
  const real = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => real() - 60_000);
  await expect(runner.continue("t", { maxSteps: 10 })).rejects.toMatchObject({ code: "CHECKPOINT_CONFLICT" });
  vi.restoreAllMocks();
  expect((await runner.inspect("t")).checkpointId).toBe(checkpointId);
  expect(runs).toEqual(["a"]);
});

test("an update that leaves open which of two parallel nodes made it is refused, each time", async () => {
  const graph = new StateGraph(TextLog)
    .addNode("a", () => ({ log: "a" }))
    .addNode("b", () => ({ log: "b" }))
    .addNode("c", () => ({ log: "c" }))
    .addEdge(START, "a")
    .addEdge(START, "b")
    .addEdge(["a", "b"], "c");
  const runner = createRunner(graph, { name: "update", checkpointer: await openCheckpointer("memory:") });
  for (const thread of ["1", "2", "3", "4", "5", "6"]) {
    await runner.start(thread, {}, { maxSteps: 1 });
    await expect(runner.update(thread, { log: "u" })).rejects.toThrow(/Ambiguous/i);
    await expect(runner.update(thread, { log: "u" }, { asNode: "a" })).resolves.toBeDefined();
  }
});
