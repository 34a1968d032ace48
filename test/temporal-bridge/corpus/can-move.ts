import type { CorpusGraph } from "./corpus-graph.ts";

/** Whether there is a moment to hand its thread over; one with timers would have to wait for them by two clocks. */
export function canMove({ script }: CorpusGraph): boolean {
  return script === "end" || (script.length > 1 && !script.some((move) => "due" in move));
}
