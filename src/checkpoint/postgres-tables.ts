import { PerdureError, isPerdureError } from "../errors/index.ts";
import { codeOf, tableMissing } from "./postgres-errors.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import type { SqlClient, SqlDriver } from "./sql-driver.ts";
import { SQL_STATE } from "./sql-state.ts";
import { stableKey } from "./stable-key.ts";

/** Tables that are made together, and how. */
export interface PostgresTables {
  /** Their names within the schema. */
  readonly names: readonly string[];
  /** The one that says which changes were made, quoted and with its schema. */
  readonly migrations: string;
  /** The changes that make them, oldest first. */
  readonly changes: readonly string[];
}

/**
 * Creates or migrates tables in one transaction, under an advisory lock: of two processes that start at once, one waits
 * for the other (H14). Where all is there nothing is changed, locked or asked for, so no right to make tables is needed.
 *
 * @throws CHECKPOINTER_TABLE_MISSING when there is something to do, and `setup` is false or the user may not do it
 * @throws CHECKPOINTER_UNSUPPORTED when a newer release made them
 */
export async function setUpPostgresTables(
  driver: SqlDriver,
  address: DatabaseAddress,
  tables: PostgresTables,
  { setup }: { readonly setup: boolean },
): Promise<void> {
  // Counted first: another process may make them all between the two, and its tables are then not absent.
  const made = await countMade(driver, address, tables);
  const absent = await absentTables(driver, address.schema, tables.names);
  if (made === tables.changes.length && absent.length === 0) return;
  const lacking =
    absent.length > 0 ? absent.join(", ") : `migration ${tables.changes.length - 1}; its last one is ${made - 1}`;
  // What was dropped after it was made does not come again: nobody knows what else is lost.
  if (!setup || made === tables.changes.length) throw tableMissing(address, lacking);
  try {
    await driver.transaction((client) => makeTables(client, address, tables));
  } catch (error) {
    if (!isPerdureError(error) || codeOf(error.cause) !== SQL_STATE.lacksRight) throw error;
    throw tableMissing(address, lacking, error.cause);
  }
}

/** The statements that make the tables in an empty database and say of themselves that they were made. */
export function postgresTablesSql(schema: string, { migrations, changes }: PostgresTables): string[] {
  return [
    `CREATE SCHEMA IF NOT EXISTS "${schema}"`,
    makeMigrations(migrations),
    ...changes.flatMap((change, v) => [change, `INSERT INTO ${migrations} (v) VALUES (${v})`]),
  ];
}

async function makeTables(client: SqlClient, address: DatabaseAddress, tables: PostgresTables): Promise<void> {
  await client.query("SELECT pg_advisory_xact_lock($1::bigint)", [stableKey("setup", address.schema)]);
  const schemas = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [address.schema]);
  // IF NOT EXISTS would ask for the right to make schemas even where there is nothing to make.
  if (schemas.rows.length === 0) await client.query(`CREATE SCHEMA "${address.schema}"`);
  const made = await countMade(client, address, tables);
  if (made === 0) await client.query(makeMigrations(tables.migrations));
  for (const [v, change] of tables.changes.entries()) {
    if (v < made) continue;
    await client.query(change);
    await client.query(`INSERT INTO ${tables.migrations} (v) VALUES ($1)`, [v]);
  }
}

function makeMigrations(migrations: string): string {
  return `CREATE TABLE IF NOT EXISTS ${migrations} (v INTEGER PRIMARY KEY)`;
}

/** Those of the tables that are not there. */
export async function absentTables(client: SqlClient, schema: string, names: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(format('%I.%I', $2::text, name)) IS NULL",
    [names, schema],
  );
  return rows.map(({ name }) => name);
}

/** How many of the changes were made; more than are known were made by a newer release. */
async function countMade(
  client: SqlClient,
  { description, schema }: DatabaseAddress,
  { migrations, changes }: PostgresTables,
): Promise<number> {
  const { rows } = await client.query<{ found: boolean }>("SELECT to_regclass($1) IS NOT NULL AS found", [migrations]);
  if (rows[0]?.found !== true) return 0;
  const versions = await client.query<{ made: number }>(
    `SELECT (coalesce(max(v), -1) + 1)::int4 AS made FROM ${migrations}`,
  );
  const made = Number(versions.rows[0]?.made);
  if (made <= changes.length) return made;
  throw new PerdureError(
    "CHECKPOINTER_UNSUPPORTED",
    `${description} has tables of version ${made} in schema "${schema}" (${migrations}); this release knows up to ${changes.length}.`,
    { hint: "A newer perdure made them: update the package." },
  );
}
