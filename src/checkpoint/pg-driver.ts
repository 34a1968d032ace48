import type { Client, ClientConfig, Pool, PoolClient } from "pg";
import { explainDatabaseError, isConnectionError } from "./postgres-errors.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import type { SqlClient, SqlDriver, SqlResult } from "./sql-driver.ts";

/**
 * Statements over a pool of pg. Listens for errors of idle connections and of those in use: pg emits
 * them, and an `error` event that nobody listens for ends the process (H12). The next statement
 * that needs the connection gets a new one.
 */
export class PgDriver implements SqlDriver {
  readonly #pool: Pool;
  readonly #address: DatabaseAddress;
  readonly #owned: boolean;

  /** @param options.owned Whether `close` ends the pool. */
  constructor(pool: Pool, address: DatabaseAddress, options: { readonly owned: boolean }) {
    this.#pool = pool;
    this.#address = address;
    this.#owned = options.owned;
    pool.on("error", ignore);
  }

  async query<Row>(text: string, values?: readonly unknown[]): Promise<SqlResult<Row>> {
    try {
      const { rows } = await this.#pool.query(text, values as unknown[]);
      return { rows: rows as Row[] };
    } catch (error) {
      throw explainDatabaseError(error, this.#address);
    }
  }

  async transaction<T>(work: (client: SqlClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let broken: Error | undefined;
    const breaks = (error: Error): void => {
      broken ??= error;
    };
    client.on("error", breaks);
    const query = async <Row>(text: string, values?: readonly unknown[]): Promise<SqlResult<Row>> => {
      try {
        const { rows } = await client.query(text, values as unknown[]);
        return { rows: rows as Row[] };
      } catch (error) {
        if (isConnectionError(error)) breaks(error as Error);
        throw explainDatabaseError(error, this.#address);
      }
    };
    try {
      // Read committed, whatever the default: each statement must see what was committed before it got the row lock.
      await query("BEGIN ISOLATION LEVEL READ COMMITTED");
      const result = await work({ query });
      await query("COMMIT");
      return result;
    } catch (error) {
      if (broken === undefined) await client.query("ROLLBACK").catch(breaks);
      throw error;
    } finally {
      // A broken connection is thrown away; for a sound one the pool listens again from here on.
      client.release(broken ?? false);
      client.off("error", breaks);
    }
  }

  /** A connection beside the pool, not connected yet, made as the pool makes its own. */
  newClient(): Client {
    const pool = this.#pool as Pool & { readonly Client: new (config: ClientConfig) => Client };
    return new pool.Client(pool.options);
  }

  async close(): Promise<void> {
    if (!this.#owned) this.#pool.off("error", ignore);
    // Its connections may still break while they end, so this one keeps its listener.
    else await this.#pool.end();
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw explainDatabaseError(error, this.#address);
    }
  }
}

function ignore(): void {
  // Nothing to do: the pool drops the connection itself.
}
