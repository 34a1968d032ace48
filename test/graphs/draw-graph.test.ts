import { tool } from "@langchain/core/tools";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import fc from "fast-check";
import { cappedEdge, drawGraph, reactGraph } from "perdure/graphs";
import { effect, nodeTraits } from "perdure/nodes";
import { describe, expect, test } from "vitest";
import { z } from "zod";

const State = Annotation.Root({ n: Annotation<number>() });
const step = () => ({});

function agent(onLimit: "finish" | "ask") {
  const model = new ChatOpenAI({ model: "none", apiKey: "none" });
  const refund = tool(step, { name: "refund", description: "", schema: z.object({}), ...effect("irreversible") });
  return reactGraph({ model, tools: [refund], approve: ["refund"], onLimit });
}

function order() {
  return new StateGraph(State)
    .addNode("validate", step)
    .addNode("inventory", step)
    .addNode("credit", step, effect("idempotent"))
    .addNode("payment", step, effect("irreversible", { compensate: "refund" }))
    .addNode("notify", step, nodeTraits({ cap: 2 }))
    .addNode("refund", step)
    .addEdge(START, "validate")
    .addEdge("validate", "inventory")
    .addEdge("validate", "credit")
    .addEdge(["inventory", "credit"], "payment")
    .addConditionalEdges("payment", () => "notify", { paid: "notify", "not paid": "refund" });
}

/** Arrows that cross, skip layers and lead back. */
function tangle() {
  const graph = new StateGraph(State)
    .addNode("a", step)
    .addNode("bbbbbbb", step)
    .addNode("c", step)
    .addNode("d", step)
    .addNode("e", step)
    .addNode("last one", step)
    .addEdge(START, "a")
    .addEdge(START, "c")
    .addEdge("a", "bbbbbbb")
    .addEdge("a", "d")
    .addEdge("c", "d")
    .addEdge("c", "e")
    .addEdge("c", "bbbbbbb")
    .addEdge("d", "last one")
    .addEdge("a", "last one")
    .addConditionalEdges("e", () => "c", ["c", "last one"])
    .addConditionalEdges("bbbbbbb", () => "a", { again: "a", stop: END });
  return cappedEdge(graph, { from: "last one", to: "last one", max: 3, onLimit: END });
}

const undeclared = () =>
  new StateGraph(State)
    .addNode("agent", step)
    .addNode("inner", order().compile())
    .addEdge(START, "agent")
    .addConditionalEdges("agent", () => "inner");

describe.each([
  ["react-finish", () => agent("finish")],
  ["react-ask", () => agent("ask")],
  ["order", order],
  ["tangle", tangle],
  ["undeclared", undeclared],
])("the drawing of %s", (name, build) => {
  test("as text", async () => {
    await expect(`${drawGraph(build())}\n`).toMatchFileSnapshot(`drawings/${name}.txt`);
  });

  test("as Mermaid", async () => {
    await expect(`${drawGraph(build(), { format: "mermaid" })}\n`).toMatchFileSnapshot(`drawings/${name}.mmd`);
  });
});

test("a graph wider than the terminal is drawn as a list", async () => {
  await expect(`${drawGraph(tangle(), { width: 30 })}\n`).toMatchFileSnapshot("drawings/tangle-list.txt");
});

test("a compiled graph is drawn as its builder is", () => {
  expect(drawGraph(order().compile())).toBe(drawGraph(order()));
});

test("colours change nothing but the colour", () => {
  const colored = drawGraph(agent("ask"), { color: true });
  expect(colored).toContain("\u001b[31m");
  // oxlint-disable-next-line no-control-regex
  expect(colored.replaceAll(/\u001b\[\d+m/g, "").replaceAll(/ +$/gm, "")).toBe(drawGraph(agent("ask")));
});

test.each([[1], [null], [undefined]])("%j, which is no graph, is GRAPH_UNSUPPORTED", (graph) => {
  expect(() => drawGraph(graph as never)).toThrow(expect.objectContaining({ code: "GRAPH_UNSUPPORTED" }));
});

test("an option out of range is OPTIONS_INVALID", () => {
  expect(() => drawGraph(order(), { format: "svg" as "text" })).toThrow(
    expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining("`format`") }),
  );
});

test("random graphs: every node has its box, every box stands alone, and the same graph gives the same drawing", () => {
  const names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];
  const edge = fc.tuple(fc.constantFrom(START, ...names), fc.constantFrom(...names, END));
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 14 }), (edges) => {
      const build = () => {
        const graph = new StateGraph(State) as unknown as {
          addNode(name: string, node: unknown): void;
          addEdge(from: string, to: string): void;
        };
        for (const name of names) graph.addNode(name, step);
        for (const [from, to] of edges) graph.addEdge(from, to);
        return graph as unknown as StateGraph<unknown>;
      };
      const drawing = drawGraph(build(), { width: 1000 });
      expect(drawGraph(build(), { width: 1000 })).toBe(drawing);
      for (const name of names) expect(drawing.match(new RegExp(`│ +${name} +│`, "g"))).toHaveLength(1);
      // A corner that something was drawn over would be missing.
      const boxes = names.length + 1 + Number(drawing.includes(" end "));
      for (const corner of "╭╮╰╯") expect(drawing.split(corner).length - 1).toBe(boxes);
    }),
    { numRuns: 200 },
  );
});
