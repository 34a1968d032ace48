import { END, START, StateGraph } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph } from "./corpus-graph.ts";
import type { World } from "./world.ts";

/** A node that writes down its name, and how much was written before it. */
const line = (world: World, name: string) => {
  return ({ log }: { readonly log: readonly string[] }) => {
    world.note(name);
    return { log: `${name} after ${log.length}` };
  };
};

export const joins: readonly CorpusGraph[] = [
  {
    name: "branches of different lengths that join",
    script: [{ input: { log: "in" } }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("a", line(world, "a"))
        .addNode("b", line(world, "b"))
        .addNode("b2", line(world, "b2"))
        .addNode("join", line(world, "join"))
        .addEdge(START, "a")
        .addEdge(START, "b")
        .addEdge("b", "b2")
        .addEdge(["a", "b2"], "join"),
  },
  {
    name: "a diamond of twelve nodes side by side",
    script: [{ input: {} }],
    build: (world) => {
      const names = Array.from({ length: 12 }, (_, index) => `side ${index}`);
      const graph = new StateGraph(TextLog).addNode("join", line(world, "join"));
      for (const name of names) graph.addNode(name, line(world, name)).addEdge(START, name as typeof START);
      return graph.addEdge(names as never, "join");
    },
  },
  {
    name: "a deferred node, which waits for all others",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("short", line(world, "short"))
        .addNode("long 1", line(world, "long 1"))
        .addNode("long 2", line(world, "long 2"))
        .addNode("last", line(world, "last"), { defer: true })
        .addEdge(START, "short")
        .addEdge(START, "long 1")
        .addEdge("long 1", "long 2")
        .addEdge("short", "last")
        .addEdge("long 2", "last"),
  },
  {
    name: "a join in a loop",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("split", line(world, "split"))
        .addNode("left", line(world, "left"))
        .addNode("right", line(world, "right"))
        .addNode("join", line(world, "join"))
        .addEdge(START, "split")
        .addEdge("split", "left")
        .addEdge("split", "right")
        .addEdge(["left", "right"], "join")
        .addConditionalEdges("join", ({ log }) => (log.length < 8 ? "split" : END), ["split", END]),
  },
];
