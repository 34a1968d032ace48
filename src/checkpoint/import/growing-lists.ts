import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";

/** So many lists are remembered: those of the channels of a thread, and of its subgraphs. */
const REMEMBERED = 32;
/** Shorter texts are not worth it. */
const MIN_LENGTH = 200;

interface ReadList {
  /** Without the closing bracket. */
  readonly text: string;
  readonly items: readonly unknown[];
}

/**
 * LangGraph's serializer, reading lists that grow from checkpoint to checkpoint once: of a list that begins with the
 * text of one that was read before, only the rest is read, and the items before it are the very same objects. So
 * reading all checkpoints of a thread takes the time that its items take, and not that for each checkpoint.
 */
export function growingLists(serde: SerializerProtocol): SerializerProtocol {
  let lists: ReadList[] = [];
  return {
    dumpsTyped: (value) => serde.dumpsTyped(value),
    async loadsTyped(type: string, data: Uint8Array | string): Promise<unknown> {
      const text = typeof data === "string" ? data : Buffer.from(data).toString();
      const isList = type === "json" && text.length >= MIN_LENGTH && text.startsWith("[") && text.endsWith("]");
      if (!isList) return serde.loadsTyped(type, data);
      const before = lists.find(
        (list) => text.startsWith(list.text) && ",]".includes(text[list.text.length] as string),
      );
      const rest = before === undefined ? text : `[${text.slice(before.text.length + 1)}`;
      // At the very end stands the bracket that closes it.
      const added = rest === "[" ? [] : ((await serde.loadsTyped("json", rest)) as unknown);
      if (!Array.isArray(added)) return added;
      const items: unknown[] = [...(before?.items ?? []), ...(added as unknown[])];
      const read = { text: text.slice(0, -1), items };
      lists = [read, ...lists.filter((list) => list !== before)].slice(0, REMEMBERED);
      return items.slice();
    },
  };
}
