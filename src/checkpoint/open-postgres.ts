import type { Pool, PoolConfig } from "pg";
import type { Checkpointer } from "./checkpointer.ts";
import { placeOfPostgresUrl } from "./checkpointer-url.ts";
import type { PostgresPlace } from "./checkpointer-url.ts";
import type { PostgresOptions } from "./open-options.ts";
import { loadPeer } from "./optional-peer.ts";
import { PgDriver } from "./pg-driver.ts";
import { PostgresCheckpointer } from "./postgres/postgres-checkpointer.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import { PostgresLocks } from "./postgres-locks.ts";
import { assertPostgresTables, createPostgresTables } from "./postgres-tables.ts";
import type { SqlDriver } from "./sql-driver.ts";

/** Flushes under way at once: while one waits for its commit, the next gathers. */
const LANES = 2;

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
    // A process that hangs in the middle of a transaction must not hold a thread for ever.
    idle_in_transaction_session_timeout: 60_000,
    ...(options.statementTimeoutMs === undefined ? {} : { statement_timeout: options.statementTimeoutMs }),
    ...(options.ssl === undefined ? {} : { ssl: options.ssl as NonNullable<PoolConfig["ssl"]> }),
  });
  return openPostgres(pool, addressOf(pool, options.schema), { ...options, owned: true });
}

/** Opens the database of a pool that somebody else owns. */
export async function openPostgresPool(pool: Pool, options: PostgresOptions): Promise<Checkpointer> {
  return openPostgres(pool, addressOf(pool, options.schema), { ...options, owned: false });
}

/** Sees to the tables; shared with PGlite. */
export async function preparePostgres(driver: SqlDriver, address: DatabaseAddress, setup: boolean): Promise<void> {
  if (setup) await createPostgresTables(driver, address);
  else await assertPostgresTables(driver, address);
}

async function openPostgres(
  pool: Pool,
  address: DatabaseAddress,
  options: PostgresOptions & { readonly owned: boolean },
): Promise<Checkpointer> {
  const { owned, setup, prepare, serde, cacheThreads } = options;
  const driver = new PgDriver(pool, address, { owned, prepare });
  try {
    await preparePostgres(driver, address, setup);
    const locks = new PostgresLocks(driver, address);
    const { schema, description } = address;
    return new PostgresCheckpointer({
      driver,
      schema,
      description,
      shared: true,
      serde,
      cacheThreads,
      lanes: LANES,
      onceAtOnce: Math.max(1, Math.floor((pool.options.max ?? 10) / 2)),
      locks,
    });
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
