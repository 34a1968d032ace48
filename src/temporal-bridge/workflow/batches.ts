import type { RunSettings, ThreadReport } from "../shared/protocol.ts";

/** The tasks of one activity. */
export interface Batch {
  readonly tasks: readonly string[];
  /** The node they are of; absent for a burst, which runs whatever is ready. */
  readonly node?: string;
}

/**
 * Splits what can run over activities. A batch holds tasks of one node, so that it can be retried by that node's
 * rules, and a wide superstep makes about as many batches as may run at the same time.
 */
export function batchesOf(
  { tasks }: Pick<ThreadReport, "tasks">,
  { granularity, maxParallelActivities }: Pick<RunSettings, "granularity" | "maxParallelActivities">,
  isTaken: (id: string) => boolean,
): Batch[] {
  const ready = Object.entries(tasks)
    .map(([node, ids]) => ({ node, ids: ids.filter((id) => !isTaken(id)) }))
    .filter(({ ids }) => ids.length > 0);
  const all = ready.flatMap(({ ids }) => ids);
  if (all.length === 0) return [];
  if (granularity === "burst") return [{ tasks: all }];
  const size = Math.ceil(all.length / maxParallelActivities);
  return ready.flatMap(({ node, ids }) =>
    Array.from({ length: Math.ceil(ids.length / size) }, (_, n) => ({
      node,
      tasks: ids.slice(n * size, (n + 1) * size),
    })),
  );
}
