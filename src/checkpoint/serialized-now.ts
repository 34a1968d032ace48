import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";

/**
 * Serializes `values` as they are now, and returns a serializer that gives those bytes when it is
 * asked for the same values later: after waiting for a connection and a lock, the graph may have
 * changed them.
 */
export async function serializedNow(
  serde: SerializerProtocol,
  values: readonly unknown[],
): Promise<SerializerProtocol> {
  const pairs = values.map(async (value) => [value, await serde.dumpsTyped(value)] as const);
  const dumped = new Map(await Promise.all(pairs));
  return {
    async dumpsTyped(value: unknown) {
      return dumped.get(value) ?? serde.dumpsTyped(value);
    },
    loadsTyped: (type: string, data: Uint8Array | string) => serde.loadsTyped(type, data),
  };
}
