import type { Checkpointer } from "../../checkpoint/index.ts";
import { PerdureError } from "../../errors/index.ts";
import { createRunner } from "../../runner/index.ts";
import type { Runner, ThreadState } from "../../runner/index.ts";
import { WireCodec } from "../shared/wire-codec.ts";
import { activityNow } from "./activity-scope.ts";
import { parseSettings } from "./graph-settings.ts";
import type { GraphMap, GraphSettings, ParsedSettings } from "./graph-settings.ts";

/** The graphs of a worker, and where their threads live. */
export interface HostOptions {
  readonly graphs: GraphMap;
  readonly checkpointer: Checkpointer;
  readonly settings?: Readonly<Record<string, GraphSettings>>;
}

/** A graph on this worker. */
export interface HostedGraph {
  readonly runner: Runner<unknown, Record<string, unknown>>;
  readonly settings: ParsedSettings;
  readonly checkpointer: Checkpointer;
  readonly codec: WireCodec;
}

/** Where a thread of a hosted graph stands. */
export type HostedState = ThreadState;

/** Finds the graph of a name. @throws OPTIONS_INVALID for settings that don't fit; the function GRAPH_NOT_FOUND */
export function hostGraphs({ graphs, checkpointer, settings = {} }: HostOptions): (name: string) => HostedGraph {
  const unknown = Object.keys(settings).filter((name) => !(name in graphs));
  if (unknown.length > 0) {
    throw new PerdureError("OPTIONS_INVALID", `There are settings for ${unknown.join(", ")}, but no such graph.`, {
      hint: `The graphs are: ${Object.keys(graphs).join(", ")}.`,
    });
  }
  const codec = new WireCodec(checkpointer);
  const hosted = new Map(
    Object.entries(graphs).map(([name, graph]): [string, HostedGraph] => {
      const runner = createRunner(graph, { name, checkpointer, now: activityNow }) as unknown as HostedGraph["runner"];
      const parsed = parseSettings(`the settings of graph "${name}"`, settings[name]);
      return [name, { runner, settings: parsed, checkpointer, codec }];
    }),
  );
  return (name) => {
    const graph = hosted.get(name);
    if (graph !== undefined) return graph;
    throw new PerdureError(
      "GRAPH_NOT_FOUND",
      `This worker has no graph "${name}"; it has: ${[...hosted.keys()].join(", ")}.`,
      {
        hint: "Pass the graph to createGraphWorker on every worker of the task queue.",
      },
    );
  };
}
