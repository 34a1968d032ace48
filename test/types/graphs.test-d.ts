import { Annotation, END, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { cappedEdge } from "perdure/graphs";
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
