import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { PerdureError } from "../errors/index.ts";

/**
 * A value as it comes back from the checkpointer, so that what a node sees is the same whether it was
 * computed just now or read.
 * @param what names the value in the error, at the start of a sentence
 * @throws PerdureError `VALUE_UNSERIALIZABLE` for functions, symbols, bigints and circular values
 */
export async function asStored<T>(value: T, checkpointer: BaseCheckpointSaver | undefined, what: string): Promise<T> {
  checkStorable(value, what, "", new Set());
  if (checkpointer === undefined || typeof value !== "object" || value === null) return value;
  const [type, bytes] = await checkpointer.serde.dumpsTyped(value);
  return checkpointer.serde.loadsTyped(type, bytes) as Promise<T>;
}

function checkStorable(value: unknown, what: string, path: string, parents: Set<object>): void {
  const type = typeof value;
  if (type === "function" || type === "symbol" || type === "bigint") throw unserializable(what, path, `a ${type}`);
  if (typeof value !== "object" || value === null) return;
  if (parents.has(value)) throw unserializable(what, path, "a reference to what it is part of");
  if (!isPlain(value)) return; // messages, dates, maps: the serializer's own business
  parents.add(value);
  for (const [key, child] of Object.entries(value)) checkStorable(child, what, `${path}.${key}`, parents);
  parents.delete(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

function unserializable(what: string, path: string, found: string): PerdureError {
  const place = path === "" ? "is" : `has at \`${path.slice(1)}\``;
  return new PerdureError("VALUE_UNSERIALIZABLE", `${what} ${place} ${found}, which can't be stored.`, {
    hint: "Return plain data: objects, lists, text, numbers, booleans, null.",
  });
}
