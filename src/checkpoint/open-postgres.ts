import type { Pool } from "pg";
import { PerdureError } from "../errors/index.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { connectPostgresPool, connectPostgresUrl } from "./connect-postgres.ts";
import type { PostgresConnection } from "./connect-postgres.ts";
import type { PostgresOptions } from "./open-options.ts";
import { PostgresCheckpointer } from "./postgres/postgres-checkpointer.ts";
import { saverTableSet } from "./postgres/saver-tables.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import { PostgresLocks } from "./postgres-locks.ts";
import { setUpPostgresTables } from "./postgres-tables.ts";
import type { SqlDriver } from "./sql-driver.ts";
import { shareDatabase } from "./store/shared-database.ts";

/** Flushes under way at once: while one waits for its commit, the next gathers. */
const LANES = 2;

/** Opens a Postgres server by its URL, with a pool of its own. */
export async function openPostgresUrl(url: string, options: PostgresOptions): Promise<Checkpointer> {
  return openPostgres(await connectPostgresUrl(url, options), options);
}

/** Opens the database of a pool that somebody else owns. */
export async function openPostgresPool(pool: Pool, options: PostgresOptions): Promise<Checkpointer> {
  return openPostgres(connectPostgresPool(pool, options), options);
}

/** Sees to the tables; shared with PGlite. */
export async function preparePostgres(driver: SqlDriver, address: DatabaseAddress, setup: boolean): Promise<void> {
  await assertUtf8(driver, address);
  await setUpPostgresTables(driver, address, saverTableSet(address.schema), { setup });
}

/** Any other encoding lacks characters that a state may have: the commit would fail long after. */
async function assertUtf8(driver: SqlDriver, { description }: DatabaseAddress): Promise<void> {
  const { rows } = await driver.query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  const encoding = rows[0]?.encoding;
  if (encoding === "UTF8") return;
  throw new PerdureError("CHECKPOINTER_UNSUPPORTED", `${description} has the encoding ${encoding}.`, {
    hint: "Use a database that was made with ENCODING 'UTF8'.",
  });
}

async function openPostgres(
  { pool, driver, address }: PostgresConnection,
  options: PostgresOptions,
): Promise<Checkpointer> {
  const { setup, serde, cacheThreads, statementTimeoutMs } = options;
  try {
    await preparePostgres(driver, address, setup);
    const locks = new PostgresLocks(driver, address);
    const { schema, description } = address;
    const checkpointer = new PostgresCheckpointer({
      driver,
      schema,
      description,
      shared: true,
      serde,
      cacheThreads,
      lanes: LANES,
      lockTimeoutMs: statementTimeoutMs,
      onceAtOnce: Math.max(1, Math.floor((pool.options.max ?? 10) / 2)),
      locks,
    });
    shareDatabase(checkpointer, () => ({ kind: "postgres", ...connectPostgresPool(pool, options) }));
    return checkpointer;
  } catch (error) {
    await driver.close();
    throw error;
  }
}
