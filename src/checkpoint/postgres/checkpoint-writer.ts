import { ExponentialBackoff, handleWhen, retry } from "cockatiel";
import { isConnectionError } from "../postgres-errors.ts";
import type { NamedStatement, SqlClient, SqlDriver } from "../sql-driver.ts";
import { CommitQueue } from "./commit-queue.ts";
import type { CommitQueueOptions } from "./commit-queue.ts";
import { flushStatement, verdicts } from "./flush-statement.ts";
import { flushValues } from "./flush-values.ts";
import type { Commit, Verdict } from "./commit.ts";
import type { VerdictRow } from "./flush-statement.ts";
import { namedStatement } from "../named-statement.ts";
import type { SaverTables } from "./saver-tables.ts";

/** Waits up to some eight seconds in all: a server that restarts or fails over is back by then. */
const RETRIES = { maxAttempts: 11, backoff: new ExponentialBackoff({ initialDelay: 50, maxDelay: 1000 }) };

/** Stores commits, many at a time, and again where the database failed and that is safe. */
export class CheckpointWriter {
  readonly #driver: SqlDriver;
  readonly #tables: SaverTables;
  /** Also makes threads. */
  readonly #beginning: NamedStatement;
  /** For threads that are there. */
  readonly #going: NamedStatement;
  readonly #queue: CommitQueue;
  /** Commits that were sent over a connection that was lost: the server may still be at it. */
  readonly #unsure = new WeakSet<Commit>();

  constructor(driver: SqlDriver, tables: SaverTables, options: Omit<CommitQueueOptions, "flush">) {
    this.#driver = driver;
    this.#tables = tables;
    this.#beginning = namedStatement("begin", flushStatement(tables, { begins: true }));
    this.#going = namedStatement("flush", flushStatement(tables, { begins: false }));
    this.#queue = new CommitQueue({ ...options, flush: (commits) => this.#flush(commits) });
  }

  /** Resolves when the commit is stored, or refused with what was found. */
  async add(commit: Commit): Promise<Verdict> {
    const verdict = await this.#queue.add(commit);
    if (verdict.made || commit.checkpoint === undefined || !this.#unsure.has(commit)) return verdict;
    // What it conflicts with may be itself: the statement went on after its connection was lost.
    const found: (Verdict | undefined)[] = [];
    await this.#withoutStored([{ commit, index: 0 }], found);
    return found[0] ?? verdict;
  }

  /** Stores a commit in a transaction that holds the thread's row. */
  async flushOn(client: SqlClient, commit: Commit): Promise<Verdict> {
    const { rows } = await client.query<VerdictRow>(this.#beginning.text, flushValues([commit]));
    return verdicts(1, rows)[0] as Verdict;
  }

  /** Resolves when nothing is left to store. */
  async settled(): Promise<void> {
    await this.#queue.settled();
  }

  async #flush(commits: readonly Commit[]): Promise<(Verdict | undefined)[]> {
    const found: (Verdict | undefined)[] = Array.from({ length: commits.length });
    let left = commits.map((commit, index) => ({ commit, index }));
    await retry(handleWhen(isTransient), RETRIES).execute(async ({ attempt }) => {
      if (attempt > 0) left = await this.#withoutStored(left, found);
      if (left.length === 0) return;
      const judge = async (statement: NamedStatement): Promise<void> => {
        const judged = await this.#send(
          statement,
          left.map(({ commit }) => commit),
        );
        for (const [position, { index }] of left.entries()) found[index] = judged[position];
        left = left.filter(({ index }) => found[index] === undefined);
      };
      if (left.every(({ commit }) => !mayBegin(commit))) await judge(this.#going);
      // A thread without a verdict is locked, or is not there.
      if (left.length > 0) await judge(this.#beginning);
    });
    return found;
  }

  async #send(statement: NamedStatement, commits: readonly Commit[]): Promise<(Verdict | undefined)[]> {
    try {
      const { rows } = await this.#driver.commit<VerdictRow>(statement, flushValues(commits));
      return verdicts(commits.length, rows);
    } catch (error) {
      if (isTransient(error)) for (const commit of commits) this.#unsure.add(commit);
      throw error;
    }
  }

  /**
   * When a connection is lost, what it was storing may be stored or not. A checkpoint that is there was
   * stored by us, with all that goes with it: nobody else has its id. Storing writes twice changes nothing.
   */
  async #withoutStored<Left extends { readonly commit: Commit; readonly index: number }>(
    left: readonly Left[],
    found: (Verdict | undefined)[],
  ): Promise<Left[]> {
    const puts = left.filter(({ commit }) => commit.checkpoint !== undefined);
    const { rows } = await this.#driver.query<{ n: unknown; thread: unknown; generation: unknown; epoch: unknown }>(
      `SELECT o.n, t.thread, t.generation, t.epoch FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS o(thread_id, ns, id, n)
         JOIN ${this.#tables.threads} t ON t.thread_id = o.thread_id
         JOIN ${this.#tables.checkpoints} c ON c.thread = t.thread AND c.ns = o.ns AND c.id = o.id`,
      [
        puts.map(({ commit }) => commit.threadId),
        puts.map(({ commit }) => commit.checkpoint?.ns),
        puts.map(({ commit }) => commit.checkpoint?.id),
      ],
    );
    const stored = new Set<Left>();
    for (const { n, thread, generation, epoch } of rows) {
      const put = puts[Number(n) - 1] as Left;
      stored.add(put);
      found[put.index] = {
        made: true,
        thread: Number(thread),
        generation: Number(generation),
        epoch: Number(epoch),
        head: undefined,
      };
    }
    return left.filter((each) => !stored.has(each));
  }
}

/** A checkpoint that stands on nothing is the first of its thread, most of the time. */
function mayBegin({ checkpoint, condition }: Commit): boolean {
  return checkpoint !== undefined && condition.basis === undefined;
}

/** A lost connection, a deadlock, or a transaction that has to be run again (SQLSTATE class 40). */
function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { readonly code?: unknown };
  if (code === "CHECKPOINTER_UNREACHABLE") return isConnectionError(error.cause);
  return code === "40001" || code === "40P01";
}
