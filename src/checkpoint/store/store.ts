import { BaseStore } from "@langchain/langgraph-checkpoint";
import type { Item, MatchCondition, Operation, OperationResults, SearchItem } from "@langchain/langgraph-checkpoint";
import { PerdureError } from "../../errors/index.ts";
import { invalidOperation } from "./invalid-operation.ts";
import { rank } from "./rank.ts";
import type { ItemQuery, ItemWrite, StoreBackend } from "./store-backend.ts";
import { parseOperation } from "./store-operation.ts";
import type { PutOperation, StoreOperation } from "./store-operation.ts";
import type { TextIndex } from "./text-index.ts";
import { lastWrites } from "./write-queue.ts";

/** What a {@link Store} is made of. */
export interface StoreParts {
  readonly backend: StoreBackend;
  /** What it is, for messages: the URL without its secrets. */
  readonly description: string;
  readonly index: TextIndex | undefined;
}

/**
 * Long-term memory across threads: a LangGraph store on the database that also holds the threads. Pass
 * it to `graph.compile({ checkpointer, store })`; nodes reach it as `config.store`.
 *
 * - A prefix means whole labels: searching `["users", "ana"]` never finds `["users", "anabel"]`. A label
 *   may hold any character. `[]` searches everything.
 * - `search` gives the newest write first; with a `query` the nearest in meaning first.
 * - A filter compares JSON: `{ n: 5 }` does not find `"5"`. `$gt`, `$gte`, `$lt` and `$lte` compare numbers with
 *   numbers and texts with texts, so ISO dates too.
 * - A batch reads first, as it found the store, and then stores all of its puts or none.
 * - Values are JSON, and what comes back is a copy.
 */
export class Store extends BaseStore {
  /** What it is, for messages: the URL without its secrets. */
  readonly description: string;
  readonly #backend: StoreBackend;
  readonly #index: TextIndex | undefined;
  #closing: Promise<void> | undefined;

  constructor({ backend, description, index }: StoreParts) {
    super();
    this.description = description;
    this.#backend = backend;
    this.#index = index;
  }

  /**
   * @throws STORE_OPERATION_INVALID, VALUE_UNSERIALIZABLE when an operation is wrong; then none is done
   * @throws STORE_CLOSED, CHECKPOINTER_CLOSED, CHECKPOINTER_UNREACHABLE
   */
  override async batch<Op extends Operation[]>(operations: Op): Promise<OperationResults<Op>> {
    this.#assertOpen();
    const parsed = operations.map((operation) => parseOperation(operation));
    const writes = await this.#embedded(lastWrites(parsed.filter((operation) => operation.kind === "put")));
    const results = await this.#read(parsed);
    if (writes.length > 0) await this.#backend.write(writes);
    return results as OperationResults<Op>;
  }

  // LangGraph's own refuse some labels: with a period, and newer ones with a colon or NUL too. Here they are like any other.

  override async get(namespace: string[], key: string): Promise<Item | null> {
    const [item = null] = await this.batch([{ namespace, key }]);
    return item;
  }

  override async search(
    namespacePrefix: string[],
    options: Parameters<BaseStore["search"]>[1] = {},
  ): Promise<SearchItem[]> {
    const [items = []] = await this.batch([{ ...options, namespacePrefix }]);
    return items;
  }

  override async put(namespace: string[], key: string, value: Item["value"], index?: false | string[]): Promise<void> {
    await this.batch([{ namespace, key, value, ...(index === undefined ? {} : { index }) }]);
  }

  override async delete(namespace: string[], key: string): Promise<void> {
    await this.batch([{ namespace, key, value: null }]);
  }

  override async listNamespaces(options: Parameters<BaseStore["listNamespaces"]>[0] = {}): Promise<string[][]> {
    const { prefix, suffix, limit = 100, offset = 0, maxDepth } = options;
    const matchConditions: MatchCondition[] = [
      ...(prefix === undefined ? [] : [{ matchType: "prefix" as const, path: prefix }]),
      ...(suffix === undefined ? [] : [{ matchType: "suffix" as const, path: suffix }]),
    ];
    const depth = maxDepth === undefined ? {} : { maxDepth };
    const [namespaces = []] = await this.batch([{ matchConditions, limit, offset, ...depth }]);
    return namespaces;
  }

  /**
   * Removes the items that have expired, which are not found any more since they did. Call it from time to
   * time where a store has a `ttlMs`.
   * @returns how many there were
   */
  async deleteExpired(): Promise<number> {
    this.#assertOpen();
    return this.#backend.deleteExpired();
  }

  /**
   * Frees what was opened for the store: a pool or a file when it was opened by a URL. What it shares with a
   * checkpointer, and a pool or PGlite that was handed in, stays open.
   */
  close(): Promise<void> {
    this.#closing ??= this.#backend.close();
    return this.#closing;
  }

  /** The same as `close`, under the name that LangGraph has for it. */
  override stop(): Promise<void> {
    return this.close();
  }

  /** In the order of the operations; undefined for a put. */
  async #read(operations: readonly StoreOperation[]): Promise<unknown[]> {
    const gets = operations.filter((operation) => operation.kind === "get");
    const items = gets.length === 0 ? [] : await this.#backend.read(gets);
    const found = new Map<StoreOperation, Item | null>(gets.map((get, index) => [get, items[index] ?? null]));
    return Promise.all(
      operations.map(async (operation) => {
        switch (operation.kind) {
          case "get":
            return found.get(operation);
          case "search":
            return operation.query === undefined
              ? this.#backend.search(operation)
              : this.#searchByMeaning(operation, operation.query);
          case "list":
            return this.#backend.listNamespaces(operation);
          case "put":
            return undefined;
        }
      }),
    );
  }

  async #searchByMeaning(query: ItemQuery, text: string): Promise<SearchItem[]> {
    if (this.#index === undefined) {
      throw invalidOperation(
        "a search has a query, but the store has no index to rank items with",
        "Open it with `index: { dims, embeddings }`, or search without `query`.",
      );
    }
    const [vector, candidates] = await Promise.all([this.#index.embedQuery(text), this.#backend.rankCandidates(query)]);
    const ranked = rank(candidates, vector, query);
    const items = await this.#backend.readRanked(ranked.map(({ id }) => id));
    return ranked.flatMap(({ score }, index) => {
      const item = items[index];
      if (item === undefined) return [];
      return score === undefined ? item : { ...item, score };
    });
  }

  async #embedded(puts: readonly PutOperation[]): Promise<ItemWrite[]> {
    const vectors = await this.#index?.embedItems(puts);
    return puts.map(({ namespace, key, json }, index) => ({ namespace, key, json, vectors: vectors?.[index] ?? [] }));
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return;
    throw new PerdureError("STORE_CLOSED", `the store in ${this.description} was closed.`, {
      hint: "Close it when the last run has ended, or open another one.",
    });
  }
}
