import type { PGliteInterface } from "@electric-sql/pglite";
import type { IndexConfig } from "@langchain/langgraph-checkpoint";
import type { Pool } from "pg";
import { z } from "zod";
import { PerdureError, isPerdureError, parseOptions } from "../errors/index.ts";
import { Checkpointer } from "./checkpointer.ts";
import { parseCheckpointerUrl } from "./checkpointer-url.ts";
import { invalidTarget, isPglite, isPool } from "./open-checkpointer.ts";
import type { OpenPglite, OpenPool } from "./open-checkpointer.ts";
import { SECRET_OPTIONS, openOptionsSchema } from "./open-options.ts";
import type { ConnectOptions, OpenCheckpointerOptions } from "./open-options.ts";
import { MemoryItems } from "./store/memory-store.ts";
import { sharedDatabase } from "./store/shared-database.ts";
import type { StoreDatabase } from "./store/shared-database.ts";
import { Store } from "./store/store.ts";
import type { StoreBackend } from "./store/store-backend.ts";
import { TextIndex } from "./store/text-index.ts";

/** How to open a store; what does not apply to the kind that is opened is ignored. */
export interface OpenStoreOptions extends Pick<
  OpenCheckpointerOptions,
  "setup" | "poolSize" | "connectTimeoutMs" | "statementTimeoutMs" | "ssl" | "prepare"
> {
  /**
   * The schema of the tables, made if it is missing. For Postgres and PGlite.
   * @default that of the checkpointer, else "public"
   */
  readonly schema?: string | undefined;
  /**
   * How long an item lasts after it was last put. Then it is not found any more; `deleteExpired` removes it.
   * @default for ever
   */
  readonly ttlMs?: number | undefined;
  /**
   * Embeds the texts of items as they are put, so that `search` can rank by a `query`. LangGraph's own
   * `IndexConfig`: the model, the length of its vectors, and which fields to embed. Ranking is exact and reads the
   * vectors of all items that fit prefix and filter.
   * @default no index; then a search with a `query` is an error
   */
  readonly index?: IndexConfig | undefined;
}

// A serializer is none of them: a store that took one and kept plain JSON would pass for encrypted.
const storeOptionsSchema = openOptionsSchema.omit({ serde: true, cacheThreads: true }).extend({
  ttlMs: z.int().min(1).optional(),
  index: z
    .object({
      dims: z.int().min(1),
      embeddings: z.custom<IndexConfig["embeddings"]>(isEmbeddings, "must have embedDocuments and embedQuery"),
      fields: z.array(z.string()).optional(),
    })
    .optional(),
});

/**
 * Opens long-term memory across threads: a LangGraph store on the database that holds the threads, for
 * `graph.compile({ checkpointer, store })`.
 *
 * | target | |
 * |---|---|
 * | a checkpointer of `openCheckpointer` | Shares its pool, PGlite, file or memory. The usual way, and the only one for a directory or file that the checkpointer has open. |
 * | `postgres://…`, `pglite:…`, `sqlite:…`, `memory:` | Opens it as `openCheckpointer` does, for the store alone. |
 * | an open `pg.Pool` or `PGlite` | Used, and left open by `close`. |
 *
 * Tables are created or migrated at once; see `setup`.
 *
 * @throws CHECKPOINTER_URL_INVALID, OPTIONS_INVALID
 * @throws CHECKPOINTER_UNREACHABLE when the server does not answer or lets nobody in, or the file cannot be opened
 * @throws CHECKPOINTER_LOCKED when a directory or file is open already, here or in another process
 * @throws CHECKPOINTER_TABLE_MISSING when tables are missing and may not be made
 * @throws CHECKPOINTER_CLOSED when the checkpointer was closed
 * @throws CHECKPOINTER_UNSUPPORTED when the checkpointer has no database to share
 * @throws PEER_MISSING when the package for this kind is not installed
 */
export async function openStore(
  target: string | OpenPool | OpenPglite | Checkpointer,
  options: OpenStoreOptions = {},
): Promise<Store> {
  const parsed = parseOptions("openStore", storeOptionsSchema, options, { secret: SECRET_OPTIONS });
  const database = await connect(target, parsed, options.schema);
  return new Store({
    backend: await backendOf(database, parsed),
    description: descriptionOf(database),
    index: options.index && new TextIndex(options.index),
  });
}

async function connect(
  target: string | OpenPool | OpenPglite | Checkpointer,
  options: ConnectOptions,
  schema: string | undefined,
): Promise<StoreDatabase> {
  if (typeof target === "string") return connectUrl(target, options);
  if (typeof target !== "object" || target === null) throw invalidTarget(target);
  if (target instanceof Checkpointer) {
    const database = sharedDatabase(target);
    if (database === undefined) {
      throw new PerdureError("CHECKPOINTER_UNSUPPORTED", "the checkpointer has no database that a store could share.", {
        hint: "Pass one of openCheckpointer, or a URL, a pg.Pool or a PGlite.",
      });
    }
    if (database.kind !== "postgres" || schema === undefined) return database;
    return { ...database, address: { ...database.address, schema } };
  }
  if (isPool(target)) {
    const { connectPostgresPool } = await import("./connect-postgres.ts");
    return { kind: "postgres", ...connectPostgresPool(target as unknown as Pool, options) };
  }
  if (isPglite(target)) {
    const { connectPgliteDatabase } = await import("./connect-pglite.ts");
    return { kind: "postgres", ...connectPgliteDatabase(target as unknown as PGliteInterface, options.schema) };
  }
  throw invalidTarget(target);
}

async function connectUrl(target: string, options: ConnectOptions): Promise<StoreDatabase> {
  const url = parseCheckpointerUrl(target);
  switch (url.kind) {
    case "memory":
      return { kind: "memory", items: new MemoryItems() };
    case "pglite":
      return {
        kind: "postgres",
        ...(await unlocked((await import("./connect-pglite.ts")).connectPglitePath(url.path, options.schema))),
      };
    case "sqlite": {
      const { database, description, release } = await unlocked(
        (await import("./connect-sqlite.ts")).connectSqlite(url.path),
      );
      const close = (): void => {
        database.close();
        release();
      };
      return { kind: "sqlite", database, description, release: close };
    }
    case "postgres":
      return {
        kind: "postgres",
        ...(await (await import("./connect-postgres.ts")).connectPostgresUrl(url.url, options)),
      };
  }
}

/** Whoever has it open is most likely the checkpointer of the same program. */
async function unlocked<T>(connecting: Promise<T>): Promise<T> {
  try {
    return await connecting;
  } catch (error) {
    if (!isPerdureError(error, "CHECKPOINTER_LOCKED")) throw error;
    throw new PerdureError("CHECKPOINTER_LOCKED", "the store's database is open already, in this or another process.", {
      hint: "Share what a checkpointer has open: openStore(checkpointer).",
      cause: error,
    });
  }
}

async function backendOf(
  database: StoreDatabase,
  { ttlMs, setup }: { readonly ttlMs?: number | undefined; readonly setup: boolean },
): Promise<StoreBackend> {
  switch (database.kind) {
    case "memory":
      return new (await import("./store/memory-store.ts")).MemoryStoreBackend(database.items, { ttlMs });
    case "sqlite": {
      const { description, release } = database;
      const { SqliteStoreBackend } = await import("./store/sqlite-store.ts");
      return new SqliteStoreBackend(database.database, { description, ttlMs, release });
    }
    case "postgres": {
      const { driver, address, release } = database;
      const [{ setUpStoreTables }, { PostgresStoreBackend }] = await Promise.all([
        import("./store/store-tables.ts"),
        import("./store/postgres-store.ts"),
      ]);
      try {
        await setUpStoreTables(driver, address, { setup });
      } catch (error) {
        await driver.close().finally(release);
        throw error;
      }
      return new PostgresStoreBackend(driver, { schema: address.schema, ttlMs, release });
    }
  }
}

function descriptionOf(database: StoreDatabase): string {
  switch (database.kind) {
    case "memory":
      return "memory:";
    case "sqlite":
      return database.description;
    case "postgres":
      return database.address.description;
  }
}

function isEmbeddings(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return ["embedDocuments", "embedQuery"].every(
    (method) => typeof (value as Record<string, unknown>)[method] === "function",
  );
}
