import type { Pool, PoolConfig } from "pg";
import { boundSaver } from "./bound-saver.ts";
import type { PostgresSaverClass } from "./bound-saver.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { placeOfPostgresUrl } from "./checkpointer-url.ts";
import type { PostgresPlace } from "./checkpointer-url.ts";
import type { PostgresOptions } from "./open-options.ts";
import { loadPeer } from "./optional-peer.ts";
import { PgDriver } from "./pg-driver.ts";
import { PostgresCheckpointer } from "./postgres-checkpointer.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import { PostgresLocks } from "./postgres-locks.ts";
import { assertPostgresTables, createPostgresTables } from "./postgres-tables.ts";
import type { SqlDriver } from "./sql-driver.ts";

/** Opens a Postgres server by its URL, with a pool of its own. */
export async function openPostgresUrl(url: string, options: PostgresOptions): Promise<Checkpointer> {
  const { default: pg } = await loadPeer("pg", "postgres://", () => import("pg"));
  const pool = new pg.Pool({
    connectionString: url,
    max: options.poolSize,
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
    // Whoever forgets to close it can still end.
    allowExitOnIdle: true,
    fallback_application_name: "perdure",
    ...(options.statementTimeoutMs === undefined ? {} : { statement_timeout: options.statementTimeoutMs }),
    ...(options.ssl === undefined ? {} : { ssl: options.ssl as NonNullable<PoolConfig["ssl"]> }),
  });
  return openPostgres(pool, addressOf(pool, options.schema), { ...options, owned: true });
}

/** Opens the database of a pool that somebody else owns. */
export async function openPostgresPool(pool: Pool, options: PostgresOptions): Promise<Checkpointer> {
  return openPostgres(pool, addressOf(pool, options.schema), { ...options, owned: false });
}

/** Loads LangGraph's saver and sees to the tables; shared with PGlite. */
export async function preparePostgres(
  driver: SqlDriver,
  address: DatabaseAddress,
  options: { readonly setup: boolean; readonly neededFor: string },
): Promise<PostgresSaverClass> {
  const { PostgresSaver } = await loadPeer(
    "@langchain/langgraph-checkpoint-postgres",
    options.neededFor,
    () => import("@langchain/langgraph-checkpoint-postgres"),
  );
  if (options.setup) {
    await createPostgresTables(driver, address, (client) =>
      boundSaver(PostgresSaver, client, { schema: address.schema }).setup(),
    );
  } else {
    await assertPostgresTables(driver, address);
  }
  return PostgresSaver;
}

async function openPostgres(
  pool: Pool,
  address: DatabaseAddress,
  options: PostgresOptions & { readonly owned: boolean },
): Promise<Checkpointer> {
  const driver = new PgDriver(pool, address, { owned: options.owned });
  try {
    const Saver = await preparePostgres(driver, address, { setup: options.setup, neededFor: "postgres://" });
    const locks = new PostgresLocks(driver, address);
    const { schema, description } = address;
    return new PostgresCheckpointer({ driver, Saver, schema, description, shared: true, locks });
  } catch (error) {
    await driver.close();
    throw error;
  }
}

function addressOf(pool: Pool, schema: string): DatabaseAddress {
  return { ...placeOf(pool), schema };
}

/** As pg finds it: the URL of the pool, else its options, else the environment. */
function placeOf({ options }: Pool): PostgresPlace {
  const { connectionString } = options;
  try {
    if (connectionString !== undefined) return placeOfPostgresUrl(connectionString);
  } catch {
    // pg takes some forms that are no URL; they are the pool's own business.
    return { description: "postgres:// (of a pool)", server: "the address of the pool", database: "" };
  }
  const host = options.host ?? process.env["PGHOST"] ?? "localhost";
  const server = `${host}:${options.port ?? process.env["PGPORT"] ?? 5432}`;
  const database = options.database ?? process.env["PGDATABASE"] ?? "";
  return { description: `postgres://${server}/${database}`, server, database };
}
