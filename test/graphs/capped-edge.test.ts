import {
  Annotation,
  Command,
  END,
  interrupt,
  MemorySaver,
  Overwrite,
  Send,
  START,
  StateGraph,
  StateSchema,
} from "@langchain/langgraph";
import { cappedEdge, turnCounter } from "perdure/graphs";
import { expect, test } from "vitest";
import { z } from "zod";

const Draft = Annotation.Root({
  drafts: Annotation<number>({ reducer: (a, b) => a + b, default: () => 0 }),
  good: Annotation<boolean>(),
  ended: Annotation<string>(),
});

/** write -> review, back to write until it is good, at most `max` times; then "publish" or "giveUp". */
function draftGraph(max: number, review: (state: typeof Draft.State) => Partial<typeof Draft.Update> = () => ({})) {
  const graph = new StateGraph(Draft)
    .addNode("write", () => ({ drafts: 1 }))
    .addNode("review", review)
    .addNode("publish", () => ({ ended: "published" }))
    .addNode("giveUp", () => ({ ended: "given up" }))
    .addEdge(START, "write")
    .addEdge("write", "review");
  return cappedEdge(graph, {
    from: "review",
    to: "write",
    max,
    onLimit: "giveUp",
    route: (state) => (state.good ? "publish" : "write"),
    others: ["publish"],
  });
}

const thread = (id: string) => ({ configurable: { thread_id: id } });

test("H8: the back-edge is taken max times in a turn and then goes to onLimit, whatever recursionLimit allows", async () => {
  const graph = draftGraph(3).compile();
  const result = await graph.invoke({}, { recursionLimit: 1000 });
  expect(result).toMatchObject({ drafts: 1 + 3, ended: "given up" });
});

test("a route that goes elsewhere before the cap is reached is followed", async () => {
  const graph = draftGraph(3, (state) => ({ good: state.drafts >= 2 })).compile();
  expect(await graph.invoke({})).toMatchObject({ drafts: 2, ended: "published" });
});

test("a route that goes elsewhere exactly at the cap is followed", async () => {
  const graph = draftGraph(3, (state) => ({ good: state.drafts >= 4 })).compile();
  expect(await graph.invoke({})).toMatchObject({ drafts: 4, ended: "published" });
});

test("the counter starts anew with each new input on the thread", async () => {
  const graph = draftGraph(3).compile({ checkpointer: new MemorySaver() });
  await graph.invoke({}, thread("a"));
  const second = await graph.invoke({}, thread("a"));
  expect(second.drafts).toBe(2 * (1 + 3));
});

test("the counter goes on over resumes", async () => {
  const graph = draftGraph(3, () => {
    interrupt("go on?");
    return {};
  }).compile({ checkpointer: new MemorySaver() });
  await graph.invoke({}, thread("a"));
  for (let answers = 1; answers <= 3; answers++) {
    const state = await graph.invoke(new Command({ resume: true }), thread("a"));
    expect(state).toMatchObject({ drafts: 1 + answers });
    expect(state.ended).toBeUndefined();
  }
  expect(await graph.invoke(new Command({ resume: true }), thread("a"))).toMatchObject({
    drafts: 4,
    ended: "given up",
  });
});

test("the counter goes on after a crash in the middle of the loop", async () => {
  let dies = true;
  const checkpointer = new MemorySaver();
  const build = () =>
    draftGraph(3, (state) => {
      if (state.drafts === 3 && dies) throw new Error("killed");
      return {};
    }).compile({ checkpointer });
  await expect(build().invoke({}, thread("a"))).rejects.toThrow("killed");
  dies = false;
  expect(await build().invoke(null, thread("a"))).toMatchObject({ drafts: 4, ended: "given up" });
});

test("a Command given as input belongs to the turn under way: the counter goes on", async () => {
  const graph = draftGraph(3).compile({ checkpointer: new MemorySaver() });
  await graph.invoke({}, thread("a"));
  const state = await graph.invoke(new Command({ update: { good: false }, goto: "write" }), thread("a"));
  expect(state.drafts).toBe(4 + 1);
});

test("a failed attempt that LangGraph retries is counted once", async () => {
  let failures = 2;
  const graph = new StateGraph(Draft)
    .addNode("write", () => ({ drafts: 1 }))
    .addNode(
      "review",
      () => {
        if (failures-- > 0) throw new Error("flaky");
        return {};
      },
      { retryPolicy: { maxAttempts: 3, initialInterval: 0, jitter: false, logWarning: false } },
    )
    .addEdge(START, "write")
    .addEdge("write", "review");
  const capped = cappedEdge(graph, { from: "review", to: "write", max: 3, onLimit: END });
  expect((await capped.compile().invoke({})).drafts).toBe(4);
});

test("two capped edges in one graph count on their own", async () => {
  const State = Annotation.Root({ path: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }) });
  const graph = new StateGraph(State)
    .addNode("a", () => ({ path: ["a"] }))
    .addNode("b", () => ({ path: ["b"] }))
    .addNode("c", () => ({ path: ["c"] }))
    .addEdge(START, "a")
    .addEdge("a", "b");
  cappedEdge(graph, { from: "b", to: "a", max: 2, onLimit: "c" });
  cappedEdge(graph, { from: "c", to: "b", max: 1, onLimit: END });
  const { path } = await graph.compile().invoke({});
  expect(path.join("")).toBe("ababab" + "c" + "b" + "c");
});

test("a subgraph's counter starts anew with each call of the subgraph", async () => {
  const inner = draftGraph(2).compile();
  const outer = new StateGraph(Draft).addNode("draft", inner).addEdge(START, "draft");
  cappedEdge(outer, { from: "draft", to: "draft", max: 1, onLimit: END });
  const seen: number[] = [];
  for await (const [namespace, update] of await outer
    .compile({ checkpointer: new MemorySaver() })
    .stream({}, { ...thread("a"), subgraphs: true, streamMode: "updates" })) {
    if (namespace.length > 0 && "write" in update) seen.push(1);
  }
  expect(seen).toHaveLength(2 * (1 + 2));
});

test("tasks of one superstep that go back together are one round", async () => {
  const State = Annotation.Root({ log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }) });
  const graph = new StateGraph(State)
    .addNode("plan", () => ({ log: ["plan"] }))
    .addNode("work", () => ({ log: ["work"] }))
    .addEdge(START, "plan")
    .addConditionalEdges("plan", () => [1, 2, 3].map((n) => new Send("work", { n })), ["work"]);
  cappedEdge(graph, { from: "work", to: "plan", max: 2, onLimit: END });
  const { log } = await graph.compile().invoke({});
  expect(log.filter((entry) => entry === "plan")).toHaveLength(1 + 2);
  expect(log.filter((entry) => entry === "work")).toHaveLength(3 * (1 + 2));
});

test("a capped edge can send tasks, which counts as one round", async () => {
  const State = Annotation.Root({ log: Annotation<number[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }) });
  const graph = new StateGraph(State)
    .addNode("plan", () => ({}))
    .addNode("work", (sent: { n: number }) => ({ log: [sent.n] }), {
      input: Annotation.Root({ n: Annotation<number>() }),
    })
    .addEdge(START, "plan")
    .addEdge("work", "plan");
  cappedEdge(graph, {
    from: "plan",
    to: "work",
    max: 2,
    onLimit: END,
    route: () => [1, 2].map((n) => new Send("work", { n })),
  });
  expect((await graph.compile().invoke({})).log).toEqual([1, 2, 1, 2]);
});

test("neither the input nor the output knows the counter, and an input cannot set it", async () => {
  const Input = Annotation.Root({ good: Annotation<boolean>() });
  const graph = new StateGraph({ state: Draft, input: Input, output: Draft })
    .addNode("write", () => ({ drafts: 1 }))
    .addEdge(START, "write");
  const compiled = cappedEdge(graph, { from: "write", to: "write", max: 2, onLimit: END }).compile({
    checkpointer: new MemorySaver(),
  });
  const forged = { good: false, "write->write": -1000 };
  const result = await compiled.invoke(forged, thread("a"));
  expect(result).toEqual({ drafts: 3, good: false });
  expect((await compiled.getState(thread("a"))).values).toMatchObject({ "write->write": 2 });
});

test("zod states and StateSchemas take a capped edge", async () => {
  const zodGraph = new StateGraph(z.object({ n: z.number() }))
    .addNode("add", (state) => ({ n: state.n + 1 }))
    .addEdge(START, "add");
  cappedEdge(zodGraph, { from: "add", to: "add", max: 4, onLimit: END });
  expect(await zodGraph.compile().invoke({ n: 0 })).toEqual({ n: 5 });

  const schemaGraph = new StateGraph(new StateSchema({ n: z.number().default(0) }))
    .addNode("add", (state) => ({ n: state.n + 1 }))
    .addEdge(START, "add");
  cappedEdge(schemaGraph, { from: "add", to: "add", max: (state) => state.n + 4 - state.n, onLimit: END });
  expect(await schemaGraph.compile().invoke({})).toEqual({ n: 5 });
});

test("an update by hand can overwrite the counter", async () => {
  const graph = draftGraph(3).compile({ checkpointer: new MemorySaver() });
  await graph.invoke({}, thread("a"));
  const overwrite: Record<string, unknown> = { "review->write": new Overwrite(1) };
  await graph.updateState(thread("a"), overwrite, "write");
  expect(await graph.invoke(null, thread("a"))).toMatchObject({ drafts: 4 + 2 });
});

test("a route to an undeclared place is GRAPH_INVALID and names it", async () => {
  const graph = new StateGraph(Draft)
    .addNode("write", () => ({}))
    .addNode("stray", () => ({}))
    .addEdge(START, "write");
  // @ts-expect-error "stray" is a node of the graph but none of the places the edge declares
  cappedEdge(graph, { from: "write", to: "write", max: 2, onLimit: END, route: () => "stray" });
  graph.addEdge("stray", END).addEdge(START, "stray");
  await expect(graph.compile().invoke({})).rejects.toMatchObject({
    code: "GRAPH_INVALID",
    message: expect.stringContaining('"stray"'),
  });
});

test.each([0, -1, 1.5, Number.NaN, "3"])("max %s is OPTIONS_INVALID", (max) => {
  const graph = new StateGraph(Draft).addNode("write", () => ({})).addEdge(START, "write");
  const add = () => cappedEdge(graph, { from: "write", to: "write", max: max as number, onLimit: END });
  expect(add).toThrow(expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining("`max`") }));
});

test("a counter whose name is taken is GRAPH_INVALID", () => {
  const graph = new StateGraph(Draft).addNode("write", () => ({})).addEdge(START, "write");
  const add = (counter: string) => cappedEdge(graph, { from: "write", to: "write", max: 1, onLimit: END, counter });
  expect(() => add("drafts")).toThrow(expect.objectContaining({ code: "GRAPH_INVALID" }));
  add("rounds");
  expect(() => add("rounds")).toThrow(expect.objectContaining({ code: "GRAPH_INVALID" }));
});

test("a graph whose state is a single value has no place for a counter", () => {
  const graph = new StateGraph({ channels: { __root__: null } } as never) as unknown as StateGraph<
    unknown,
    unknown,
    unknown,
    "a"
  >;
  expect(() => cappedEdge(graph, { from: "a", to: "a", max: 1, onLimit: END })).toThrow(
    expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining("single value") }),
  );
});

test("a counter in the graph's own state is visible to its nodes, and starts anew with each turn", async () => {
  const State = Annotation.Root({
    seen: Annotation<number[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
    rounds: turnCounter,
  });
  const graph = new StateGraph(State).addNode("a", ({ rounds }) => ({ seen: [rounds] })).addEdge(START, "a");
  cappedEdge(graph, { from: "a", to: "a", max: 2, onLimit: END, counter: "rounds" });
  const compiled = graph.compile({ checkpointer: new MemorySaver() });
  expect(await compiled.invoke({}, thread("a"))).toEqual({ seen: [0, 1, 2], rounds: 2 });
  expect((await compiled.invoke({ rounds: -5 }, thread("a"))).seen).toEqual([0, 1, 2, 0, 1, 2]);
});
