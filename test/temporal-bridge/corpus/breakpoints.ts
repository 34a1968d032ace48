import { START, StateGraph, interrupt } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph, Move } from "./corpus-graph.ts";
import type { World } from "./world.ts";

const goOn: Move = { answer: () => true };

const chain = (world: World) => {
  const node = (name: string) => () => ({ log: `${name} ${world.note(name)}` });
  return new StateGraph(TextLog)
    .addNode("a", node("a"))
    .addNode("b", node("b"))
    .addNode("c", node("c"))
    .addEdge(START, "a")
    .addEdge("a", "b")
    .addEdge("b", "c");
};

export const breakpoints: readonly CorpusGraph[] = [
  {
    name: "interruptBefore a node",
    script: [{ input: {} }, goOn],
    build: (world) => chain(world).compile({ interruptBefore: ["b"] }),
  },
  {
    name: "interruptAfter a node",
    script: [{ input: {} }, goOn],
    build: (world) => chain(world).compile({ interruptAfter: ["a"] }),
  },
  {
    name: "interruptBefore every node, and interruptAfter one",
    script: [{ input: {} }, goOn, goOn, goOn],
    build: (world) => chain(world).compile({ interruptBefore: "*", interruptAfter: ["b"] }),
  },
  {
    name: "a breakpoint inside a subgraph",
    script: [{ input: {} }, goOn],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("inner", chain(world).compile({ interruptBefore: ["b"] }))
        .addNode("after", () => ({ log: `after ${world.note("after")}` }))
        .addEdge(START, "inner")
        .addEdge("inner", "after"),
  },
  {
    name: "a breakpoint before nodes side by side, one of which asks",
    script: [{ input: {} }, goOn, { answer: () => "yes" }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("left", () => ({ log: `left ${world.note("left")}` }))
        .addNode("right", () => ({ log: `right ${world.note("right")} ${String(interrupt("well?"))}` }))
        .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
        .addEdge(START, "left")
        .addEdge(START, "right")
        .addEdge(["left", "right"], "after")
        .compile({ interruptBefore: ["right"] }),
  },
];
