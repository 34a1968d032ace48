import { END, START, Send, StateGraph } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph } from "./corpus-graph.ts";
import type { World } from "./world.ts";

/** Two nodes, the second of which goes round as long as there are fewer than three lines. */
const twoNodes = (world: World, checkpointer?: boolean) =>
  new StateGraph(TextLog)
    .addNode("first", ({ log }) => ({ log: `first ${log.length} ${world.note("first")}` }))
    .addNode("second", ({ log }) => ({ log: `second ${log.length} ${world.note("second")}` }))
    .addEdge(START, "first")
    .addEdge("first", "second")
    .addConditionalEdges("second", ({ log }) => (log.length < 3 ? "second" : END), ["second", END])
    .compile(checkpointer === undefined ? {} : { checkpointer });

export const subgraphs: readonly CorpusGraph[] = [
  {
    name: "a subgraph as a node",
    script: [{ input: { log: "in" } }, { input: { log: "more" } }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("inner", twoNodes(world))
        .addNode("after", () => ({ log: `after ${world.note("after")}` }))
        .addEdge(START, "inner")
        .addEdge("inner", "after"),
  },
  {
    name: "a subgraph with a checkpointer of its own, over turns",
    script: [{ input: { log: "in" } }, { input: { log: "more" } }],
    build: (world) => {
      const inner = twoNodes(world, true);
      return new StateGraph(TextLog)
        .addNode("call", async (_state, config) => ({ log: (await inner.invoke({ log: "x" }, config)).log.join(", ") }))
        .addEdge(START, "call");
    },
  },
  {
    name: "a subgraph without a checkpointer",
    script: [{ input: { log: "in" } }, { input: { log: "more" } }],
    build: (world) => new StateGraph(TextLog).addNode("inner", twoNodes(world, false)).addEdge(START, "inner"),
  },
  {
    name: "a subgraph that a function calls, and one in it",
    script: [{ input: {} }],
    build: (world) => {
      const inmost = twoNodes(world);
      const inner = new StateGraph(TextLog)
        .addNode("inmost", inmost)
        .addNode("close", ({ log }) => ({ log: `close ${log.length} ${world.note("close")}` }))
        .addEdge(START, "inmost")
        .addEdge("inmost", "close")
        .compile();
      return new StateGraph(TextLog)
        .addNode("call", async () => ({ log: (await inner.invoke({ log: "x" })).log }))
        .addEdge(START, "call");
    },
  },
  {
    name: "a subgraph for each Send",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("inner", twoNodes(world))
        .addNode("sum", ({ log }) => ({ log: `sum ${log.length} ${world.note("sum")}` }))
        .addConditionalEdges(START, () => [1, 2, 3].map((n) => new Send("inner", { log: [`from ${n}`] })), ["inner"])
        .addEdge("inner", "sum"),
  },
];
