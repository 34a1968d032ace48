import { isDeepStrictEqual } from "node:util";
import type { StoredBytes } from "./value-codec.ts";

/**
 * Compares a list with a stored one, both JSON without brackets: how many items at the start are equal, and
 * the rest as it is to be stored. The order of keys does not count: a message that was stored and read
 * may write them in another one.
 *
 * @param before The stored items, and how many they are.
 */
export function commonItems(
  before: string,
  length: number,
  list: StoredBytes,
): { readonly common: number; readonly from: (start: number) => StoredBytes } {
  const text = Buffer.from(list.bytes.buffer, list.bytes.byteOffset, list.bytes.byteLength).toString();
  if (text === before) return { common: length, from: () => jsonItems("") };
  if (text.startsWith(before) && text[before.length] === ",") {
    return { common: length, from: () => jsonItems(text.slice(before.length + 1)) };
  }
  const items = JSON.parse(`[${text}]`) as unknown[];
  const stored = JSON.parse(`[${before}]`) as unknown[];
  const differs = items.findIndex((item, index) => index >= length || !isDeepStrictEqual(item, stored[index]));
  const common = differs === -1 ? items.length : differs;
  return { common, from: (start) => jsonItems(JSON.stringify(items.slice(start)).slice(1, -1)) };
}

function jsonItems(text: string): StoredBytes {
  return { type: null, bytes: Buffer.from(text) };
}
