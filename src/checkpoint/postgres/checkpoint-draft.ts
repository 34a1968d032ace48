import { isDeepStrictEqual } from "node:util";
import type { ChannelVersions, Checkpoint, CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import { commonItems } from "./common-items.ts";
import { encodeBody } from "./checkpoint-body.ts";
import type { BlobRow, CheckpointRow } from "./commit.ts";
import type { KnownCheckpoint, ValueRef } from "./known-checkpoints.ts";
import type { ItemMarks, KnownItems } from "./known-items.ts";
import { EMPTY_LIST, lengthOf, moveTail, newLineage, planList } from "./list-ref.ts";
import type { ListRef } from "./list-ref.ts";
import type { StoredBytes, ValueCodec } from "./value-codec.ts";

/** A checkpoint ready to be stored. */
export interface CheckpointDraft {
  readonly row: CheckpointRow;
  readonly blobs: readonly BlobRow[];
  /** What it stands on: the thread as the rows it refers to were found. Absent when it refers to none. */
  readonly basis: KnownCheckpoint | undefined;
  /** The same with what lists grew by in lineages of its own, when somebody else went on from where they were. */
  readonly moved: () => Promise<CheckpointDraft>;
  /** The same on what it stands on as that is now; undefined when the values of that lie elsewhere. */
  readonly rebased: (parent: KnownCheckpoint) => Promise<CheckpointDraft> | undefined;
  /** Called once it is stored. */
  readonly stored: (at: { readonly thread: number; readonly generation: number }) => KnownCheckpoint;
}

/** What a draft is made of. */
export interface DraftInput {
  readonly codec: ValueCodec;
  readonly items: KnownItems;
  readonly ns: string;
  readonly parentId: string | undefined;
  readonly checkpoint: Checkpoint;
  readonly metadata: CheckpointMetadata;
  readonly newVersions: ChannelVersions;
  /** The parent, when it is remembered. */
  readonly parent: KnownCheckpoint | undefined;
  /** Reads the parent when it is not; without a parent, another first checkpoint with these values. */
  readonly readParent: () => Promise<KnownCheckpoint | undefined>;
  /** The stored items of a list, as JSON without brackets; undefined when they are not plain JSON. */
  readonly readList: (parent: KnownCheckpoint, ref: ListRef) => Promise<string | undefined>;
}

interface ChannelDraft {
  readonly ref: ValueRef;
  readonly blob?: BlobRow;
  /** Of a list: its items, to be remembered once it is stored. */
  readonly marks?: ItemMarks;
}

/** Values up to this size lie in the checkpoint's row: a row of their own would take more. */
const INLINE_BYTES = 100;
/** So many items at the end of a list are stored again without asking whether they changed. */
const CHEAP_ITEMS = 8;
const NO_MARKS: ItemMarks = [];

/**
 * Prepares a checkpoint: of each channel that changed only what is new. All values are serialized before this
 * function first waits, since the graph may change them later.
 */
export async function draftCheckpoint(input: DraftInput): Promise<CheckpointDraft> {
  const { parentId, checkpoint } = input;
  const channels = Object.entries(checkpoint.channel_values).map(([channel, value]) => ({
    channel,
    draft: draftChannel(input, channel, value),
  }));
  const parent = input.parent ?? (await input.readParent());
  // What is not said to be new was stored before; where nothing is before, it was never there.
  const present = channels.filter(
    ({ channel }) => channel in input.newVersions || parent !== undefined || parentId !== undefined,
  );
  const drafts = await Promise.all(present.map(async ({ channel, draft }) => [channel, await draft(parent)] as const));
  return assemble(input, parent, drafts);
}

async function assemble(
  input: DraftInput,
  parent: KnownCheckpoint | undefined,
  drafts: readonly (readonly [channel: string, draft: ChannelDraft])[],
): Promise<CheckpointDraft> {
  const { codec, ns, parentId, checkpoint, metadata } = input;
  const refs = new Map(drafts.map(([channel, { ref }]) => [channel, ref]));
  const { body, lineages, upTos } = await encodeBody(codec, checkpoint, metadata, refs);
  return {
    row: { ns, id: checkpoint.id, parentId, body, lineages, upTos },
    blobs: drafts.flatMap(([, { blob }]) => blob ?? []),
    basis: parent,
    moved: () =>
      assemble(
        input,
        parent,
        drafts.map(([channel, draft]) => [channel, movedTail(draft)] as const),
      ),
    rebased: (now) => (parent && isSame(parent.refs, now.refs) ? assemble(input, now, drafts) : undefined),
    stored: ({ thread, generation }) => {
      const marks = new Map<string, ItemMarks>();
      for (const [channel, draft] of drafts) if (draft.marks !== undefined) marks.set(channel, draft.marks);
      return { thread, generation, versions: checkpoint.channel_versions, refs, marks };
    },
  };
}

/** Whether all values lie where they did: `prune` changes the thread, and leaves those of what it keeps in place. */
function isSame(before: KnownCheckpoint["refs"], now: KnownCheckpoint["refs"]): boolean {
  return [...before].every(([channel, ref]) => isDeepStrictEqual(placeOf(ref), placeOf(now.get(channel))));
}

function placeOf(ref: ValueRef | undefined): unknown {
  if (ref?.kind !== "list") return ref;
  return ref.ref.segments.map(({ lineage, upTo }) => [lineage.id, upTo]);
}

function movedTail(draft: ChannelDraft): ChannelDraft {
  if (draft.blob === undefined || draft.ref.kind === "inline") return draft;
  if (draft.ref.kind === "blob") {
    const { id: lineage } = newLineage(1);
    return { ref: { kind: "blob", lineage }, blob: { ...draft.blob, lineage } };
  }
  const { ref, lineage } = moveTail(draft.ref.ref, draft.blob.start);
  return { ...draft, ref: { kind: "list", ref }, blob: { ...draft.blob, lineage: lineage.id } };
}

/** Serializes at once what must be; what depends on the parent is decided when that is known. */
function draftChannel(
  input: DraftInput,
  channel: string,
  value: unknown,
): (parent: KnownCheckpoint | undefined) => Promise<ChannelDraft> {
  if (isSmall(value)) {
    // An empty list may get items until the row is put together.
    const small = Array.isArray(value) ? [] : value;
    return async () => ({ ref: { kind: "inline", value: small } });
  }
  const { parent } = input;
  const same = parent && unchanged(input, parent, channel);
  if (same !== undefined) return async () => same;
  if (Array.isArray(value)) return draftList(input, channel, value);
  const dumped = input.codec.dump(value);
  dumped.catch(ignore);
  return async (known) => {
    const found = parent === undefined && known ? unchanged(input, known, channel) : undefined;
    if (found !== undefined) return found;
    const stored = await dumped;
    if (stored.type === null && stored.bytes.byteLength <= INLINE_BYTES) {
      return { ref: { kind: "inline", value: JSON.parse(Buffer.from(stored.bytes).toString()) as unknown } };
    }
    const { id: lineage } = newLineage(1);
    return { ref: { kind: "blob", lineage }, blob: { lineage, start: 0, stored } };
  };
}

function draftList(
  input: DraftInput,
  channel: string,
  value: readonly unknown[],
): (parent: KnownCheckpoint | undefined) => Promise<ChannelDraft> {
  const { codec, items, parent } = input;
  const before = listBefore(parent, channel);
  const common = items.common(before.marks, value);
  const all = value.slice();
  const stored = lengthOf(before.ref);
  const isRemembered = parent?.marks.has(channel) === true && stored - common <= CHEAP_ITEMS;
  if (parent !== undefined && (isRemembered || stored === 0)) {
    const { ref, append } = planList(before.ref, common, all.length);
    if (append === undefined) {
      return async () => ({ ref: { kind: "list", ref }, marks: before.marks.slice(0, all.length) });
    }
    const { lineage, start } = append;
    const tail = all.slice(start);
    const marks = before.marks.slice(0, start).concat(items.taken(tail));
    const dumped = codec.dumpItems(tail);
    dumped.catch(ignore);
    return async () => ({
      ref: { kind: "list", ref },
      blob: { lineage: lineage.id, start, stored: await dumped },
      marks,
    });
  }
  const marks = items.taken(all);
  const dumped = codec.dumpItems(all);
  dumped.catch(ignore);
  return async (known) => {
    const found = parent === undefined && known ? unchanged(input, known, channel) : undefined;
    if (found !== undefined) return found;
    const text = await dumped;
    const { ref } = listBefore(known, channel);
    const comparison = known && (await compare(input, known, ref, text));
    const plan = planList(ref, comparison?.common ?? 0, all.length);
    const draft: ChannelDraft = { ref: { kind: "list", ref: plan.ref }, marks };
    if (plan.append === undefined) return draft;
    const { lineage, start } = plan.append;
    const tail = start === 0 ? text : (comparison as Comparison).from(start);
    return { ...draft, blob: { lineage: lineage.id, start, stored: tail } };
  };
}

type Comparison = ReturnType<typeof commonItems>;

async function compare(
  input: DraftInput,
  known: KnownCheckpoint,
  ref: ListRef,
  stored: StoredBytes,
): Promise<Comparison | undefined> {
  if (stored.type !== null || lengthOf(ref) === 0) return undefined;
  const text = await input.readList(known, ref);
  return text === undefined ? undefined : commonItems(text, lengthOf(ref), stored);
}

/** The channel as it was, when LangGraph says that it did not change. */
function unchanged(input: DraftInput, parent: KnownCheckpoint, channel: string): ChannelDraft | undefined {
  if (channel in input.newVersions) return undefined;
  const version = input.checkpoint.channel_versions[channel];
  const ref = parent.refs.get(channel);
  if (ref === undefined || version === undefined || parent.versions[channel] !== version) return undefined;
  const marks = parent.marks.get(channel);
  return marks === undefined ? { ref } : { ref, marks };
}

function listBefore(
  parent: KnownCheckpoint | undefined,
  channel: string,
): { readonly ref: ListRef; readonly marks: ItemMarks } {
  const ref = parent?.refs.get(channel);
  if (ref?.kind !== "list") return { ref: EMPTY_LIST, marks: NO_MARKS };
  return { ref: ref.ref, marks: parent?.marks.get(channel) ?? NO_MARKS };
}

function isSmall(value: unknown): boolean {
  if (typeof value === "string") return value.length <= INLINE_BYTES / 2;
  if (Array.isArray(value)) return value.length === 0;
  return value === null || value === undefined || typeof value === "number" || typeof value === "boolean";
}

function ignore(): void {
  // It is awaited later; until then nobody may call it unhandled.
}
