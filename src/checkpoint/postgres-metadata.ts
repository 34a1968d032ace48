import type { CheckpointMetadata } from "@langchain/langgraph-checkpoint";

/** In JSON text: an escaped NUL, or an escaped half of a surrogate pair, which JSON writes only for a lone one. */
const NOT_FOR_JSONB = /\\u(?:0000|d[89a-f][0-9a-f]{2})/u;

/**
 * The metadata with U+FFFD in place of what Postgres's jsonb cannot hold, NUL and lone surrogates.
 * Metadata is what LangGraph and the caller say about a checkpoint; values of channels are stored
 * as bytes and keep every character.
 */
export function storableMetadata(metadata: CheckpointMetadata): CheckpointMetadata {
  const text = JSON.stringify(metadata);
  if (!NOT_FOR_JSONB.test(text)) return metadata;
  return clean(JSON.parse(text)) as CheckpointMetadata;
}

function clean(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("\0", "\uFFFD").toWellFormed();
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [clean(key), clean(item)]));
}
