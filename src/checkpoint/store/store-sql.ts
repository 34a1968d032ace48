import { parseOpenOptions } from "../open-options.ts";
import type { OpenCheckpointerOptions } from "../open-options.ts";
import { storeMigrations, storeTables } from "./store-tables.ts";

/**
 * The statements that `openStore` runs to make its tables in an empty Postgres database, in order, for those whose
 * migrations somebody else runs; as `checkpointerSql` does for the tables of checkpoints. After them
 * `openStore` works with `setup: false`. Run them in one transaction, once.
 *
 * @throws OPTIONS_INVALID
 */
export function storeSql(options: Pick<OpenCheckpointerOptions, "schema"> = {}): string[] {
  const { schema } = parseOpenOptions(options, "storeSql");
  const tables = storeTables(schema);
  return [
    `CREATE SCHEMA IF NOT EXISTS "${schema}"`,
    `CREATE TABLE IF NOT EXISTS ${tables.migrations} (v INTEGER PRIMARY KEY)`,
    ...storeMigrations(tables).flatMap((statement, v) => [
      statement,
      `INSERT INTO ${tables.migrations} (v) VALUES (${v})`,
    ]),
  ];
}
