import type { RunnableConfig } from "@langchain/core/runnables";

/**
 * Something that a step of a schedule reads or changes. A thread's checkpoints are two: the root's with what its tasks
 * wrote, and those of subgraphs. `greatest id` is changed by who makes a checkpoint's id: the next one is greater.
 */
export type Resource =
  | "root"
  | "subgraphs"
  | "record"
  | "answers"
  | "locks"
  | "greatest id"
  | "faults left"
  | `life of ${string}`;

/** What a step touches. Two steps that don't touch the same, or only read it, lead to the same in either order. */
export interface Footprint {
  readonly reads: readonly Resource[];
  readonly writes: readonly Resource[];
}

/** The footprint of what does both. */
export function both(...footprints: readonly Footprint[]): Footprint {
  return {
    reads: footprints.flatMap(({ reads }) => reads),
    writes: footprints.flatMap(({ writes }) => writes),
  };
}

/** Whether two steps can change places. */
export function commute(one: Footprint, other: Footprint): boolean {
  return !clashes(one, other) && !clashes(other, one);
}

function clashes({ writes }: Footprint, other: Footprint): boolean {
  return writes.some((resource) => other.writes.includes(resource) || other.reads.includes(resource));
}

/** The footprint of what touches nothing that others see. */
export const NOTHING: Footprint = { reads: [], writes: [] };

/** The footprint of taking or giving back a lock. */
export const LOCKS: Footprint = { reads: [], writes: ["locks"] };

/** The footprint of making the id of a checkpoint. */
export const MAKES_ID: Footprint = { reads: [], writes: ["greatest id"] };

/** The checkpoints that a config points to. */
export function placeOf(config: RunnableConfig): Resource {
  return (config.configurable?.["checkpoint_ns"] ?? "") === "" ? "root" : "subgraphs";
}
