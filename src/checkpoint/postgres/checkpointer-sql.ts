import { parseOpenOptions } from "../open-options.ts";
import type { OpenCheckpointerOptions } from "../open-options.ts";
import { saverMigrations, saverTables } from "./saver-tables.ts";

/**
 * The statements that `openCheckpointer` runs to make its tables in an empty database, in order, for those whose
 * migrations somebody else runs. They say of themselves that they were made, so that `openCheckpointer` with
 * `setup: false` works after them, and without it makes only what a newer release adds. Run them in one
 * transaction, once.
 *
 * ```ts
 * writeFileSync("perdure.sql", checkpointerSql().map((statement) => `${statement};\n`).join("\n"));
 * ```
 *
 * The tables of `openStore` are not among them.
 *
 * @throws OPTIONS_INVALID
 */
export function checkpointerSql(options: Pick<OpenCheckpointerOptions, "schema"> = {}): string[] {
  const { schema } = parseOpenOptions(options, "checkpointerSql");
  const tables = saverTables(schema);
  return [
    `CREATE SCHEMA IF NOT EXISTS "${schema}"`,
    `CREATE TABLE IF NOT EXISTS ${tables.migrations} (v INTEGER PRIMARY KEY)`,
    ...saverMigrations(tables).flatMap((statement, v) => [
      statement,
      `INSERT INTO ${tables.migrations} (v) VALUES (${v})`,
    ]),
  ];
}
