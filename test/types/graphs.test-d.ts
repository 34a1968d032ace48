import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { BaseMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Annotation, Command, END, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { cappedEdge, chain, checkGraph, dag, drawGraph, mapReduce, reactGraph } from "perdure/graphs";
import type { GraphFinding, NodeFailure } from "perdure/graphs";
import type { DecisionRecord } from "perdure/nodes";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";

const Draft = Annotation.Root({ drafts: Annotation<number>(), good: Annotation<boolean>() });
const graph = new StateGraph(Draft)
  .addNode("write", () => ({ drafts: 1 }))
  .addNode("review", () => ({}))
  .addEdge(START, "write")
  .addEdge("write", "review");

test("cappedEdge returns the graph's own type, and its route reads the graph's state", () => {
  const capped = cappedEdge(graph, {
    from: "review",
    to: "write",
    max: (state) => state.drafts,
    onLimit: END,
    route: (state) => {
      expectTypeOf(state.good).toEqualTypeOf<boolean>();
      return state.good ? END : "write";
    },
  });
  expectTypeOf(capped).toEqualTypeOf(graph);
  expectTypeOf(capped.compile().invoke).returns.resolves.toHaveProperty("drafts");
});

test("cappedEdge infers the state of zod objects and StateSchemas", () => {
  const zodGraph = new StateGraph(z.object({ n: z.number() })).addNode("add", () => ({ n: 1 }));
  cappedEdge(zodGraph, {
    from: "add",
    to: "add",
    max: (state) => {
      expectTypeOf(state).toEqualTypeOf<{ n: number }>();
      return 1;
    },
    onLimit: END,
  });
  const schemaGraph = new StateGraph(new StateSchema({ n: z.number() })).addNode("add", () => ({ n: 1 }));
  cappedEdge(schemaGraph, {
    from: "add",
    to: "add",
    max: (state) => {
      expectTypeOf(state.n).toEqualTypeOf<number>();
      return 1;
    },
    onLimit: END,
  });
});

test("cappedEdge refuses names that are no nodes", () => {
  // @ts-expect-error no such node
  cappedEdge(graph, { from: "reviev", to: "write", max: 1, onLimit: END });
  // @ts-expect-error no such node
  cappedEdge(graph, { from: "review", to: "wirte", max: 1, onLimit: END });
  // @ts-expect-error no such node
  cappedEdge(graph, { from: "review", to: "write", max: 1, onLimit: "giveUp" });
  // @ts-expect-error no such node
  cappedEdge(graph, { from: "review", to: "write", max: 1, onLimit: END, others: ["publish"] });
  // @ts-expect-error a node, but none of the places this edge declares
  cappedEdge(graph, { from: "review", to: "write", max: 1, onLimit: END, route: () => "review" });
  // @ts-expect-error no such state key
  cappedEdge(graph, { from: "review", to: "write", max: (state) => state.draft, onLimit: END });
});

const Order = Annotation.Root({ total: Annotation<number>(), paid: Annotation<boolean>() });
const model = undefined as unknown as BaseChatModel;
const search = tool((_args: { query: string }) => "", {
  name: "search",
  description: "",
  schema: z.object({ query: z.string() }),
});

test("reactGraph infers its own channels and the caller's, and its nodes", async () => {
  const agent = reactGraph({ model, tools: [search], state: z.object({ customer: z.string() }) });
  expectTypeOf<keyof typeof agent.nodes>().toEqualTypeOf<"__start__" | "reason" | "act" | "finish">();
  const result = await agent.compile().invoke({ messages: "hi", customer: "Ada" });
  expectTypeOf(result.customer).toEqualTypeOf<string>();
  expectTypeOf(result.messages).toEqualTypeOf<BaseMessage[]>();
  expectTypeOf(result.usage.totalTokens).toEqualTypeOf<number>();
  expectTypeOf(result.decisions).toEqualTypeOf<readonly DecisionRecord[]>();
  // @ts-expect-error no such key
  void result.costumer;
  // @ts-expect-error no such key in the input
  void agent.compile().invoke({ costumer: "Ada" });
});

test("reactGraph's nodes follow from onLimit, and a node may be added for it", () => {
  const asking = reactGraph({ model, tools: [], onLimit: "ask" });
  expectTypeOf<keyof typeof asking.nodes>().toEqualTypeOf<"__start__" | "reason" | "act" | "ask" | "finish">();
  const strict = reactGraph({ model, tools: [], onLimit: "error" });
  expectTypeOf<keyof typeof strict.nodes>().toEqualTypeOf<"__start__" | "reason" | "act" | "limit" | "stop">();
  const handing = reactGraph({ model, tools: [], onLimit: "handOver" }).addNode("handOver", ({ messages }) => {
    expectTypeOf(messages).toEqualTypeOf<BaseMessage[]>();
    return {};
  });
  expectTypeOf<keyof typeof handing.nodes>().toEqualTypeOf<"__start__" | "reason" | "act" | "limit" | "handOver">();
  // @ts-expect-error no such node
  handing.addEdge("handOver", "raeson");
});

test("reactGraph's prompt and approve read the graph's state, and approve names its tools", () => {
  reactGraph({
    model,
    tools: [search],
    state: Order,
    prompt: ({ messages, total }) => {
      expectTypeOf(total).toEqualTypeOf<number>();
      return messages;
    },
    approve: (call, { paid }) => {
      expectTypeOf(paid).toEqualTypeOf<boolean>();
      return call.name === "search" && { assignee: "ada" };
    },
  });
  reactGraph({ model, tools: [search], approve: ["search"] });
  // @ts-expect-error no such tool
  reactGraph({ model, tools: [search], approve: ["saerch"] });
  // @ts-expect-error an approval is a boolean or says who is asked
  reactGraph({ model, tools: [search], approve: () => "yes" });
});

test("chain infers the state of its steps and its nodes", async () => {
  const graph = chain(
    {
      validate: ({ total }) => {
        expectTypeOf(total).toEqualTypeOf<number>();
        return { paid: false };
      },
      pay: { run: () => ({ paid: true }), approve: ({ total }) => ({ args: { total } }) },
    },
    {
      state: Order,
      onError: (_error, step) => {
        expectTypeOf(step).toEqualTypeOf<"validate" | "pay">();
        return new Command({ goto: "pay" });
      },
    },
  );
  expectTypeOf<keyof typeof graph.nodes>().toEqualTypeOf<"__start__" | "validate" | "pay">();
  const result = await graph.compile().invoke({ total: 1 });
  expectTypeOf(result.paid).toEqualTypeOf<boolean>();
  // @ts-expect-error no such state key
  chain({ validate: ({ totla }) => ({ paid: totla }) }, { state: Order });
  // @ts-expect-error a number is no boolean
  chain({ validate: () => ({ paid: 1 }) }, { state: Order });
  // @ts-expect-error no such step
  chain({ validate: () => ({}) }, { state: Order, onError: () => new Command({ goto: "pay" }) });
});

test("dag infers the state of its nodes, and dependencies name its nodes", async () => {
  const graph = dag({
    state: Order,
    nodes: {
      validate: ({ total }) => {
        expectTypeOf(total).toEqualTypeOf<number>();
        return {};
      },
      pay: {
        run: () => ({ paid: true }),
        after: ["validate"],
        fallback: { paid: false },
        when: ({ total }) => total > 0,
      },
    },
    entry: ["validate"],
    onFailure: (failures, { total }) => {
      expectTypeOf(failures).toEqualTypeOf<readonly NodeFailure[]>();
      expectTypeOf(total).toEqualTypeOf<number>();
      return { paid: false };
    },
  });
  expectTypeOf<keyof typeof graph.nodes>().toEqualTypeOf<"__start__" | "validate" | "pay" | "settle">();
  const result = await graph.compile().invoke({ total: 1 });
  expectTypeOf(result.paid).toEqualTypeOf<boolean>();
  expectTypeOf(result.failures).toEqualTypeOf<readonly NodeFailure[]>();
  // @ts-expect-error no such node
  dag({ state: Order, nodes: { validate: () => ({}), pay: { run: () => ({}), after: ["vaildate"] } } });
  // @ts-expect-error no such node
  dag({ state: Order, nodes: { validate: () => ({}) }, finish: ["pay"] });
  // @ts-expect-error a number is no boolean
  dag({ state: Order, nodes: { validate: { run: () => ({ paid: 1 }) } } });
});

test("mapReduce infers items and results", () => {
  const graph = mapReduce({
    state: Order,
    items: ({ total }) => [{ n: total }],
    map: (item, { index }) => {
      expectTypeOf(item).toEqualTypeOf<{ n: number }>();
      expectTypeOf(index).toEqualTypeOf<number>();
      return String(item.n);
    },
    reduce: (results, { failures, state }) => {
      expectTypeOf(results).toEqualTypeOf<readonly string[]>();
      expectTypeOf(failures[0]?.item).toEqualTypeOf<{ n: number } | undefined>();
      return { paid: state.total > results.length };
    },
  });
  expectTypeOf<keyof typeof graph.nodes>().toEqualTypeOf<"__start__" | "map" | "reduce">();
  // @ts-expect-error no such state key
  mapReduce({ state: Order, items: () => [1], map: (n) => n, reduce: () => ({ piad: true }) });
});

test("checkGraph and drawGraph take builders and compiled graphs, and nothing else", () => {
  expectTypeOf(checkGraph(graph)).toEqualTypeOf<GraphFinding[]>();
  checkGraph(graph.compile(), { strict: true });
  drawGraph(reactGraph({ model, tools: [] }));
  drawGraph(dag({ state: Order, nodes: { a: () => ({}) } }).compile(), { format: "mermaid" });
  // @ts-expect-error not a graph
  checkGraph({ nodes: [] });
  // @ts-expect-error no such format
  drawGraph(graph, { format: "svg" });
});
