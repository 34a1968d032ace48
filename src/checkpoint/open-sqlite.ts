import type { Checkpointer } from "./checkpointer.ts";
import { connectSqlite } from "./connect-sqlite.ts";
import { SqliteCheckpointer } from "./sqlite-checkpointer.ts";
import { shareDatabase } from "./store/shared-database.ts";

/** Opens a file of SQLite, made if it is missing, or a database in memory without a path. */
export async function openSqlite(path: string | undefined): Promise<Checkpointer> {
  const { database, description, release } = await connectSqlite(path);
  const checkpointer = new SqliteCheckpointer(database, description, release);
  shareDatabase(checkpointer, () => ({ kind: "sqlite", database, description, release: () => {} }));
  return checkpointer;
}
