import { ExponentialBackoff, handleWhen, retry } from "cockatiel";
import type { Client, ClientConfig, Pool, PoolClient, QueryConfig, QueryResult } from "pg";
import { explainDatabaseError, isConnectionError, tookTooLong } from "./postgres-errors.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import type { NamedStatement, SqlClient, SqlDriver, SqlResult } from "./sql-driver.ts";

/**
 * For what is safe to do again: a read, or the begin of a transaction. When connections drop, the pool
 * may hand out several dead ones before it has noticed. That none can be made is not tried again.
 */
const onAnotherConnection = retry(
  handleWhen((error) => isConnectionError(error) && !tookTooLong(error)),
  {
    maxAttempts: 4,
    backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 500 }),
  },
);

/** Read committed, whatever the default: each statement must see what was committed before it got the row lock. */
const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED";
/**
 * A process that hangs in the middle of a transaction must not hold a thread for ever; once.tx sets its own limit. Not a
 * parameter of the connection, which poolers refuse. The owner of a pool decides for it.
 */
const LIMIT_IDLE = "SET LOCAL idle_in_transaction_session_timeout = '60s'";

/**
 * Statements over a pool of pg. Listens for errors of connections, idle and in use: pg emits them,
 * and an `error` event that nobody listens for ends the process (H12). The next statement that needs
 * the connection gets a new one.
 */
export class PgDriver implements SqlDriver {
  readonly #pool: Pool;
  readonly #address: DatabaseAddress;
  readonly #owned: boolean;
  readonly #prepare: boolean;
  #losses = 0;
  readonly #lost = (): void => {
    this.#losses += 1;
  };

  /**
   * @param options.owned Whether `close` ends the pool.
   * @param options.prepare Whether the server keeps the plans of named statements.
   */
  constructor(pool: Pool, address: DatabaseAddress, options: { readonly owned: boolean; readonly prepare?: boolean }) {
    this.#pool = pool;
    this.#address = address;
    this.#owned = options.owned;
    this.#prepare = options.prepare ?? true;
    pool.on("error", this.#lost);
    pool.on("acquire", listenForErrors);
  }

  get losses(): number {
    return this.#losses;
  }

  async query<Row>(statement: string | NamedStatement, values?: readonly unknown[]): Promise<SqlResult<Row>> {
    return this.#explained(() => onAnotherConnection.execute(() => this.#once<Row>(statement, values)));
  }

  async commit<Row>(statement: NamedStatement, values: readonly unknown[]): Promise<SqlResult<Row>> {
    return this.#explained(() => this.#once<Row>(statement, values));
  }

  async transaction<T>(work: (client: SqlClient) => Promise<T>): Promise<T> {
    const client = await this.#begin();
    let isUsable = true;
    /** Why the connection ended while nothing ran on it: the next statement only says that it has. */
    let ended: unknown;
    const noteEnd = (error: unknown): void => {
      ended ??= error;
    };
    client.on("error", noteEnd);
    const query = <Row>(statement: string | NamedStatement, values?: readonly unknown[]): Promise<SqlResult<Row>> =>
      this.#explained(async () => {
        try {
          const { rows } = await client.query(this.#config(statement, values));
          return { rows: rows as Row[] };
        } catch (error) {
          if (!isConnectionError(error)) throw error;
          isUsable = false;
          throw isConnectionError(ended) ? ended : error;
        }
      });
    try {
      const result = await work({ query });
      await query("COMMIT");
      return result;
    } catch (error) {
      if (isUsable) isUsable = await succeeds(query("ROLLBACK"));
      throw error;
    } finally {
      client.off("error", noteEnd);
      client.release(!isUsable);
    }
  }

  /** A connection beside the pool, not connected yet, made as the pool makes its own. */
  newClient(): Client {
    const pool = this.#pool as Pool & { readonly Client: new (config: ClientConfig) => Client };
    return new pool.Client(pool.options);
  }

  async close(): Promise<void> {
    // Connections of an owned pool may still break while they end, so it keeps its listeners.
    if (this.#owned) return this.#pool.end();
    this.#pool.off("error", this.#lost);
    this.#pool.off("acquire", listenForErrors);
  }

  #begin(): Promise<PoolClient> {
    return this.#explained(() =>
      onAnotherConnection.execute(async () => {
        const client = await this.#connect();
        await firstQuery(client, { text: this.#owned ? `${BEGIN}; ${LIMIT_IDLE}` : BEGIN });
        return client;
      }),
    );
  }

  async #once<Row>(statement: string | NamedStatement, values?: readonly unknown[]): Promise<SqlResult<Row>> {
    const client = await this.#connect();
    const { rows } = await firstQuery(client, this.#config(statement, values));
    client.release();
    return { rows: rows as Row[] };
  }

  #config(statement: string | NamedStatement, values: readonly unknown[] = []): QueryConfig {
    const { text, name } = typeof statement === "string" ? { text: statement, name: undefined } : statement;
    return { text, values: [...values], ...(this.#prepare && name !== undefined ? { name } : {}) };
  }

  #connect(): Promise<PoolClient> {
    return this.#explained(() => this.#pool.connect());
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isConnectionError(error)) this.#lost();
      throw explainDatabaseError(error, this.#address);
    }
  }
}

/** Releases the client when the statement fails; a connection that is gone is thrown away. */
async function firstQuery(client: PoolClient, config: QueryConfig): Promise<QueryResult> {
  try {
    return await client.query(config);
  } catch (error) {
    client.release(isConnectionError(error));
    throw error;
  }
}

async function succeeds(promise: Promise<unknown>): Promise<boolean> {
  try {
    await promise;
    return true;
  } catch {
    return false;
  }
}

/** For the life of the connection: one that was thrown away may go on to emit errors. */
function listenForErrors(client: PoolClient): void {
  if (!client.listeners("error").includes(ignore)) client.on("error", ignore);
}

function ignore(): void {
  // Nothing to do: the statement fails, and the pool drops the connection itself.
}
