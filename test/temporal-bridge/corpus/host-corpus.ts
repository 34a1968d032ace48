import type { DrivableGraph } from "perdure/runner";
import type { GraphSettings } from "perdure/temporal/worker";
import type { CorpusGraph } from "./corpus-graph.ts";
import type { HostedCopy } from "./play-on-temporal.ts";
import { World } from "./world.ts";

/** Both ways in which the activities of a graph may be cut. */
export const GRANULARITIES = ["node", "burst"] as const;

/** Copies of graphs for a worker, one for each granularity. */
export interface HostedCorpus {
  readonly graphs: Readonly<Record<string, never>>;
  readonly settings: Readonly<Record<string, GraphSettings>>;
  copyOf(graph: CorpusGraph, granularity: (typeof GRANULARITIES)[number]): HostedCopy;
  close(): Promise<void>;
}

export async function hostCorpus(corpus: readonly CorpusGraph[]): Promise<HostedCorpus> {
  const copies = new Map<string, HostedCopy>();
  const settings: Record<string, GraphSettings> = {};
  const graphs: Record<string, DrivableGraph> = {};
  for (const { name, build } of corpus) {
    for (const granularity of GRANULARITIES) {
      const hosted = `${name} (${granularity})`;
      const world = new World();
      const graph = await build(world);
      copies.set(hosted, { name: hosted, graph: graph as never, world });
      graphs[hosted] = graph;
      settings[hosted] = { granularity };
    }
  }
  return {
    graphs: graphs as Readonly<Record<string, never>>,
    settings,
    copyOf: ({ name }, granularity) => copies.get(`${name} (${granularity})`)!,
    async close() {
      for (const { world } of copies.values()) await world.close();
    },
  };
}
