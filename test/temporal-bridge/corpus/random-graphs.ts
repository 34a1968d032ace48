import fc from "fast-check";
import { randomGraph, randomNodes } from "../../support/random-graph.ts";
import type { CorpusGraph } from "./corpus-graph.ts";

/** So many random graphs, the same for the same seed, each driven to its end. */
export function randomGraphs(seed: number, count: number): readonly CorpusGraph[] {
  return fc.sample(randomNodes, { seed, numRuns: count }).map((nodes, index) => ({
    name: `random graph ${index} of seed ${seed}: ${nodes.map(({ kind }) => kind).join(", ")}`,
    script: "end",
    build: (world) => randomGraph(nodes, (name) => world.note(name)),
  }));
}
