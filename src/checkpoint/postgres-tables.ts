import { createHash } from "node:crypto";
import { tableMissing } from "./postgres-errors.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import { TABLE_NAMES, saverMigrations, saverTables } from "./postgres/saver-tables.ts";
import type { SqlDriver } from "./sql-driver.ts";

/**
 * Creates or migrates the tables in one transaction, under an advisory lock: of two processes that start at
 * once, one waits for the other (H14).
 */
export async function createPostgresTables(driver: SqlDriver, address: DatabaseAddress): Promise<void> {
  const tables = saverTables(address.schema);
  try {
    await driver.transaction(async (client) => {
      await client.query("SELECT pg_advisory_xact_lock($1::bigint)", [advisoryKey("setup", address.schema)]);
      await client.query(`CREATE SCHEMA IF NOT EXISTS "${address.schema}"`);
      await client.query(`CREATE TABLE IF NOT EXISTS ${tables.migrations} (v INTEGER PRIMARY KEY)`);
      const done = await client.query<{ v: number }>(`SELECT v FROM ${tables.migrations} ORDER BY v DESC LIMIT 1`);
      for (const [v, statement] of saverMigrations(tables).entries()) {
        if (v <= (done.rows[0]?.v ?? -1)) continue;
        await client.query(statement);
        await client.query(`INSERT INTO ${tables.migrations} (v) VALUES ($1)`, [v]);
      }
    });
  } catch (error) {
    // A user that may not create tables needs nothing created where all of them are there.
    if ((error as { code?: unknown }).code !== "42501") throw error;
    await assertPostgresTables(driver, address, error);
  }
}

/** Throws `CHECKPOINTER_TABLE_MISSING` unless every table is there, and as this version needs it. */
export async function assertPostgresTables(
  driver: SqlDriver,
  address: DatabaseAddress,
  cause?: unknown,
): Promise<void> {
  const { rows } = await driver.query<{ name: string }>(
    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(format('%I.%I', $2::text, name)) IS NULL",
    [Object.values(TABLE_NAMES), address.schema],
  );
  if (rows.length > 0) throw tableMissing(address, rows.map(({ name }) => name).join(", "), cause);
  const tables = saverTables(address.schema);
  const newest = saverMigrations(tables).length - 1;
  const done = await driver.query<{ v: number }>(`SELECT v FROM ${tables.migrations} ORDER BY v DESC LIMIT 1`);
  const v = done.rows[0]?.v ?? -1;
  if (v < newest) throw tableMissing(address, `migration ${newest}; its last one is ${v}`, cause);
}

/**
 * A 64-bit key of an advisory lock, as text: the start of a SHA-256 over the parts, so that programs
 * with locks of their own in the same database will not meet it.
 */
export function advisoryKey(...parts: string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(["perdure", ...parts]));
  return hash.digest().readBigInt64BE().toString();
}
