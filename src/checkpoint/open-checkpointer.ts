import type { PGliteInterface } from "@electric-sql/pglite";
import type { Pool } from "pg";
import { PerdureError, show } from "../errors/index.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { IS_IT_SET, URL_HINT, parseCheckpointerUrl } from "./checkpointer-url.ts";
import { MemoryCheckpointer } from "./memory-checkpointer.ts";
import { parseOpenOptions } from "./open-options.ts";
import type { OpenCheckpointerOptions } from "./open-options.ts";

/** What {@link openCheckpointer} needs of an open `pg.Pool`. */
export interface OpenPool {
  connect(): Promise<unknown>;
  query(text: string, values?: unknown[]): Promise<unknown>;
  readonly totalCount: number;
}

/** What {@link openCheckpointer} needs of an open `PGlite`. */
export interface OpenPglite {
  query(text: string, values?: unknown[]): Promise<unknown>;
  transaction(work: (transaction: Pick<OpenPglite, "query">) => Promise<unknown>): Promise<unknown>;
  readonly closed: boolean;
}

/**
 * Opens the place where threads live.
 *
 * | target | |
 * |---|---|
 * | `memory:` | In this process, gone with it. |
 * | `pglite:./directory` | Postgres embedded in this process; one opener at a time. `pglite:memory` for tests. |
 * | `sqlite:./file` | node:sqlite; one opener at a time. `sqlite::memory:` for tests. |
 * | `postgres://user:password@host:5432/database` | A server that many processes share. |
 * | an open `pg.Pool` or `PGlite` | Used, and left open by `close`. |
 *
 * Tables are created or migrated at once; see `setup`. The locks of threads on Postgres belong to a
 * session, so pgbouncer must not be in transaction mode.
 *
 * @throws CHECKPOINTER_URL_INVALID, OPTIONS_INVALID
 * @throws CHECKPOINTER_UNREACHABLE when the server does not answer or lets nobody in, or the file cannot be opened
 * @throws CHECKPOINTER_LOCKED when a directory or file is open already, here or in another process
 * @throws CHECKPOINTER_TABLE_MISSING when tables are missing and may not be made
 * @throws PEER_MISSING when the package for this kind is not installed
 * @see docs/checkpointer.md: options, importing, lists, pruning, encryption, and what is safe when
 */
export async function openCheckpointer(
  target: string | OpenPool | OpenPglite,
  options: OpenCheckpointerOptions = {},
): Promise<Checkpointer> {
  const parsed = parseOpenOptions(options);
  if (typeof target === "string") {
    const url = parseCheckpointerUrl(target);
    switch (url.kind) {
      case "memory":
        return new MemoryCheckpointer(parsed.serde);
      case "pglite":
        return (await import("./open-pglite.ts")).openPglitePath(url.path, parsed);
      case "sqlite":
        return (await import("./open-sqlite.ts")).openSqlite(url.path, parsed);
      case "postgres":
        return (await import("./open-postgres.ts")).openPostgresUrl(url.url, parsed);
    }
  }
  if (typeof target !== "object" || target === null) throw invalidTarget(target);
  if (isPool(target)) return (await import("./open-postgres.ts")).openPostgresPool(target as unknown as Pool, parsed);
  if (isPglite(target)) {
    return (await import("./open-pglite.ts")).openPgliteDatabase(target as unknown as PGliteInterface, parsed);
  }
  throw invalidTarget(target);
}

/** The error for a target of no known form. */
export function invalidTarget(target: unknown): PerdureError {
  if (typeof target === "object" && target !== null) {
    return new PerdureError("CHECKPOINTER_URL_INVALID", "the target is neither a URL, a pg.Pool nor a PGlite.", {
      hint: "A pg.Client is one connection; pass a Pool.",
    });
  }
  const question = target === undefined ? `: ${IS_IT_SET}` : ".";
  return new PerdureError("CHECKPOINTER_URL_INVALID", `the target can't be ${show(target)}${question}`, {
    hint: `Pass a URL, a pg.Pool or a PGlite. ${URL_HINT}`,
  });
}

/** Whether it is an open `pg.Pool`. */
export function isPool(target: object): target is OpenPool {
  return "totalCount" in target && "connect" in target && "query" in target;
}

/** Whether it is an open `PGlite`. */
export function isPglite(target: object): target is OpenPglite {
  return "transaction" in target && "query" in target && "closed" in target;
}
