import type { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import type { SqlClient } from "./sql-driver.ts";

/** The class of LangGraph's saver, which is loaded when it is needed. */
export type PostgresSaverClass = typeof PostgresSaver;

/**
 * LangGraph's saver on a connection of ours. It asks its pool for a client and puts BEGIN and COMMIT
 * around its statements; here both mean nothing, so that its statements are part of the transaction
 * that `client` is in.
 */
export function boundSaver(
  Saver: PostgresSaverClass,
  client: SqlClient,
  options: { readonly serde?: SerializerProtocol; readonly schema: string },
): PostgresSaver {
  const bound = {
    query: (text: string, values?: unknown[]) =>
      TRANSACTION_WORDS.has(text) ? Promise.resolve({ rows: [] }) : client.query(text, values),
    release: () => {},
  };
  const pool = { ...bound, connect: () => Promise.resolve(bound) };
  return new Saver(pool as never, options.serde && plainBytes(options.serde), { schema: options.schema });
}

const TRANSACTION_WORDS = new Set(["BEGIN", "COMMIT", "ROLLBACK"]);

/** pg gives bytes as Buffers of its own; a serializer, and a channel that holds bytes, gets plain Uint8Arrays. */
function plainBytes(serde: SerializerProtocol): SerializerProtocol {
  return {
    dumpsTyped: (value: unknown) => serde.dumpsTyped(value),
    loadsTyped: (type: string, data: Uint8Array | string) =>
      serde.loadsTyped(type, Buffer.isBuffer(data) ? new Uint8Array(data) : data),
  };
}
