import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { PerdureError, show } from "../errors/index.ts";

/** What LangGraph's serializer writes, without an error, in place of a value that JSON refuses, such as a bigint. */
const GIVEN_UP = Buffer.from('"[unable to serialize, circular reference is too complex to analyze]"');
/** What it writes in place of a reference that leads back. */
const CIRCULAR = Buffer.from('"[Circular]"');

/**
 * LangGraph's serializer stores a placeholder for what it cannot store, and nothing at all for a
 * function; the thread would come back different, or not at all. This one throws instead.
 * A function inside an object is left out, as JSON does.
 *
 * @throws VALUE_UNSERIALIZABLE, naming what was found and where
 */
export function strictSerializer(serde: SerializerProtocol): SerializerProtocol {
  const reading = quick(serde);
  return {
    async dumpsTyped(value: unknown) {
      const [type, bytes] = await serde.dumpsTyped(value);
      if (type === "json" && typeof value !== "string") assertWritten(value, bytes);
      return [type, bytes];
    },
    loadsTyped: (type: string, data: Uint8Array | string) => explainReading(reading, type, data),
  };
}

const decoder = new TextDecoder();

/** Reads JSON at once where it can. */
function quick(serde: SerializerProtocol): Pick<SerializerProtocol, "loadsTyped"> {
  return {
    loadsTyped: async (type, data) =>
      type === "json"
        ? loadJson(serde, typeof data === "string" ? data : decoder.decode(data))
        : serde.loadsTyped(type, data),
  };
}

/**
 * LangGraph's serializer goes through all that it reads, with a promise for each part, to rebuild what it marked with `lc`;
 * most values have none.
 */
export async function loadJson(serde: SerializerProtocol, text: string): Promise<unknown> {
  return text.includes('"lc":') ? serde.loadsTyped("json", text) : JSON.parse(text);
}

/** What LangGraph's serializer writes. */
const OWN_TYPES = new Set(["json", "bytes"]);

/**
 * Reads a value. One of an unknown type, or that is no JSON, was written by a serializer of the caller.
 * @throws CHECKPOINT_DAMAGED
 */
export async function explainReading(
  serde: Pick<SerializerProtocol, "loadsTyped">,
  type: string,
  data: Uint8Array | string,
): Promise<unknown> {
  try {
    return (await serde.loadsTyped(type, data)) as unknown;
  } catch (error) {
    if (OWN_TYPES.has(type) && !(error instanceof SyntaxError)) throw error;
    throw new PerdureError("CHECKPOINT_DAMAGED", `a stored value of the type ${show(type)} can't be read.`, {
      hint: "It was written with another serializer: give the same `serde` as then. Else restore it from a backup.",
      cause: error,
    });
  }
}

/** Throws `VALUE_UNSERIALIZABLE` for a value that is a function or a symbol. */
export function refuseFunction(value: unknown, path: readonly string[]): void {
  if (typeof value === "function" || typeof value === "symbol") throw unserializable(`a ${typeof value}`, path);
}

function assertWritten(value: unknown, bytes: Uint8Array): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const givenUp = buffer.length === 0 || buffer.equals(GIVEN_UP);
  if (!givenUp && !buffer.includes(CIRCULAR)) return;
  refuseFunction(value, []);
  const found = firstUnserializable(value, [], new Set());
  if (found !== undefined) throw unserializable(found.what, found.path);
  // A text in it may really be "[Circular]".
  if (givenUp) throw unserializable("something that JSON refuses", []);
}

function firstUnserializable(
  value: unknown,
  path: readonly string[],
  parents: Set<unknown>,
): { path: readonly string[]; what: string } | undefined {
  if (typeof value === "bigint") return { path, what: "a bigint" };
  if (typeof value !== "object" || value === null) return undefined;
  if (parents.has(value)) return { path, what: "a reference to what it is part of" };
  parents.add(value);
  const items = value instanceof Map || value instanceof Set ? Object.entries([...value]) : Object.entries(value);
  for (const [key, item] of items) {
    const found = firstUnserializable(item, [...path, key], parents);
    if (found !== undefined) return found;
  }
  parents.delete(value);
  return undefined;
}

function unserializable(what: string, path: readonly string[]): PerdureError {
  const at = path.length === 0 ? "" : ` at ${path.join(".")}`;
  return new PerdureError("VALUE_UNSERIALIZABLE", `a value that has to be stored holds ${what}${at}.`, {
    hint: "Return plain data, and keep functions, connections and the like outside of the state. Nothing was stored.",
  });
}
