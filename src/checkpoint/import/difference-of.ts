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

/** Where two readings of a checkpoint differ, in words; undefined when they are equal. */
export function differenceOf(one: CheckpointTuple, other: CheckpointTuple | undefined): string | undefined {
  if (other === undefined) return "it can't be read back";
  const [wanted, found] = [comparable(one), comparable(other)];
  for (const part of Object.keys(wanted) as (keyof Comparable)[]) {
    if (isDeepStrictEqual(wanted[part], found[part])) continue;
    if (part !== "values" && part !== "versions") return `its ${part} differ`;
    const channels = new Set([...Object.keys(wanted[part]), ...Object.keys(found[part])]);
    const differing = [...channels].filter((name) => !isDeepStrictEqual(wanted[part][name], found[part][name]));
    return `its ${part} of ${differing.map((name) => `"${name}"`).join(", ")} differ`;
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
