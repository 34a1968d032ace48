import type { Runnable } from "@langchain/core/runnables";

/**
 * What keeps a conditional edge from being taken for ever: a cap, or a person who is asked each time.
 * It is attached to the edge's condition, where {@link checkGraph} and {@link drawGraph} find it.
 */
export interface EdgeGuard {
  /** The node the guarded edge leads to. */
  readonly to: string;
  /** How often it may be taken in a turn; `undefined` if that is computed from the state. */
  readonly max?: number | undefined;
  /** Whether a person decides each time. */
  readonly asks?: boolean | undefined;
}

/** Registered, so that a second copy of the package reads the guards of the first. */
const EDGE_GUARD = Symbol.for("perdure.edgeGuard");

/** Marks a conditional edge's condition as guarded and returns it. */
export function guardEdge<Path extends Runnable>(path: Path, guard: EdgeGuard): Path {
  return Object.assign(path, { [EDGE_GUARD]: guard });
}

/** The guard of a conditional edge, if its condition has one. */
export function edgeGuard(path: unknown): EdgeGuard | undefined {
  if (typeof path !== "object" || path === null || !(EDGE_GUARD in path)) return undefined;
  return path[EDGE_GUARD] as EdgeGuard;
}
