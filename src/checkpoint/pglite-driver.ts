import type { PGliteInterface, Transaction } from "@electric-sql/pglite";
import { checkpointerClosed } from "./closed.ts";
import { explainDatabaseError } from "./postgres-errors.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import { nextTurn } from "./real-clock.ts";
import type { NamedStatement, SqlClient, SqlDriver, SqlResult } from "./sql-driver.ts";

/** PGlite writes bytes digit by digit; this is the same text at once. */
const BYTEA = 17;
const SERIALIZERS = {
  [BYTEA]: (value: Uint8Array) => `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`,
};

/** After so many statements timers and sockets have their turn: PGlite answers within the one of whoever asks. */
const STATEMENTS_IN_A_TURN = 32;

/**
 * Statements over PGlite. It is one connection for everybody, so transactions go through PGlite's
 * own `transaction`, which holds off every other statement until it ends, also those of the
 * program that opened the database.
 */
export class PgliteDriver implements SqlDriver {
  readonly #database: PGliteInterface;
  readonly #address: DatabaseAddress;
  readonly #owned: boolean;
  /** It runs in this process. */
  readonly losses = 0;
  #statements = 0;

  /** @param options.owned Whether `close` closes the database. */
  constructor(database: PGliteInterface, address: DatabaseAddress, options: { readonly owned: boolean }) {
    this.#database = database;
    this.#address = address;
    this.#owned = options.owned;
  }

  query<Row>(statement: string | NamedStatement, values?: readonly unknown[]): Promise<SqlResult<Row>> {
    return this.#query(this.#database, statement, values);
  }

  commit<Row>(statement: NamedStatement, values: readonly unknown[]): Promise<SqlResult<Row>> {
    return this.#query(this.#database, statement, values);
  }

  async transaction<T>(work: (client: SqlClient) => Promise<T>): Promise<T> {
    if (this.#database.closed) throw checkpointerClosed(this.#address.description);
    return this.#database.transaction((transaction) =>
      work({ query: (statement, values) => this.#query(transaction, statement, values) }),
    );
  }

  async close(): Promise<void> {
    if (this.#owned && !this.#database.closed) await this.#database.close();
  }

  async #query<Row>(
    on: PGliteInterface | Transaction,
    statement: string | NamedStatement,
    values: readonly unknown[] = [],
  ): Promise<SqlResult<Row>> {
    this.#statements += 1;
    if (this.#statements % STATEMENTS_IN_A_TURN === 0) await nextTurn();
    try {
      return await on.query<Row>(
        typeof statement === "string" ? statement : statement.text,
        // pg takes undefined for NULL, and LangGraph's saver relies on it; PGlite does not.
        values.map((value) => (value === undefined ? null : value)),
        { serializers: SERIALIZERS },
      );
    } catch (error) {
      if (this.#database.closed) throw checkpointerClosed(this.#address.description);
      throw explainDatabaseError(error, this.#address);
    }
  }
}
