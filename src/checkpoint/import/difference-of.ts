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

/** Compares by what is in them: bytes too, which some savers give as a Buffer and others as a Uint8Array. */
function isSame(one: unknown, other: unknown): boolean {
  if (isDeepStrictEqual(one, other)) return true;
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0;
  if (!isObject(one) || !isObject(other) || !isPlain(one) || !isPlain(other)) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [before, after] = [one as Record<string, unknown>, other as Record<string, unknown>];
  const names = Object.keys(before);
  return (
    names.length === Object.keys(after).length &&
    names.every((name) => Object.hasOwn(after, name) && isSame(before[name], after[name]))
  );
}

/** Compares by what is in them, but the items of lists, which are the same in many checkpoints, once. */
export function itemsOnce(): IsEqual {
  const equal = new WeakMap<object, object>();
  const isSameItem: IsEqual = (one, other) => {
    if (!isObject(one) || !isObject(other)) return isSame(one, other);
    if (equal.get(one) === other) return true;
    const same = isSame(one, other);
    if (same) equal.set(one, other);
    return same;
  };
  return (one, other) => {
    if (!Array.isArray(one) || !Array.isArray(other)) return isSame(one, other);
    return one.length === other.length && one.every((item, index) => isSameItem(item, other[index]));
  };
}

/** Where two readings of a checkpoint differ, in words; undefined when they are equal. */
export function differenceOf(
  one: CheckpointTuple,
  other: CheckpointTuple | undefined,
  isEqual: IsEqual = isSame,
): string | undefined {
  if (other === undefined) return "it can't be read back";
  const [wanted, found] = [comparable(one), comparable(other)];
  for (const part of Object.keys(wanted) as (keyof Comparable)[]) {
    if (part === "writes") continue;
    if (part !== "values" && part !== "versions") {
      if (isSame(wanted[part], found[part])) continue;
      return `its ${part} differ`;
    }
    const differing = differingNames(wanted[part], found[part], isEqual);
    if (differing !== "") return `its ${part} of ${differing} differ`;
  }
  const channels = differingNames(byChannel(wanted.writes), byChannel(found.writes), isSame);
  if (channels !== "") return `its writes to ${channels} differ`;
  return isSame(wanted.writes, found.writes) ? undefined : "the order of its writes differs";
}

function differingNames(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  isEqual: IsEqual,
): string {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter(
      (name) => !Object.hasOwn(before, name) || !Object.hasOwn(after, name) || !isEqual(before[name], after[name]),
    )
    .toSorted()
    .map((name) => `"${name}"`)
    .join(", ");
}

/** What each channel got, and from which tasks. */
function byChannel(writes: readonly CheckpointPendingWrite[]): Record<string, unknown> {
  return Object.fromEntries(Map.groupBy(writes, ([, channel]) => channel));
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

/** Without a class of its own: of others only what they say themselves counts. */
function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
