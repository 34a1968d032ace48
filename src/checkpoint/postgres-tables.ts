import { createHash } from "node:crypto";
import { tableMissing } from "./postgres-errors.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import type { SqlClient, SqlDriver } from "./sql-driver.ts";

/** The names of the tables, quoted and with their schema. */
export interface PostgresTables {
  /** One row for each thread: its row lock, its epoch and its record. */
  readonly threads: string;
  /** Every answer that was ever committed. */
  readonly answers: string;
  readonly migrations: string;
  /** LangGraph's own. */
  readonly checkpoints: string;
  readonly checkpointWrites: string;
  readonly checkpointMigrations: string;
}

const TABLES_OF_LANGGRAPH = ["checkpoints", "checkpoint_blobs", "checkpoint_writes", "checkpoint_migrations"];
const OUR_TABLES = ["perdure_threads", "perdure_answers", "perdure_migrations"];

/** The tables in a schema. */
export function postgresTables(schema: string): PostgresTables {
  return {
    threads: `"${schema}".perdure_threads`,
    answers: `"${schema}".perdure_answers`,
    migrations: `"${schema}".perdure_migrations`,
    checkpoints: `"${schema}".checkpoints`,
    checkpointWrites: `"${schema}".checkpoint_writes`,
    checkpointMigrations: `"${schema}".checkpoint_migrations`,
  };
}

/** The changes of our tables, oldest first; one that was released is never edited. */
function migrations(tables: PostgresTables): string[] {
  return [
    // Bytes for what a serializer wrote: text and jsonb take no NUL.
    `CREATE TABLE ${tables.threads} (
      thread_id TEXT PRIMARY KEY,
      epoch BIGINT NOT NULL DEFAULT 0,
      record_type TEXT,
      record BYTEA
    )`,
    `CREATE TABLE ${tables.answers} (
      thread_id TEXT NOT NULL,
      interrupt_id TEXT NOT NULL,
      answered_at TIMESTAMPTZ NOT NULL,
      answer_type TEXT NOT NULL,
      answer BYTEA NOT NULL,
      PRIMARY KEY (thread_id, interrupt_id)
    )`,
  ];
}

/**
 * Creates or migrates LangGraph's tables and ours in one transaction, under an advisory lock: of two
 * processes that start at once, one waits for the other.
 *
 * @param setUpLangGraph LangGraph's own migrations, on the given connection. It asks for its version
 *   first, which fails in a transaction while its table is missing, so that table is made before.
 */
export async function createPostgresTables(
  driver: SqlDriver,
  address: DatabaseAddress,
  setUpLangGraph: (client: SqlClient) => Promise<void>,
): Promise<void> {
  const tables = postgresTables(address.schema);
  try {
    await driver.transaction(async (client) => {
      await client.query("SELECT pg_advisory_xact_lock($1::bigint)", [advisoryKey("setup", address.schema)]);
      await client.query(`CREATE SCHEMA IF NOT EXISTS "${address.schema}"`);
      await client.query(`CREATE TABLE IF NOT EXISTS ${tables.checkpointMigrations} (v INTEGER PRIMARY KEY)`);
      await setUpLangGraph(client);
      await client.query(`CREATE TABLE IF NOT EXISTS ${tables.migrations} (v INTEGER PRIMARY KEY)`);
      const done = await client.query<{ v: number }>(`SELECT v FROM ${tables.migrations} ORDER BY v DESC LIMIT 1`);
      for (const [v, statement] of migrations(tables).entries()) {
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

/** Throws `CHECKPOINTER_TABLE_MISSING` unless every table is there. */
export async function assertPostgresTables(
  driver: SqlDriver,
  address: DatabaseAddress,
  cause?: unknown,
): Promise<void> {
  const { rows } = await driver.query<{ name: string }>(
    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(format('%I.%I', $2::text, name)) IS NULL",
    [[...TABLES_OF_LANGGRAPH, ...OUR_TABLES], address.schema],
  );
  if (rows.length > 0) throw tableMissing(address, rows.map(({ name }) => name).join(", "), cause);
}

/**
 * A 64-bit key of an advisory lock, as text: the start of a SHA-256 over the parts, so that programs
 * with locks of their own in the same database will not meet it.
 */
export function advisoryKey(...parts: string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(["perdure", ...parts]));
  return hash.digest().readBigInt64BE().toString();
}
