import { setTimeout as delay } from "node:timers/promises";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { bulkhead } from "cockatiel";
import { PerdureError, isPerdureError, show } from "../errors/index.ts";
import type { OncePlace, TransactionSql } from "../nodes/index.ts";
import type { SqlClient, SqlDriver } from "./sql-driver.ts";
import { codeOf, isTransient, messageOf, tookTooLong } from "./postgres-errors.ts";
import { SQL_STATE } from "./sql-state.ts";
import { fromStored, toStored } from "./stored-value.ts";
import { SqlTransaction, transactionEnded } from "./sql-transaction.ts";

/** What a {@link SqlOnce} needs of its checkpointer. */
export interface SqlOnceParts {
  readonly driver: SqlDriver;
  /** The tables, quoted and with their schema. */
  readonly tables: { readonly once: string; readonly threads: string };
  /**
   * How many transactions may be open at once. Those of callers may last, so they must leave connections for the
   * checkpoints.
   */
  readonly atOnce: number;
  /** How many of these checkpoints of the thread are stored. */
  readonly countStored: (threadId: string, checkpoints: OncePlace["checkpoints"]) => Promise<number>;
  /** How long to wait for them to be stored. @default 5_000 */
  readonly checkpointTimeoutMs?: number;
}

/** The table of records. The checkpoint of the task says how long a record may be needed. */
export function onceTable(name: string): string {
  return `CREATE TABLE ${name} (
      thread_id text COLLATE "C" NOT NULL,
      task_id text COLLATE "C" NOT NULL,
      key text COLLATE "C" NOT NULL,
      checkpoint_ns text COLLATE "C" NOT NULL,
      checkpoint_id text COLLATE "C" NOT NULL,
      done_at timestamptz NOT NULL DEFAULT now(),
      value_type text,
      value bytea,
      PRIMARY KEY (thread_id, task_id, key)
    )`;
}

/** How often work is tried when the database rolled it back for reasons of its own. */
const TRIES = 10;
const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 500;

/** What the server grants a transaction beyond its own time: it ends by itself first, and after that it commits. */
const COMMIT_MS = 10_000;
/** The most that Postgres takes for a setting in milliseconds. */
const LONGEST_IDLE_MS = 2_147_483_647;

/**
 * Work in the checkpointer's own database that happens exactly once. The record of the work is inserted first, in the
 * transaction that does the work: whoever does the same work at the same time waits at the unique key until that
 * transaction has ended, and then finds the record, or does the work. So a connection lost at COMMIT needs
 * no special care: the next try finds what became of it.
 */
export class SqlOnce {
  readonly #parts: SqlOnceParts;
  readonly #slots: ReturnType<typeof bulkhead>;

  constructor(parts: SqlOnceParts) {
    this.#parts = parts;
    this.#slots = bulkhead(parts.atOnce, Infinity);
  }

  /** See {@link OnceCommitter.commitOnce}. */
  async commit(
    place: OncePlace,
    work: (sql: TransactionSql) => Promise<unknown>,
    serde: SerializerProtocol,
  ): Promise<unknown> {
    await this.#awaitCheckpoints(place);
    for (let tries = 1; ; tries += 1) {
      const transaction = new SqlTransaction();
      try {
        return await this.#slots.execute(() => this.#try(place, work, serde, transaction));
      } catch (error) {
        const why = reasonOf(error, transaction);
        const mayRepeat = transaction.began && tries < TRIES && !place.signal.aborted;
        if (!mayRepeat || !isWorthRepeating(why)) throw why;
      }
      await waitForTurn(tries, place.signal);
    }
  }

  async #try(
    place: OncePlace,
    work: (sql: TransactionSql) => Promise<unknown>,
    serde: SerializerProtocol,
    transaction: SqlTransaction,
  ): Promise<unknown> {
    place.signal.throwIfAborted(); // it may have waited long
    return this.#parts.driver.transaction(async (client) => {
      const sql = transaction.begin(client);
      const found = await this.#claim(client, place);
      if (found !== undefined) return valueOf(serde, found);
      let value: unknown;
      try {
        value = await work(sql);
      } finally {
        transaction.end();
      }
      const { type, bytes } = await toStored(serde, { value });
      await this.#record(client, place, type, bytes);
      return valueOf(serde, { type, bytes });
    });
  }

  /**
   * The record of the work if it was done; else there is one now, which others have to wait for. The work may then wait
   * between its statements as long as it was given, whatever limit the connection has.
   */
  async #claim(client: SqlClient, place: OncePlace): Promise<StoredRecord | undefined> {
    const { once } = this.#parts.tables;
    const { threadId, taskId, key, checkpoints, timeoutMs } = place;
    const own = checkpoints.at(-1);
    const idleMs = timeoutMs === undefined ? null : String(Math.min(Math.ceil(timeoutMs) + COMMIT_MS, LONGEST_IDLE_MS));
    for (;;) {
      const claimed = await client.query(
        `INSERT INTO ${once} (thread_id, task_id, key, checkpoint_ns, checkpoint_id) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING RETURNING set_config('idle_in_transaction_session_timeout',
           coalesce($6::text, current_setting('idle_in_transaction_session_timeout')), true) AS claimed`,
        [threadId, taskId, key, own?.namespace ?? "", own?.id ?? "", idleMs],
      );
      if (claimed.rows.length > 0) return undefined;
      const { rows } = await client.query<{ value_type: string | null; value: Uint8Array }>(
        `SELECT value_type, value FROM ${once} WHERE thread_id = $1 AND task_id = $2 AND key = $3`,
        [threadId, taskId, key],
      );
      const [row] = rows; // none when the thread was deleted in between
      if (row?.value_type === null) throw endedByItself(key);
      if (row !== undefined) return { type: row.value_type, bytes: new Uint8Array(row.value) };
    }
  }

  /**
   * Stores the result with the claim. A claim of another transaction than this one means that the work sent a COMMIT. The
   * thread's row is locked from here to the commit, so a cancel comes before it, and is seen, or after it (I7).
   */
  async #record(client: SqlClient, place: OncePlace, type: string, bytes: Uint8Array): Promise<void> {
    const { once, threads } = this.#parts.tables;
    const { threadId, taskId, key, epoch } = place;
    const found = epoch === undefined ? "NULL" : `(SELECT epoch FROM ${threads} WHERE thread_id = $1 FOR SHARE)`;
    const { rows } = await client.query<{ epoch: string | number | bigint | null }>(
      `UPDATE ${once} SET value_type = $4, value = $5, done_at = clock_timestamp()
        WHERE thread_id = $1 AND task_id = $2 AND key = $3 AND xmin = pg_current_xact_id()::xid
       RETURNING ${found} AS epoch`,
      [threadId, taskId, key, type, bytes],
    );
    const [row] = rows;
    if (row === undefined) throw endedByItself(key);
    if (epoch === undefined || (row.epoch !== null && Number(row.epoch) === epoch)) return;
    const now = row.epoch === null ? "was deleted" : `is in epoch ${row.epoch}`;
    throw new PerdureError(
      "CHECKPOINT_CONFLICT",
      `once.tx "${key}" ran in epoch ${epoch} of thread "${threadId}", which ${now}.`,
      {
        hint: "Somebody cancelled or superseded this run; nothing was stored. Inspect the thread and continue from there.",
      },
    );
  }

  /**
   * A task has its id from its checkpoint. Were that lost, the task would come again under another id, and find no record.
   * LangGraph stores it while the task runs already, unless its durability is "sync", as under the runner.
   */
  async #awaitCheckpoints({ threadId, key, checkpoints, epoch, signal }: OncePlace): Promise<void> {
    if (epoch !== undefined && checkpoints.every(({ namespace }) => namespace === "")) return;
    const { countStored, checkpointTimeoutMs = 5_000 } = this.#parts;
    const until = performance.now() + checkpointTimeoutMs;
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      if ((await countStored(threadId, checkpoints)) === checkpoints.length) return;
      if (performance.now() > until) break;
      await waitForTurn(tries, signal);
    }
    throw new PerdureError(
      "GRAPH_UNSUPPORTED",
      `once.tx "${key}" has to know its task again, but the checkpoint of that is not stored.`,
      { hint: 'Use durability "sync" or "async", and no checkpointer: false in a graph inside of another one.' },
    );
  }
}

interface StoredRecord {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** In an object, because there is no JSON for undefined. */
async function valueOf(serde: SerializerProtocol, record: StoredRecord): Promise<unknown> {
  return ((await fromStored(serde, record)) as { readonly value?: unknown }).value;
}

/** What went wrong: for a transaction that had failed before, the statement that failed. */
function reasonOf(error: unknown, { failure }: SqlTransaction): unknown {
  if (tookTooLong(error)) {
    const { cause } = error as PerdureError;
    return transactionEnded(
      `the server closed its connection (${messageOf(cause)})`,
      cause,
      "Do not wait long between the statements of fn. Beside timeoutMs there may be limits of the server: see its transaction_timeout and idle_in_transaction_session_timeout.",
    );
  }
  if (failure === undefined || codeOf(error) !== SQL_STATE.failedTransaction) return error;
  if (isWorthRepeating(failure)) return failure;
  return transactionEnded(
    `a statement failed (${show(messageOf(failure))}), and Postgres commits nothing after that`,
    failure,
  );
}

function isWorthRepeating(error: unknown): boolean {
  if (isPerdureError(error)) return isTransient(error);
  if (isTransient(error)) return true;
  // libraries that make statements wrap the database's errors
  return error instanceof Error && error.cause !== undefined && isWorthRepeating(error.cause);
}

async function waitForTurn(tries: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(FIRST_WAIT_MS * 2 ** tries, LONGEST_WAIT_MS);
  await delay(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}

function endedByItself(key: string): PerdureError {
  return transactionEnded(
    `the statements of once.tx "${key}" ended it themselves, so what they did may be stored in part`,
  );
}
