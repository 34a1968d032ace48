import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import type { DrivableGraph } from "perdure/runner";

/** A runner for a graph, on a checkpointer in memory: a new one, or one that is passed on to a second runner. */
export async function memoryRunner<const G extends DrivableGraph>(
  graph: G,
  options: { readonly checkpointer?: Checkpointer; readonly now?: () => number } = {},
) {
  const { checkpointer = await openCheckpointer("memory:"), now = Date.now } = options;
  return { runner: createRunner(graph, { name: "test", checkpointer, now }), checkpointer };
}
