import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Item } from "@langchain/langgraph-checkpoint";
import { checkpointerClosed } from "../closed.ts";
import { MARK, escapeText, unescapeText } from "./escaped-text.ts";
import { fulfils } from "./filter.ts";
import { distinctNamespaces } from "./match-namespace.ts";
import type { ItemKey, ItemQuery, ItemWrite, NamespaceQuery, RankCandidate, StoreBackend } from "./store-backend.ts";
import { bytesOfVectors, joinVectors, vectorsOfBytes } from "./vectors.ts";

interface ItemRow {
  readonly path: string;
  readonly key: string;
  readonly value: string;
  readonly vectors: Uint8Array | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly expires_at: number;
  readonly written: number;
}

/** What a {@link SqliteStoreBackend} needs. */
export interface SqliteStoreOptions {
  readonly description: string;
  readonly ttlMs: number | undefined;
  /** Frees the file where it was opened for the store. */
  readonly release: () => void;
}

/** Ends each label; no escaped label holds it. {@link BEYOND} in its place comes after all that lies below. */
const END = `${MARK}!`;
const BEYOND = `${MARK}"`;

/** Items in a file of SQLite, which belongs to this process alone. Conditions are judged here, row by row. */
export class SqliteStoreBackend implements StoreBackend {
  readonly #database: DatabaseSync;
  readonly #options: SqliteStoreOptions;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, options: SqliteStoreOptions) {
    this.#database = database;
    this.#options = options;
  }

  async read(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    const now = Date.now();
    return keys.map(({ namespace, key }) => {
      const row = this.#prepare("SELECT * FROM store_items WHERE path = ? AND key = ? AND expires_at > ?").get(
        pathOf(namespace),
        escapeText(key),
        now,
      );
      return row && itemOf(row as unknown as ItemRow);
    });
  }

  async search({ limit, offset, ...query }: ItemQuery): Promise<Item[]> {
    const items: Item[] = [];
    let skipped = 0;
    if (limit === 0) return items;
    for (const row of this.#find(query)) {
      if (skipped < offset) skipped += 1;
      else if (items.push(itemOf(row)) >= limit) break;
    }
    return items;
  }

  async rankCandidates(query: Pick<ItemQuery, "prefix" | "conditions">): Promise<RankCandidate[]> {
    return Array.from(this.#find(query), ({ written, vectors }) => ({
      id: written,
      vectors: vectors === null ? undefined : vectorsOfBytes(vectors),
    }));
  }

  async readRanked(ids: readonly number[]): Promise<(Item | undefined)[]> {
    const now = Date.now();
    const statement = this.#prepare("SELECT * FROM store_items WHERE written = ? AND expires_at > ?");
    return ids.map((id) => {
      const row = statement.get(id, now);
      return row && itemOf(row as unknown as ItemRow);
    });
  }

  async listNamespaces({ limit, offset, ...query }: NamespaceQuery): Promise<string[][]> {
    const rows = this.#prepare("SELECT DISTINCT path FROM store_items WHERE expires_at > ?").all(Date.now());
    const namespaces = rows.map(({ path }) => labelsOf(path as string));
    return distinctNamespaces(namespaces, query).slice(offset, offset + limit);
  }

  async write(writes: readonly ItemWrite[]): Promise<void> {
    const now = Date.now();
    const expiresAt = now + (this.#options.ttlMs ?? Number.POSITIVE_INFINITY);
    const remove = this.#prepare("DELETE FROM store_items WHERE path = ? AND key = ? RETURNING created_at, expires_at");
    const put = this.#prepare(
      `INSERT INTO store_items (path, key, value, vectors, created_at, updated_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const { namespace, key, json, vectors } of writes) {
        const at = [pathOf(namespace), escapeText(key)] as const;
        const old = remove.get(...at) as Pick<ItemRow, "created_at" | "expires_at"> | undefined;
        if (json === undefined) continue;
        const createdAt = old !== undefined && old.expires_at > now ? old.created_at : now;
        const joined = joinVectors(vectors);
        put.run(...at, json, joined === undefined ? null : bytesOfVectors(joined), createdAt, now, expiresAt);
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  async deleteExpired(): Promise<number> {
    return Number(this.#prepare("DELETE FROM store_items WHERE expires_at <= ?").run(Date.now()).changes);
  }

  async close(): Promise<void> {
    this.#options.release();
  }

  *#find({ prefix, conditions }: Pick<ItemQuery, "prefix" | "conditions">): Iterable<ItemRow> {
    const path = pathOf(prefix);
    const below: SQLInputValue[] = prefix.length === 0 ? [] : [path, path.slice(0, -END.length) + BEYOND];
    const range = prefix.length === 0 ? "" : "path >= ? AND path < ? AND";
    const statement = this.#prepare(`SELECT * FROM store_items WHERE ${range} expires_at > ? ORDER BY written DESC`);
    for (const found of statement.iterate(...below, Date.now())) {
      const row = found as unknown as ItemRow;
      if (conditions.length === 0 || fulfils(JSON.parse(row.value) as Record<string, unknown>, conditions)) yield row;
    }
  }

  #prepare(sql: string): StatementSync {
    if (!this.#database.isOpen) throw checkpointerClosed(this.#options.description);
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }
}

/** One text for a namespace, which begins with the text of each namespace above it, and with no other's. */
function pathOf(namespace: readonly string[]): string {
  return namespace.map((label) => escapeText(label) + END).join("");
}

function labelsOf(path: string): string[] {
  return path.split(END).slice(0, -1).map(unescapeText);
}

function itemOf({ path, key, value, created_at, updated_at }: ItemRow): Item {
  return {
    namespace: labelsOf(path),
    key: unescapeText(key),
    value: JSON.parse(value) as Item["value"],
    createdAt: new Date(created_at),
    updatedAt: new Date(updated_at),
  };
}
