import { randomBytes } from "node:crypto";

/** Items of lists, stored once and in order. Every list that begins like this one may refer to it. */
export interface Lineage {
  readonly id: number;
  /** One past the last index that is stored, as far as this process knows. */
  tip: number;
}

/** The part of a list that lies in one lineage: from where the segment before it ends, up to here. */
export interface Segment {
  readonly lineage: Lineage;
  readonly upTo: number;
}

/** Where a list is stored. */
export interface ListRef {
  readonly segments: readonly Segment[];
  /** Ends where its last lineage may go on otherwise, so nothing is appended there. */
  readonly sealed: boolean;
}

/** How a list is stored, given how the one before it was. */
export interface ListPlan {
  readonly ref: ListRef;
  /** The items from `start` on are new, and go to `lineage`; absent when none are. */
  readonly append?: { readonly lineage: Lineage; readonly start: number };
}

/** A list in more parts than this is stored anew as one: reading it would take longer and longer. */
const MAX_SEGMENTS = 32;

/** A list of no items. */
export const EMPTY_LIST: ListRef = { segments: [], sealed: false };

/** How many items the list has. */
export function lengthOf(ref: ListRef): number {
  return ref.segments.at(-1)?.upTo ?? 0;
}

/**
 * Plans how to store a list of `length` items whose first `common` ones are those of `before`: what grew
 * stores its tail; an edit, or a fork, goes on in a lineage of its own that begins where the two part.
 */
export function planList(before: ListRef, common: number, length: number): ListPlan {
  const stored = lengthOf(before);
  if (common === 0 || before.segments.length === 0) return fresh(length);
  if (common === stored) {
    if (length === stored) return { ref: before };
    const last = before.segments.at(-1) as Segment;
    if (!before.sealed && last.lineage.tip === stored) {
      last.lineage.tip = length;
      const segments = [...before.segments.slice(0, -1), { lineage: last.lineage, upTo: length }];
      return { ref: { segments, sealed: false }, append: { lineage: last.lineage, start: stored } };
    }
  }
  const kept = before.segments.filter((_segment, index) => (before.segments[index - 1]?.upTo ?? 0) < common);
  const last = kept.pop() as Segment;
  kept.push({ lineage: last.lineage, upTo: Math.min(last.upTo, common) });
  if (length === common) return { ref: { segments: kept, sealed: true } };
  if (kept.length >= MAX_SEGMENTS) return fresh(length);
  const lineage = newLineage(length);
  return {
    ref: { segments: [...kept, { lineage, upTo: length }], sealed: false },
    append: { lineage, start: common },
  };
}

/** The same list with its items from `start` on, the last that were stored, in a lineage of their own. */
export function moveTail({ segments }: ListRef, start: number): { readonly ref: ListRef; readonly lineage: Lineage } {
  const last = segments.at(-1) as Segment;
  const lineage = newLineage(last.upTo);
  const before = segments.slice(0, -1);
  if ((before.at(-1)?.upTo ?? 0) < start) before.push({ lineage: last.lineage, upTo: start });
  return { ref: { segments: [...before, { lineage, upTo: last.upTo }], sealed: false }, lineage };
}

function fresh(length: number): ListPlan {
  if (length === 0) return { ref: EMPTY_LIST };
  const lineage = newLineage(length);
  return { ref: { segments: [{ lineage, upTo: length }], sealed: false }, append: { lineage, start: 0 } };
}

/** A lineage with an id of its own: 48 random bits, within one thread. */
export function newLineage(tip: number): Lineage {
  return { id: randomBytes(6).readUIntBE(0, 6), tip };
}
