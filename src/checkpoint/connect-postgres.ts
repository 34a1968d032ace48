import type { Pool, PoolConfig } from "pg";
import { placeOfPostgresUrl } from "./checkpointer-url.ts";
import type { PostgresPlace } from "./checkpointer-url.ts";
import type { ConnectOptions, PostgresOptions } from "./open-options.ts";
import { loadPeer } from "./optional-peer.ts";
import { PgDriver } from "./pg-driver.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";

/** A pool of connections to a Postgres server, and how to talk over it. */
export interface PostgresConnection {
  readonly pool: Pool;
  readonly driver: PgDriver;
  readonly address: DatabaseAddress;
}

/** Makes a pool for a URL, which the driver ends when it is closed. Connects when a statement needs it. */
export async function connectPostgresUrl(url: string, options: ConnectOptions): Promise<PostgresConnection> {
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
  return connection(pool, options, { owned: true });
}

/** Uses a pool that somebody else owns; the driver leaves it open. */
export function connectPostgresPool(
  pool: Pool,
  options: Pick<PostgresOptions, "schema" | "prepare">,
): PostgresConnection {
  return connection(pool, options, { owned: false });
}

function connection(
  pool: Pool,
  { schema, prepare }: Pick<PostgresOptions, "schema" | "prepare">,
  { owned }: { readonly owned: boolean },
): PostgresConnection {
  const address = { ...placeOf(pool), schema };
  return { pool, driver: new PgDriver(pool, address, { owned, prepare }), address };
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
