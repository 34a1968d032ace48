import type { DrivableGraph } from "perdure/runner";
import type { GraphSettings } from "perdure/temporal/worker";
import type { CorpusGraph } from "./corpus-graph.ts";
import type { HostedCopy } from "./play-on-temporal.ts";
import { World } from "./world.ts";

/** The ways in which the activities of a graph may be cut. */
export const WAYS = ["node", "burst", "burst with a local start"] as const;

/** Copies of graphs for a worker, one for each way. */
export interface HostedCorpus {
  readonly graphs: Readonly<Record<string, never>>;
  readonly settings: Readonly<Record<string, GraphSettings>>;
  copyOf(graph: CorpusGraph, way: (typeof WAYS)[number]): HostedCopy;
  close(): Promise<void>;
}

export async function hostCorpus(corpus: readonly CorpusGraph[]): Promise<HostedCorpus> {
  const copies = new Map<string, HostedCopy>();
  const settings: Record<string, GraphSettings> = {};
  const graphs: Record<string, DrivableGraph> = {};
  for (const { name, build } of corpus) {
    for (const way of WAYS) {
      const hosted = `${name} (${way})`;
      const world = new World();
      const graph = await build(world);
      const localStart = way === "burst with a local start";
      copies.set(hosted, { name: hosted, graph: graph as never, world, localStart });
      graphs[hosted] = graph;
      settings[hosted] = { granularity: way === "node" ? "node" : "burst" };
    }
  }
  return {
    graphs: graphs as Readonly<Record<string, never>>,
    settings,
    copyOf: ({ name }, way) => copies.get(`${name} (${way})`)!,
    async close() {
      for (const { world } of copies.values()) await world.close();
    },
  };
}
