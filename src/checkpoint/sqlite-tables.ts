import type { DatabaseSync } from "node:sqlite";
import { PerdureError } from "../errors/index.ts";

/** The changes of the tables, oldest first; `user_version` counts those that were made. */
const MIGRATIONS = [
  `CREATE TABLE threads (
     thread_id TEXT PRIMARY KEY,
     epoch INTEGER NOT NULL,
     record_type TEXT NOT NULL,
     record BLOB NOT NULL
   ) STRICT;
   CREATE TABLE answers (
     thread_id TEXT NOT NULL,
     interrupt_id TEXT NOT NULL,
     answered_at TEXT NOT NULL,
     answer_type TEXT NOT NULL,
     answer BLOB NOT NULL,
     PRIMARY KEY (thread_id, interrupt_id)
   ) STRICT;
   CREATE TABLE checkpoints (
     thread_id TEXT NOT NULL,
     checkpoint_ns TEXT NOT NULL,
     checkpoint_id TEXT NOT NULL,
     parent_id TEXT,
     checkpoint_type TEXT NOT NULL,
     checkpoint BLOB NOT NULL,
     metadata_type TEXT NOT NULL,
     metadata BLOB NOT NULL,
     PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
   ) STRICT;
   CREATE TABLE channel_values (
     thread_id TEXT NOT NULL,
     checkpoint_ns TEXT NOT NULL,
     channel TEXT NOT NULL,
     version TEXT NOT NULL,
     type TEXT NOT NULL,
     value BLOB NOT NULL,
     PRIMARY KEY (thread_id, checkpoint_ns, channel, version)
   ) STRICT;
   CREATE TABLE writes (
     thread_id TEXT NOT NULL,
     checkpoint_ns TEXT NOT NULL,
     checkpoint_id TEXT NOT NULL,
     task_id TEXT NOT NULL,
     idx INTEGER NOT NULL,
     channel TEXT NOT NULL,
     type TEXT NOT NULL,
     value BLOB NOT NULL,
     PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
   ) STRICT;`,
  `CREATE TABLE store_items (
     written INTEGER PRIMARY KEY AUTOINCREMENT,
     path TEXT NOT NULL,
     key TEXT NOT NULL,
     value TEXT NOT NULL,
     vectors BLOB,
     created_at INTEGER NOT NULL,
     updated_at INTEGER NOT NULL,
     expires_at REAL NOT NULL,
     UNIQUE (path, key)
   ) STRICT;`,
  "ALTER TABLE writes ADD COLUMN task_path TEXT NOT NULL DEFAULT '';",
];

/** The tables that hold rows of a thread. */
export const THREAD_TABLES = ["threads", "answers", "checkpoints", "channel_values", "writes"] as const;

/** What a copy of a thread has of each of them, beside its own id; its record it makes itself. */
export const COPIED_COLUMNS: Readonly<Record<Exclude<(typeof THREAD_TABLES)[number], "threads">, string>> = {
  answers: "interrupt_id, answered_at, answer_type, answer",
  checkpoints: "checkpoint_ns, checkpoint_id, parent_id, checkpoint_type, checkpoint, metadata_type, metadata",
  channel_values: "checkpoint_ns, channel, version, type, value",
  writes: "checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value, task_path",
};

/**
 * Creates or migrates the tables, all of it or nothing.
 * @throws CHECKPOINTER_UNSUPPORTED when a newer version of the library wrote the file
 */
export function migrateSqlite(database: DatabaseSync, description: string): void {
  const { user_version: version } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version > MIGRATIONS.length) {
    throw new PerdureError(
      "CHECKPOINTER_UNSUPPORTED",
      `${description} has tables of version ${version}; this release knows up to ${MIGRATIONS.length}.`,
      { hint: "A newer perdure wrote the file: update the package." },
    );
  }
  if (version === MIGRATIONS.length) return;
  database.exec(
    `BEGIN IMMEDIATE; ${MIGRATIONS.slice(version).join("\n")} PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`,
  );
}
