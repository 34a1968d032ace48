import { parseOpenOptions } from "../open-options.ts";
import type { OpenCheckpointerOptions } from "../open-options.ts";
import { postgresTablesSql } from "../postgres-tables.ts";
import { storeTableSet } from "./store-tables.ts";

/**
 * The statements that `openStore` runs to make its tables in an empty Postgres database, in order, for those whose
 * migrations somebody else runs; as `checkpointerSql` does for the tables of checkpoints. After them
 * `openStore` works with `setup: false`. Run them in one transaction, once. The first makes the schema; leave it out
 * where the schema is there and the user may not make any.
 *
 * A user who did not make the tables needs USAGE of the schema and of its sequence beside SELECT, INSERT, UPDATE and
 * DELETE: `GRANT USAGE ON ALL SEQUENCES IN SCHEMA … TO …`.
 *
 * @throws OPTIONS_INVALID
 */
export function storeSql(options: Pick<OpenCheckpointerOptions, "schema"> = {}): string[] {
  const { schema } = parseOpenOptions(options, "storeSql");
  return postgresTablesSql(schema, storeTableSet(schema));
}
