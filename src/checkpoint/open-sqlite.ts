import type { Checkpointer } from "./checkpointer.ts";
import { connectSqlite } from "./connect-sqlite.ts";
import type { PostgresOptions } from "./open-options.ts";
import { SqliteCheckpointer } from "./sqlite-checkpointer.ts";
import { shareDatabase } from "./store/shared-database.ts";

/** Opens a file of SQLite, made if it is missing, or a database in memory without a path. */
export async function openSqlite(
  path: string | undefined,
  { serde }: Pick<PostgresOptions, "serde">,
): Promise<Checkpointer> {
  const { database, description, release } = await connectSqlite(path);
  const checkpointer = new SqliteCheckpointer(database, { description, release, serde });
  shareDatabase(checkpointer, () => ({ kind: "sqlite", database, description, release: () => {} }));
  return checkpointer;
}
