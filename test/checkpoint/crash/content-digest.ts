import { createHash } from "node:crypto";
import type { Checkpoint, CheckpointMetadata } from "@langchain/langgraph-checkpoint";

/** A short digest of a value that JSON can hold, the same whatever the order of its keys. */
export function contentDigest(value: unknown): string {
  return createHash("sha1")
    .update(JSON.stringify(sorted(value)))
    .digest("base64url")
    .slice(0, 12);
}

/** The digest of all that a checkpoint must give back. */
export function checkpointDigest(checkpoint: Checkpoint, metadata: CheckpointMetadata | undefined): string {
  const { id, ts, channel_versions, versions_seen } = checkpoint;
  // a channel without a version was never written; what is there is its default
  const written = Object.entries(checkpoint.channel_values).filter(([channel]) => channel in channel_versions);
  const channel_values = Object.fromEntries(written);
  const { source, step } = metadata ?? {};
  return contentDigest({ id, ts, channel_values, channel_versions, versions_seen, source, step });
}

/** By it the serializer knows a Send, which comes back as one, without it. */
const SEND_MARK = "lg_name";

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).filter(([key]) => key !== SEND_MARK);
  entries.sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
