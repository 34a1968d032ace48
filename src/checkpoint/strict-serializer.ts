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
      const text = plainJson(value);
      if (text !== undefined) return ["json", encoder.encode(text)];
      const [type, bytes] = await serde.dumpsTyped(value);
      if (type === "json" && typeof value !== "string") assertWritten(value, bytes);
      return [type, bytes];
    },
    loadsTyped: (type: string, data: Uint8Array | string) => explainReading(reading, type, data),
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What is nested deeper may lead back to itself. */
const MOST_LEVELS = 50;

/**
 * The JSON of a value that is nothing but JSON, which is what LangGraph's serializer writes of it: that asks a function about each
 * part, which takes several times as long. Undefined for any other value.
 */
function plainJson(value: unknown): string | undefined {
  if (!isPlain(value, MOST_LEVELS)) return undefined;
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // too long for a text
  }
}

function isPlain(value: unknown, levels: number): boolean {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return true;
  if (typeof value !== "object") return false;
  if (value === null) return true;
  if (levels === 0 || "toJSON" in value || (value as { lg_name?: unknown }).lg_name === "Send") return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    if (prototype !== Array.prototype) return false;
    for (let index = 0; index < value.length; index += 1) if (!isPlain(value[index], levels - 1)) return false;
    return true;
  }
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key of Object.keys(value)) if (!isPlain((value as Record<string, unknown>)[key], levels - 1)) return false;
  return true;
}

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
