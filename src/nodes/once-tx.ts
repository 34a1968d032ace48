import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { parseOptions, PerdureError } from "../errors/index.ts";
import { TimerMs, abortable } from "./delay.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import { NEVER, OnceKey, onceHome, refuseInterrupt } from "./once-work.ts";
import type { OnceContext } from "./once-work.ts";
import {
  assertMayCall,
  checkpointerOf,
  currentConfig,
  runWithConfig,
  taskCheckpoints,
  taskIdentity,
  withoutCalls,
} from "./running-task.ts";
import type { TaskCheckpoint } from "./running-task.ts";
import { asStored } from "./stored-form.ts";
import { withTimeLimit } from "./time-limit.ts";

/** Statements inside of the transaction of {@link onceTx}, called as those of pg and PGlite are. */
export interface TransactionSql {
  /**
   * Runs one statement, with `$1`, `$2`, … for its values. Errors are the database's own.
   * @throws PerdureError `TRANSACTION_ENDED` when the transaction has ended, and for a statement that would end it
   */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<{ rows: Row[] }>;
}

/** Which piece of work: the same after a retry, a crash and a resume, and in each process that does it. */
export interface OncePlace {
  readonly threadId: string;
  readonly taskId: string;
  readonly key: string;
  /**
   * What the task builds on. A task whose checkpoint is not stored would be another task after a crash, so these
   * must be there before the work begins.
   */
  readonly checkpoints: readonly TaskCheckpoint[];
  /** The epoch that the thread's record must still have at the commit (I7); the runner says it. */
  readonly epoch?: number;
  /**
   * How long `work` may take. Postgres waits as long for its next statement, and a little longer for the commit.
   * @default as long as the connection's `idle_in_transaction_session_timeout` says
   */
  readonly timeoutMs?: number;
  /** Aborts when the work is not wanted any more. */
  readonly signal: AbortSignal;
}

/** What a checkpointer over SQL has for {@link onceTx}. */
export interface OnceCommitter {
  /**
   * Runs `work` in a transaction of the checkpointer's own database that also stores, under the place, what it
   * returned. When that is stored already, it is returned and nothing runs. Of several callers at
   * once, in whatever processes, one runs and the others wait for its result. Repeats `work` in a new
   * transaction after a deadlock, a serialization failure or a lost connection. What `work` throws rolls back all.
   */
  commitOnce(place: OncePlace, work: (sql: TransactionSql) => Promise<unknown>): Promise<unknown>;
}

/** How {@link onceTx} runs. */
export interface OnceTxOptions {
  /**
   * After how long a transaction that is still open is rolled back, with `NODE_TIMEOUT`. It takes the place of Postgres's
   * `idle_in_transaction_session_timeout`; a `transaction_timeout` of the server holds all the same.
   * @default 60_000
   */
  readonly timeoutMs?: number;
}

const Given = z.strictObject({
  key: OnceKey.refine((key) => !key.includes("\0"), "must not contain NUL, which Postgres does not store"),
  fn: z.function(),
  timeoutMs: TimerMs.default(60_000),
});

/**
 * `once.tx`: runs `fn` in a transaction of the checkpointer's own database, commits in it the record that it was
 * done, and returns its result. So the statements of `fn` take effect exactly once, also when the node runs again: after
 * an interrupt, in a retry, after a crash at any moment, in two processes at once. For Postgres and PGlite.
 *
 * - A `fn` that throws, and a run that is cancelled or out of time, roll back everything; the next attempt runs `fn` again.
 * - `fn` is run again by itself after a deadlock, a serialization failure or a lost connection, so it should do nothing
 *   but statements. For another effect use {@link once}, before or after.
 * - Use `sql` only: a statement on another connection is not part of the transaction, and PGlite has only one. Await each
 *   statement. Send no `BEGIN`, `COMMIT` or `ROLLBACK`; a `SAVEPOINT` lets `fn` go on after a statement that failed.
 * - Keep it short: locks are held, and on PGlite everything else waits, `runner.cancel` too.
 * - No question, `once`, task or graph inside `fn`.
 * - The key belongs to the node's task, as with `once`, and the result comes back as the checkpointer stores it. Two
 *   drivers of one thread at once have the same tasks under a runner; plain LangGraph lets them commit a superstep
 *   each, and the tasks after that are others.
 *
 * The record lies in the table `perdure_once` and is deleted with its thread.
 *
 * @param key 1 to 200 characters; other work than `once` under the same key
 * @throws PerdureError `OUTSIDE_GRAPH`, `OPTIONS_INVALID` (key), `CHECKPOINTER_UNSUPPORTED` (no SQL database),
 *   `ONCE_INTERRUPTED`, `VALUE_UNSERIALIZABLE` (result), `TRANSACTION_ENDED`, `NODE_TIMEOUT`, `GRAPH_UNSUPPORTED`
 *   (the task's checkpoint is not stored), `CHECKPOINT_CONFLICT` (cancelled meanwhile), `CHECKPOINTER_UNREACHABLE`
 *
 * @example
 * const receipt = await once.tx("transfer", async (sql) => {
 *   await sql.query("UPDATE accounts SET cents = cents - $2 WHERE id = $1", [from, cents]);
 *   await sql.query("UPDATE accounts SET cents = cents + $2 WHERE id = $1", [to, cents]);
 *   return { from, to, cents };
 * });
 */
export async function onceTx<T>(
  key: string,
  fn: (sql: TransactionSql, context: OnceContext) => T | Promise<T>,
  options: OnceTxOptions = {},
): Promise<T> {
  const { timeoutMs } = parseOptions("once.tx", Given, { key, fn, ...options });
  const here = currentConfig("once.tx");
  assertMayCall(here);
  const { config } = onceHome(here);
  const checkpointer = checkpointerOf(config);
  if (!commitsOnce(checkpointer)) throw noSql(checkpointer);
  const { threadId = "", taskId } = taskIdentity(config);
  const { signal = NEVER } = config;
  const name = idempotencyKey(threadId, taskId, "once.tx", key);

  const work = async (sql: TransactionSql): Promise<T> => {
    let refused: PerdureError | undefined;
    const inside = withoutCalls(config, () => (refused ??= callInside(key)));
    signal.throwIfAborted();
    try {
      const result = await withTimeLimit(timeoutMs, signal, `once.tx "${key}"`, (own) =>
        // a `fn` that is deaf to its signal must not keep its locks, so nobody waits for it
        abortable(
          runWithConfig({ ...inside, signal: own }, async () => fn(sql, { idempotencyKey: name, signal: own })),
          own,
        ),
      );
      if (refused !== undefined) throw refused;
      const stored = await asStored(result, checkpointer, `The result of once.tx "${key}"`);
      signal.throwIfAborted();
      return stored;
    } catch (error) {
      throw refuseInterrupt(error, "once.tx", key);
    }
  };
  signal.throwIfAborted();
  const place: OncePlace = { threadId, taskId, key, checkpoints: taskCheckpoints(config), timeoutMs, signal };
  const result = await checkpointer.commitOnce(place, work);
  signal.throwIfAborted();
  return result as T;
}

function commitsOnce(
  checkpointer: BaseCheckpointSaver | undefined,
): checkpointer is BaseCheckpointSaver & OnceCommitter {
  return typeof (checkpointer as Partial<OnceCommitter> | undefined)?.commitOnce === "function";
}

function noSql(checkpointer: BaseCheckpointSaver | undefined): PerdureError {
  const given = (checkpointer as { description?: unknown } | undefined)?.description ?? checkpointer?.constructor.name;
  const what = given === undefined ? "there is no checkpointer" : `${String(given)} is none`;
  return new PerdureError(
    "CHECKPOINTER_UNSUPPORTED",
    `once.tx needs a checkpointer over an SQL database, and ${what}.`,
    {
      hint: "Open one with openCheckpointer on postgres:// or pglite:, or use once with its idempotency key.",
    },
  );
}

function callInside(key: string): PerdureError {
  return new PerdureError(
    "ONCE_INTERRUPTED",
    `once.tx "${key}" asked a question, or began a once, a task or a graph, inside of its transaction.`,
    { hint: "Do that in the node itself, before or after; inside of once.tx only use its statements." },
  );
}
