import { parseOpenOptions } from "../open-options.ts";
import type { OpenCheckpointerOptions } from "../open-options.ts";
import { postgresTablesSql } from "../postgres-tables.ts";
import { saverTableSet } from "./saver-tables.ts";

/**
 * The statements that `openCheckpointer` runs to make its tables in an empty database, in order, for those whose
 * migrations somebody else runs. They say of themselves that they were made, so that `openCheckpointer` with
 * `setup: false` works after them, and without it makes only what a newer release adds. Run them in one
 * transaction, once. The first makes the schema; leave it out where the schema is there and the user may not make any.
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
  return postgresTablesSql(schema, saverTableSet(schema));
}
