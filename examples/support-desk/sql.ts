/**
 * The little that the order database needs of a Postgres, so that it runs on PGlite (in this process)
 * and on a server alike.
 */
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PGlite } from "@electric-sql/pglite";
import { Client, Pool } from "pg";

const LOCK_TIMEOUT_MS = 3000;
/** SQLite's result code for a lock that another process has. */
const SQLITE_BUSY = 5;
/** Postgres's, when the lock was not free in time. */
const LOCK_NOT_AVAILABLE = "55P03";

/** Where the desk keeps everything: a Postgres server, or a folder for PGlite. */
export type DatabasePlace = { readonly postgres: string } | { readonly folder: string };

/** The database, or its folder, is not there, not ours or in use. The message is one line for who chose it. */
export class UnusablePlace extends Error {}

/** Runs one statement. */
export interface Sql {
  query<Row>(text: string, params?: unknown[]): Promise<{ rows: Row[] }>;
}

/** A database: statements, alone or several as one. */
export interface SqlDatabase extends Sql {
  /** Runs `work` in a transaction: all of it is committed, or, if it throws, nothing. */
  transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
}

/** Opens the database; `connection` is what `openCheckpointer` takes, so that all share it. */
export async function openSql(
  place: DatabasePlace,
): Promise<{ connection: PGlite | Pool; sql: SqlDatabase; close(): Promise<void> }> {
  if ("folder" in place) {
    const unlock = lockFolder(place.folder, "pglite.lock");
    const pglite = await PGlite.create(path.join(place.folder, "pglite"));
    return { connection: pglite, sql: sqlOnPGlite(pglite), close: () => pglite.close().then(unlock) };
  }
  const pool = new Pool({ connectionString: place.postgres, max: 10, connectionTimeoutMillis: 10_000 });
  pool.on("error", () => undefined); // an idle connection that drops is replaced; unheard it would end the process
  try {
    await pool.query("select 1");
  } catch (cause) {
    await pool.end();
    throw unusableDatabase(place.postgres, reasonOf(cause), cause);
  }
  return { connection: pool, sql: sqlOnPool(pool), close: () => pool.end() };
}

/**
 * PGlite takes no lock, and two processes that write to one folder ruin it. SQLite's lock goes with its
 * process, however that ends; one that is just dying is waited for. Each `name` is a lock of its own.
 * @returns what unlocks it
 * @throws UnusablePlace
 */
export function lockFolder(folder: string, name: string): () => void {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path.join(folder, name), { timeout: LOCK_TIMEOUT_MS });
    lock.exec("begin exclusive");
  } catch (cause) {
    lock?.close();
    const why = isBusy(cause) ? "another desk works in it" : reasonOf(cause);
    throw new UnusablePlace(`The folder ${folder} can't be used: ${why}.`, { cause });
  }
  return () => lock.close();
}

/**
 * All desks of a database would work in one schema, and each begins by emptying it. The lock is that of a session, so
 * the server frees it with its process; one that is just ending is waited for.
 * @returns what unlocks it
 * @throws UnusablePlace
 */
export async function lockDatabase(url: string): Promise<() => Promise<void>> {
  const session = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  session.on("error", () => undefined); // unheard it would end the process
  try {
    await session.connect();
    await session.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await session.query("select pg_advisory_lock(hashtext('a support desk'))");
  } catch (cause) {
    session.end().catch(() => undefined);
    const isLocked = cause instanceof Error && "code" in cause && cause.code === LOCK_NOT_AVAILABLE;
    throw unusableDatabase(url, isLocked ? "another desk works in it" : reasonOf(cause), cause);
  }
  return () => session.end();
}

function unusableDatabase(url: string, why: string, cause: unknown): UnusablePlace {
  return new UnusablePlace(`The database on ${new URL(url).host} can't be used: ${why}.`, { cause });
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}

/** Why something failed, in a line. Connections that fail at several addresses only have a code. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : error.name;
  return (error.message.split("\n")[0] || code).replace(/\.$/, "");
}

/** PGlite has one connection: a transaction holds back every other statement until it ends. */
export function sqlOnPGlite(pglite: PGlite): SqlDatabase {
  return {
    query: (text, params) => pglite.query(text, params),
    transaction: (work) => pglite.transaction((sql) => work({ query: (text, params) => sql.query(text, params) })),
  };
}

/** On a server each transaction has a connection of its own. */
export function sqlOnPool(pool: Pool): SqlDatabase {
  return {
    query: async <Row>(text: string, params?: unknown[]) => ({ rows: (await pool.query(text, params)).rows as Row[] }),
    transaction: async (work) => {
      const client = await pool.connect();
      try {
        await client.query("begin");
        const result = await work({
          query: async <Row>(text: string, params?: unknown[]) => ({
            rows: (await client.query(text, params)).rows as Row[],
          }),
        });
        await client.query("commit");
        return result;
      } catch (error) {
        await client.query("rollback");
        throw error;
      } finally {
        client.release();
      }
    },
  };
}
