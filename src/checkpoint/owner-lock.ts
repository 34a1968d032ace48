import type { DatabaseSync } from "node:sqlite";
import { PerdureError } from "../errors/index.ts";

/** SQLite's result code for a database that another connection has locked. */
const SQLITE_BUSY = 5;

/** The right of this process to open a directory or a file. */
export interface OwnerLock {
  readonly release: () => void;
}

/**
 * Takes `path` for this opener alone: an exclusive transaction held on a small SQLite database
 * `<path>.lock` beside it. The operating system frees it when the process ends, however it ends, and
 * SQLite keeps two openers within one process apart too, which a plain file lock would not.
 * The file stays; deleting it would let a second opener lock another file of the same name.
 *
 * @throws CHECKPOINTER_LOCKED while somebody has it
 */
export async function takeOwnerLock(path: string, description: string): Promise<OwnerLock> {
  const { DatabaseSync } = await import("node:sqlite");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(`${path}.lock`, { timeout: 0 });
    database.exec("PRAGMA journal_mode = MEMORY");
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) {
      throw new PerdureError("CHECKPOINTER_LOCKED", `${description} is open already, in this or another process.`, {
        hint: "Close the other one first, or use postgres:// where several processes need the same threads.",
        cause: error,
      });
    }
    throw new PerdureError(
      "CHECKPOINTER_UNREACHABLE",
      `${description} cannot be locked: ${(error as Error).message}.`,
      {
        hint: `Check that ${path}.lock can be written, and that nothing else is in it.`,
        cause: error,
      },
    );
  }
  const held = database;
  return {
    release: () => {
      if (held.isOpen) held.close();
    },
  };
}
