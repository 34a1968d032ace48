import type { ChannelVersions, Checkpoint, CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import type { ValueRef } from "./known-checkpoints.ts";
import type { StoredBytes, StoredRow, ValueCodec } from "./value-codec.ts";

/** A checkpoint's row, without its values that lie elsewhere. Short names: there is one for each step. */
interface Body {
  readonly v: number;
  readonly ts: string;
  /** The channels' versions. */
  readonly cv: ChannelVersions;
  /** The versions that each node has seen. */
  readonly vs: Checkpoint["versions_seen"];
  /** Values so small that they lie here. */
  readonly inline: Record<string, unknown>;
  /** By channel: where in the row's `lineages` its own begin; of lists also how many, and 1 if it is sealed. */
  readonly at: Record<string, readonly [from: number] | readonly [from: number, count: number, sealed: 0 | 1]>;
  readonly md: CheckpointMetadata;
}

/** What a row says about a checkpoint. */
export interface DecodedBody {
  /** Values that lie elsewhere are missing in it. */
  readonly checkpoint: Omit<Checkpoint, "id">;
  readonly metadata: CheckpointMetadata;
  readonly refs: ReadonlyMap<string, ValueRef>;
}

/** A body, and the columns it refers to. */
export interface EncodedBody {
  readonly body: StoredBytes;
  readonly lineages: readonly number[];
  readonly upTos: readonly number[];
}

/** Puts together the row of a checkpoint whose values lie at `refs`. */
export async function encodeBody(
  codec: ValueCodec,
  checkpoint: Checkpoint,
  metadata: CheckpointMetadata,
  refs: ReadonlyMap<string, ValueRef>,
): Promise<EncodedBody> {
  const lineages: number[] = [];
  const upTos: number[] = [];
  const inline: Body["inline"] = emptyRecord();
  const at: Body["at"] = emptyRecord();
  for (const [channel, value] of refs) {
    const from = lineages.length;
    if (value.kind === "inline") {
      inline[channel] = value.value;
    } else if (value.kind === "blob") {
      at[channel] = [from];
      lineages.push(value.lineage);
      upTos.push(1);
    } else {
      const { segments, sealed } = value.ref;
      at[channel] = [from, segments.length, sealed ? 1 : 0];
      for (const segment of segments) {
        lineages.push(segment.lineage.id);
        upTos.push(segment.upTo);
      }
    }
  }
  const { v, ts, channel_versions: cv, versions_seen: vs } = checkpoint;
  return { body: await codec.dump({ v, ts, cv, vs, inline, at, md: metadata } satisfies Body), lineages, upTos };
}

/** Reads the row of a checkpoint. */
export async function decodeBody(
  codec: ValueCodec,
  row: StoredRow,
  lineages: readonly number[],
  upTos: readonly number[],
): Promise<DecodedBody> {
  const { v, ts, cv, vs, inline, at, md } = (await codec.load(row)) as Body;
  const refs = new Map<string, ValueRef>();
  for (const [channel, value] of Object.entries(inline)) refs.set(channel, { kind: "inline", value });
  for (const [channel, [from, count, sealed]] of Object.entries(at)) {
    if (count === undefined) {
      refs.set(channel, { kind: "blob", lineage: lineages[from] as number });
      continue;
    }
    const segments = lineages.slice(from, from + count).map((id, index) => {
      const upTo = upTos[from + index] as number;
      // As far as this process knows it ends here; when it does not, appending to it will fail.
      return { lineage: { id, tip: upTo }, upTo };
    });
    refs.set(channel, { kind: "list", ref: { segments, sealed: sealed === 1 } });
  }
  const checkpoint = { v, ts, channel_values: { ...inline }, channel_versions: cv, versions_seen: vs };
  return { checkpoint, metadata: md, refs };
}

/** Without a prototype: a channel may have any name. */
function emptyRecord<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}
