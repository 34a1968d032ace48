import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { cappedEdge } from "perdure/graphs";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph } from "./corpus-graph.ts";

const Draft = Annotation.Root({
  drafts: Annotation<number>({ reducer: (a, b) => a + b, default: () => 0 }),
  ended: Annotation<string>(),
});

export const loops: readonly CorpusGraph[] = [
  {
    name: "a loop whose edge back is capped",
    script: [{ input: {} }, { input: {} }],
    build: (world) => {
      const graph = new StateGraph(Draft)
        .addNode("write", () => ({ drafts: world.note("write") > 0 ? 1 : 0 }))
        .addNode("review", () => {
          world.note("review");
          return {};
        })
        .addNode("publish", () => ({ ended: "published" }))
        .addNode("giveUp", () => {
          world.note("giveUp");
          return { ended: "given up" };
        })
        .addEdge(START, "write")
        .addEdge("write", "review");
      return cappedEdge(graph, {
        from: "review",
        to: "write",
        max: 3,
        onLimit: "giveUp",
        route: () => "write" as const,
        others: ["publish"],
      });
    },
  },
  {
    name: "a loop of fifteen steps",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("turn", ({ log }) => {
          world.note("turn");
          return { log: `turn ${log.length}` };
        })
        .addEdge(START, "turn")
        .addConditionalEdges("turn", ({ log }) => (log.length < 15 ? "turn" : END)),
  },
  {
    name: "a router that says what it likes, by a count outside of the state",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("turn", () => ({ log: `turn ${world.note("turn")}` }))
        .addNode("other", () => ({ log: `other ${world.note("other")}` }))
        .addEdge(START, "turn")
        .addConditionalEdges("turn", () => (world.note("route") < 4 ? "turn" : "other"), ["turn", "other"]),
  },
];
