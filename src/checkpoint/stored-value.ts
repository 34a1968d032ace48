import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";

/** A value as a serializer wrote it. */
export interface StoredValue {
  /** The serializer's own tag, such as `json` or `bytes`. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Serializes a value. */
export async function toStored(serde: SerializerProtocol, value: unknown): Promise<StoredValue> {
  const [type, bytes] = await serde.dumpsTyped(value);
  return { type, bytes };
}

/** Reads a value back. */
export function fromStored(serde: SerializerProtocol, stored: StoredValue): Promise<unknown> {
  return serde.loadsTyped(stored.type, stored.bytes);
}
