import type { Item } from "@langchain/langgraph-checkpoint";
import { checkpointerClosed } from "../closed.ts";
import { fulfils } from "./filter.ts";
import { distinctNamespaces, isBelow } from "./match-namespace.ts";
import type { ItemKey, ItemQuery, ItemWrite, NamespaceQuery, RankCandidate, StoreBackend } from "./store-backend.ts";
import { joinVectors } from "./vectors.ts";

interface MemoryItem extends ItemKey {
  readonly json: string;
  /** Only looked into: whoever asks gets a copy. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly vectors: Float32Array | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number;
  /** Counts writes. */
  readonly written: number;
}

/** Items in the memory of this process. Several stores may have the same ones open. */
export class MemoryItems {
  readonly byId = new Map<string, MemoryItem>();
  written = 0;
  closed = false;

  /** Nobody can reach them any more. */
  close(): void {
    this.closed = true;
    this.byId.clear();
  }
}

/** A store in memory, gone with its process: for tests, and to say in few words what a store does. */
export class MemoryStoreBackend implements StoreBackend {
  readonly #items: MemoryItems;
  readonly #ttlMs: number;

  constructor(items: MemoryItems, options: { readonly ttlMs: number | undefined }) {
    this.#items = items;
    this.#ttlMs = options.ttlMs ?? Number.POSITIVE_INFINITY;
  }

  async read(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    this.#assertOpen();
    const now = Date.now();
    return keys.map((key) => {
      const item = this.#items.byId.get(idOf(key));
      return item && item.expiresAt > now ? copyOf(item) : undefined;
    });
  }

  async search({ limit, offset, ...query }: ItemQuery): Promise<Item[]> {
    return this.#find(query)
      .slice(offset, offset + limit)
      .map(copyOf);
  }

  async rankCandidates(query: Pick<ItemQuery, "prefix" | "conditions">): Promise<RankCandidate[]> {
    return this.#find(query).map(({ written, vectors }) => ({ id: written, vectors }));
  }

  async readRanked(ids: readonly number[]): Promise<(Item | undefined)[]> {
    const byWrite = new Map(this.#live().map((item) => [item.written, item]));
    return ids.map((id) => {
      const item = byWrite.get(id);
      return item && copyOf(item);
    });
  }

  async listNamespaces({ limit, offset, ...query }: NamespaceQuery): Promise<string[][]> {
    const namespaces = distinctNamespaces(
      this.#live().map(({ namespace }) => namespace),
      query,
    );
    return namespaces.slice(offset, offset + limit);
  }

  async write(writes: readonly ItemWrite[]): Promise<void> {
    this.#assertOpen();
    const now = Date.now();
    for (const { namespace, key, json, vectors } of writes) {
      const id = idOf({ namespace, key });
      const old = this.#items.byId.get(id);
      if (json === undefined) this.#items.byId.delete(id);
      else {
        this.#items.byId.set(id, {
          namespace,
          key,
          json,
          value: JSON.parse(json) as Record<string, unknown>,
          vectors: joinVectors(vectors),
          createdAt: old !== undefined && old.expiresAt > now ? old.createdAt : now,
          updatedAt: now,
          expiresAt: now + this.#ttlMs,
          written: (this.#items.written += 1),
        });
      }
    }
  }

  async deleteExpired(): Promise<number> {
    this.#assertOpen();
    const now = Date.now();
    const expired = [...this.#items.byId].filter(([, { expiresAt }]) => expiresAt <= now);
    for (const [id] of expired) this.#items.byId.delete(id);
    return expired.length;
  }

  async close(): Promise<void> {
    // The items belong to whoever made them.
  }

  #find({ prefix, conditions }: Pick<ItemQuery, "prefix" | "conditions">): MemoryItem[] {
    return this.#live()
      .filter(({ namespace, value }) => isBelow(namespace, prefix) && fulfils(value, conditions))
      .sort((a, b) => b.written - a.written);
  }

  #live(): MemoryItem[] {
    this.#assertOpen();
    const now = Date.now();
    return [...this.#items.byId.values()].filter(({ expiresAt }) => expiresAt > now);
  }

  #assertOpen(): void {
    if (this.#items.closed) throw checkpointerClosed("memory:");
  }
}

function idOf({ namespace, key }: ItemKey): string {
  return JSON.stringify([namespace, key]);
}

function copyOf({ namespace, key, json, createdAt, updatedAt }: MemoryItem): Item {
  return {
    namespace: [...namespace],
    key,
    value: JSON.parse(json) as Item["value"],
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
  };
}
