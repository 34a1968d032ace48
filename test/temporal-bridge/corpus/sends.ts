import { START, Send, StateGraph } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph } from "./corpus-graph.ts";

/** Splits into so many tasks, and puts together what they made. */
const mapReduce = (count: number): CorpusGraph => ({
  name: `Send of ${count.toLocaleString("en")}`,
  script: [{ input: { log: "in" } }],
  build: (world) =>
    new StateGraph(TextLog)
      .addNode("map", (n: number) => {
        world.note("map");
        return { log: `map ${n}` };
      })
      .addNode("reduce", ({ log }) => {
        world.note("reduce");
        return { log: `reduce ${log.length} ${log.at(-1)}` };
      })
      .addConditionalEdges(START, () => Array.from({ length: count }, (_, n) => new Send("map", n)), ["map"])
      .addEdge("map", "reduce"),
});

export const sends: readonly CorpusGraph[] = [
  mapReduce(1),
  mapReduce(10),
  mapReduce(1_000),
  {
    name: "Send to nodes of two kinds, beside an ordinary edge, and on from there",
    script: [{ input: {} }],
    build: (world) => {
      const work = (name: string) => (n: number) => ({ log: `${name} ${n} ${world.note(`${name} ${n}`)}` });
      return new StateGraph(TextLog)
        .addNode("split", () => ({ log: "split" }))
        .addNode("even", work("even"))
        .addNode("odd", work("odd"))
        .addNode("beside", () => ({ log: `beside ${world.note("beside")}` }))
        .addNode("sum", ({ log }) => ({ log: `sum ${log.length} ${world.note("sum")}` }))
        .addEdge(START, "split")
        .addEdge("split", "beside")
        .addConditionalEdges("split", () => [0, 1, 2, 3, 4].map((n) => new Send(n % 2 === 0 ? "even" : "odd", n)))
        .addEdge("even", "sum")
        .addEdge("odd", "sum");
    },
  },
];
