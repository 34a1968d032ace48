import { WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import type { CheckpointPendingWrite, CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";

/** A checkpoint as it is compared: without what savers may say as they like. */
export interface ComparableTuple {
  readonly at: ComparablePlace;
  readonly parent: ComparablePlace | undefined;
  readonly checkpoint: CheckpointTuple["checkpoint"];
  readonly metadata: CheckpointTuple["metadata"];
  readonly writes: readonly CheckpointPendingWrite[];
}

type ComparablePlace = readonly [thread: unknown, namespace: unknown, checkpoint: unknown];

/**
 * Savers may put more into a config, and give the writes of several tasks in any order: LangGraph sorts
 * tasks by their path. The result of one task keeps its order, its special writes come before it.
 */
export function comparable(tuple: CheckpointTuple): ComparableTuple {
  const position = ([, channel]: CheckpointPendingWrite): number => WRITES_IDX_MAP[channel] ?? 0;
  const writes = (tuple.pendingWrites ?? []).toSorted(
    (one, other) => compare(one[0], other[0]) || compare(position(one), position(other)),
  );
  // A channel that nobody wrote to has a default and no version: MemorySaver stores it, and a graph makes it anew.
  const values = Object.entries(tuple.checkpoint.channel_values);
  const written = values.filter(([channel]) => Object.hasOwn(tuple.checkpoint.channel_versions, channel));
  const checkpoint = { ...tuple.checkpoint, channel_values: Object.fromEntries(written) };
  const parent = tuple.parentConfig?.configurable?.["checkpoint_id"] ? place(tuple.parentConfig) : undefined;
  return { at: place(tuple.config), parent, checkpoint, metadata: tuple.metadata, writes };
}

/** Checkpoints of several namespaces or threads, in one order: savers list them as they like. */
export function inOneOrder(tuples: readonly ComparableTuple[]): ComparableTuple[] {
  return tuples.toSorted((one, other) => compare(JSON.stringify(one.at), JSON.stringify(other.at)));
}

/** The place that a config names. */
export function place(config: RunnableConfig): ComparablePlace {
  const { thread_id, checkpoint_ns, checkpoint_id } = config.configurable ?? {};
  return [thread_id, checkpoint_ns ?? "", checkpoint_id];
}

function compare<T extends string | number>(one: T, other: T): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
