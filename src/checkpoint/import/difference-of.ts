import { isDeepStrictEqual } from "node:util";
import { TASKS, WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import type { CheckpointPendingWrite, CheckpointTuple } from "@langchain/langgraph-checkpoint";

/** What is told apart, and what savers may say as they like: PostgresSaver leaves out sends that are none. */
interface Comparable {
  readonly format: number;
  readonly id: string;
  readonly date: string;
  readonly parent: unknown;
  readonly metadata: unknown;
  readonly values: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, unknown>>;
  readonly "versions seen": unknown;
  readonly writes: readonly CheckpointPendingWrite[];
}

/** Compares values by what is in them. */
export type IsEqual = (one: unknown, other: unknown) => boolean;

/** Compares by what is in them, but the items of lists, which are the same in many checkpoints, once. */
export function itemsOnce(): IsEqual {
  const equal = new WeakMap<object, object>();
  const isSame: IsEqual = (one, other) => {
    if (!isObject(one) || !isObject(other)) return isDeepStrictEqual(one, other);
    if (equal.get(one) === other) return true;
    const same = isDeepStrictEqual(one, other);
    if (same) equal.set(one, other);
    return same;
  };
  return (one, other) => {
    if (!Array.isArray(one) || !Array.isArray(other)) return isDeepStrictEqual(one, other);
    return one.length === other.length && one.every((item, index) => isSame(item, other[index]));
  };
}

/** Where two readings of a checkpoint differ, in words; undefined when they are equal. */
export function differenceOf(
  one: CheckpointTuple,
  other: CheckpointTuple | undefined,
  isEqual: IsEqual = isDeepStrictEqual,
): string | undefined {
  if (other === undefined) return "it can't be read back";
  const [wanted, found] = [comparable(one), comparable(other)];
  for (const part of Object.keys(wanted) as (keyof Comparable)[]) {
    if (part !== "values" && part !== "versions") {
      if (isDeepStrictEqual(wanted[part], found[part])) continue;
      return `its ${part} differ`;
    }
    const [before, after] = [wanted[part], found[part]];
    const differing = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (name) => !Object.hasOwn(before, name) || !Object.hasOwn(after, name) || !isEqual(before[name], after[name]),
    );
    if (differing.length > 0) return `its ${part} of ${differing.map((name) => `"${name}"`).join(", ")} differ`;
  }
  return undefined;
}

function comparable({ checkpoint, metadata, parentConfig, pendingWrites = [] }: CheckpointTuple): Comparable {
  const { v, id, ts, channel_values, channel_versions, versions_seen } = checkpoint;
  const values = { ...channel_values };
  const versions: Record<string, unknown> = { ...channel_versions };
  if (v < 4) {
    values[TASKS] ??= [];
    delete versions[TASKS];
  }
  return {
    format: v,
    id,
    date: ts,
    parent: parentConfig?.configurable?.["checkpoint_id"] ?? undefined,
    metadata,
    values,
    versions,
    "versions seen": versions_seen,
    writes: pendingWrites.toSorted(byTask),
  };
}

/** The result of a task keeps its order, its special writes come before it. */
function byTask(one: CheckpointPendingWrite, other: CheckpointPendingWrite): number {
  if (one[0] !== other[0]) return one[0] < other[0] ? -1 : 1;
  return placeOf(one) - placeOf(other);
}

function placeOf([, channel]: CheckpointPendingWrite): number {
  return WRITES_IDX_MAP[channel] ?? 0;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
