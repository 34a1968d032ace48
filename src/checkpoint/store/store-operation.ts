import type { ListNamespacesOperation, Operation } from "@langchain/langgraph-checkpoint";
import { PerdureError, show } from "../../errors/index.ts";
import { escapeText } from "./escaped-text.ts";
import { parseFilter } from "./filter.ts";
import { invalidOperation } from "./invalid-operation.ts";
import type { ItemKey, ItemQuery, NamespaceQuery } from "./store-backend.ts";

/** A new value of an item, or its end, before its texts are embedded. */
export interface PutOperation extends ItemKey {
  readonly kind: "put";
  /** An object as JSON; undefined deletes the item. */
  readonly json: string | undefined;
  /** Paths of the texts to embed; undefined for those of the store. */
  readonly index: false | readonly string[] | undefined;
}

/** An operation that was checked. */
export type StoreOperation =
  | PutOperation
  | (ItemKey & { readonly kind: "get" })
  | (ItemQuery & { readonly kind: "search"; readonly query: string | undefined })
  | (NamespaceQuery & { readonly kind: "list" });

/** As LangGraph documents it. */
const DEFAULT_SEARCH_LIMIT = 10;
/**
 * Of a namespace and a key together, with eight more for each label: an entry of an index of Postgres
 * takes 2,704 bytes. The same everywhere, so that what works in memory works on a server.
 */
const MAX_KEY_BYTES = 2_000;

/**
 * Checks an operation, told apart as LangGraph does.
 * @throws STORE_OPERATION_INVALID, VALUE_UNSERIALIZABLE
 */
export function parseOperation(operation: Operation): StoreOperation {
  if ("namespacePrefix" in operation) {
    const { namespacePrefix, filter, limit = DEFAULT_SEARCH_LIMIT, offset = 0, query } = operation;
    if (query !== undefined && typeof query !== "string") {
      throw invalidOperation("the query of a search is no text", "Leave it out, or give a text.");
    }
    return {
      kind: "search",
      prefix: labels(namespacePrefix, "namespacePrefix"),
      conditions: parseFilter(filter),
      ...page(limit, offset),
      query: query === "" ? undefined : query,
    };
  }
  if ("key" in operation) {
    const namespace = labels(operation.namespace, "namespace");
    const { key } = operation;
    if (typeof key !== "string") throw invalidOperation(`the key is a ${typeof key}`, "A key is a text.");
    if (!("value" in operation)) return { kind: "get", namespace, key };
    const { value, index } = operation;
    if (value === null) return { kind: "put", namespace, key, json: undefined, index: false };
    assertWritable(namespace, key);
    return { kind: "put", namespace, key, json: jsonOf(value, namespace, key), index: indexOf(index) };
  }
  if ("matchConditions" in operation || "limit" in operation) {
    const listing: Partial<ListNamespacesOperation> = operation;
    const { matchConditions = [], maxDepth, limit = Number.POSITIVE_INFINITY, offset = 0 } = listing;
    if (maxDepth !== undefined && !(Number.isInteger(maxDepth) && maxDepth > 0)) {
      throw invalidOperation(`maxDepth is ${String(maxDepth)}`, "It is a number of labels, one or more.");
    }
    const paths = (type: "prefix" | "suffix"): string[][] =>
      matchConditions.filter(({ matchType }) => matchType === type).map(({ path }) => labels(path, type));
    const unknown = matchConditions.find(({ matchType }) => matchType !== "prefix" && matchType !== "suffix");
    if (unknown !== undefined) {
      throw invalidOperation(`there is no matchType "${String(unknown.matchType)}"`, "Use prefix or suffix.");
    }
    return { kind: "list", prefixes: paths("prefix"), suffixes: paths("suffix"), maxDepth, ...page(limit, offset) };
  }
  throw invalidOperation(
    "an operation of a batch is none",
    "A get, put, search or listing, as BaseStore defines them.",
  );
}

function labels(path: unknown, what: string): string[] {
  if (!Array.isArray(path)) throw invalidOperation(`${what} is no array`, 'Give an array of texts: ["users", userId].');
  for (const label of path as unknown[]) {
    if (typeof label === "string") continue;
    const described = label === undefined ? "undefined" : `a ${typeof label}`;
    throw invalidOperation(`a label of ${what} is ${described}: ${show(path)}`, "Labels are texts.");
  }
  return [...(path as string[])];
}

function assertWritable(namespace: readonly string[], key: string): void {
  const refuse = (what: string, hint: string): never => {
    throw invalidOperation(`${what} in the namespace ${show(namespace)}`, hint);
  };
  if (namespace.length === 0) refuse("there is no label", "Name at least one.");
  if (namespace.includes(""))
    refuse("a label is empty", "An id that was missing? Every label must be a text with characters.");
  if (namespace[0] === "langgraph") refuse('the first label is "langgraph"', "LangGraph keeps it for itself.");
  const bytes = [key, ...namespace].reduce(
    (sum, text) => sum + Buffer.byteLength(escapeText(text)),
    8 * namespace.length,
  );
  if (bytes > MAX_KEY_BYTES) {
    refuse(
      `the key of ${key.length} characters is too long`,
      `Namespace and key together have at most ${MAX_KEY_BYTES} bytes; put long texts into the value.`,
    );
  }
}

function jsonOf(value: unknown, namespace: readonly string[], key: string): string {
  const at = `the value of ${show([...namespace, key])}`;
  const refuse = (what: string, hint: string, cause?: unknown): never => {
    throw new PerdureError("VALUE_UNSERIALIZABLE", `${at} ${what}.`, {
      hint: `${hint} Nothing was stored.`,
      ...(cause === undefined ? {} : { cause }),
    });
  };
  if (typeof value !== "object" || Array.isArray(value)) {
    throw invalidOperation(`${at} is no object`, "Wrap it: { text: … }. Its keys are what a filter can ask for.");
  }
  let json: string | undefined;
  try {
    json = JSON.stringify(value) as string | undefined;
  } catch (error) {
    refuse("has no JSON", "It holds a bigint, or refers to itself.", error);
  }
  if (!json?.startsWith("{")) return refuse("is no object in JSON", "It has a toJSON that makes something else of it.");
  return json;
}

function indexOf(index: unknown): false | readonly string[] | undefined {
  if (index === undefined || index === null) return undefined;
  if (index === false || (Array.isArray(index) && index.every((path) => typeof path === "string"))) return index;
  throw invalidOperation("the index of a put does not fit", "Give false, or an array of paths.");
}

function page(limit: unknown, offset: unknown): { limit: number; offset: number } {
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (limit !== Number.POSITIVE_INFINITY && !isCount(limit)) {
    throw invalidOperation(`limit is ${String(limit)}`, "It is a whole number, 0 or more, or Infinity.");
  }
  if (!isCount(offset)) throw invalidOperation(`offset is ${String(offset)}`, "It is a whole number, 0 or more.");
  return { limit, offset };
}
