import { mkdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { PerdureError, isPerdureError } from "../errors/index.ts";
import { takeOwnerLock } from "./owner-lock.ts";
import { migrateSqlite } from "./sqlite-tables.ts";

/** An open file of SQLite with its tables. */
export interface SqliteConnection {
  readonly database: DatabaseSync;
  readonly description: string;
  /** Lets others open the file; called after the database was closed. */
  readonly release: () => void;
}

/** Opens a file of SQLite, made if it is missing, or a database in memory without a path. */
export async function connectSqlite(path: string | undefined): Promise<SqliteConnection> {
  if (path === undefined) return connect(":memory:", "sqlite::memory:", () => {});
  const description = `sqlite:${path}`;
  const file = await realFile(path, description);
  const lock = await takeOwnerLock(file, description);
  try {
    return await connect(file, description, lock.release);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function connect(file: string, description: string, release: () => void): Promise<SqliteConnection> {
  const { DatabaseSync: Database } = await import("node:sqlite");
  let database: DatabaseSync | undefined;
  try {
    database = new Database(file);
    // FULL: a commit is on the disk when it returns, as with Postgres; WAL: one write for it, not two.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    migrateSqlite(database, description);
    return { database, description, release };
  } catch (error) {
    database?.close();
    if (isPerdureError(error)) throw error;
    throw cannotOpen(description, error);
  }
}

/** The real path, so that two names of one file have one lock. */
async function realFile(path: string, description: string): Promise<string> {
  try {
    await mkdir(dirname(path), { recursive: true });
    const directory = await realpath(dirname(path));
    return await realpath(path).catch(() => join(directory, basename(path)));
  } catch (error) {
    throw cannotOpen(description, error);
  }
}

function cannotOpen(description: string, error: unknown): PerdureError {
  return new PerdureError("CHECKPOINTER_UNREACHABLE", `${description} does not open: ${(error as Error).message}.`, {
    hint: "Name a file that this user may write to, and that is new or was made by this library.",
    cause: error,
  });
}
