import { PerdureError, isPerdureError } from "../errors/index.ts";
import type { TransactionSql } from "../nodes/index.ts";
import { isConnectionError } from "./postgres-errors.ts";
import type { SqlClient } from "./sql-driver.ts";

/** Statements that end a transaction or begin another one; `ROLLBACK TO` a savepoint does neither. */
const ENDS_IT =
  /^(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b))\b/iu;
/** Space and comments before a statement. */
const BEFORE_IT = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|;)+/u;

/** A transaction as its user sees it: statements that work from `begin` to `end`, and not after. */
export class SqlTransaction {
  #client: SqlClient | undefined;
  #began = false;
  #failure: unknown;

  /** Whether there was a connection for it. */
  get began(): boolean {
    return this.#began;
  }

  /** The last statement's error, of those that failed. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The statements, for the user. */
  begin(client: SqlClient): TransactionSql {
    this.#client = client;
    this.#began = true;
    return { query: (text, values) => this.#query(text, values) };
  }

  /** From here on a statement is refused: the connection belongs to others soon. */
  end(): void {
    this.#client = undefined;
  }

  async #query<Row>(text: string, values?: readonly unknown[]): Promise<{ rows: Row[] }> {
    if (ENDS_IT.test(text.replace(BEFORE_IT, ""))) throw transactionEnded(`"${text.trim()}" would end it`);
    if (this.#client === undefined) throw transactionEnded("a statement came after it");
    try {
      const { rows } = await this.#client.query<Row>(text, values);
      return { rows: (rows ?? []) as Row[] };
    } catch (error) {
      this.#failure = ofTheUser(error);
      throw this.#failure;
    }
  }
}

const HINT =
  "Await every statement inside of fn; send no BEGIN, COMMIT or ROLLBACK; go on after a failure with a SAVEPOINT.";

/** The error for a transaction that is over, or can't be committed. */
export function transactionEnded(why: string, cause?: unknown, hint = HINT): PerdureError {
  return new PerdureError("TRANSACTION_ENDED", `the transaction of once.tx has ended: ${why}.`, {
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A table or a right that is missing here is one for the user's own statements; the connection is the checkpointer's. */
function ofTheUser(error: unknown): unknown {
  if (!isPerdureError(error) || error.cause === undefined) return error;
  return isConnectionError(error.cause) ? error : error.cause;
}
