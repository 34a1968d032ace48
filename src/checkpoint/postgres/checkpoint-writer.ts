import { ExponentialBackoff, handleWhen, retry } from "cockatiel";
import { codeOf, isTransient } from "../postgres-errors.ts";
import { SQL_STATE } from "../sql-state.ts";
import type { NamedStatement, SqlClient, SqlDriver } from "../sql-driver.ts";
import { CommitQueue } from "./commit-queue.ts";
import type { CommitQueueOptions } from "./commit-queue.ts";
import { flushStatement, verdicts } from "./flush-statement.ts";
import { flushValues } from "./flush-values.ts";
import type { CheckpointRow, Commit, Verdict } from "./commit.ts";
import type { VerdictRow } from "./flush-statement.ts";
import { namedStatement } from "../named-statement.ts";
import type { SaverTables } from "./saver-tables.ts";
import type { StoredRow } from "./value-codec.ts";

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
  /** Commits whose thread was locked, or not there, when they were sent first. */
  readonly #again = new WeakSet<Commit>();

  constructor(driver: SqlDriver, tables: SaverTables, options: Omit<CommitQueueOptions, "flush" | "flushInLine">) {
    this.#driver = driver;
    this.#tables = tables;
    this.#beginning = namedStatement("begin", flushStatement(tables, { begins: true }));
    this.#going = namedStatement("flush", flushStatement(tables, { begins: false }));
    this.#queue = new CommitQueue({
      ...options,
      flush: (commits) => this.#flush(commits),
      flushInLine: (commits, waitMs) => this.#flushInLine(commits, waitMs),
    });
  }

  /** Resolves when the commit is stored, or refused with what was found. */
  async add(commit: Commit): Promise<Verdict> {
    try {
      const verdict = await this.#queue.add(commit);
      return verdict.made ? verdict : ((await this.#itself(commit)) ?? verdict);
    } catch (error) {
      if (codeOf(error) !== SQL_STATE.uniqueViolation) throw error;
      const verdict = await this.#itself(commit);
      if (verdict === undefined) throw error;
      return verdict;
    }
  }

  /** What a commit conflicts with may be itself: the statement went on after its connection was lost. */
  async #itself(commit: Commit): Promise<Verdict | undefined> {
    if (!this.#unsure.has(commit)) return undefined;
    const found: (Verdict | undefined)[] = [];
    await this.#withoutStored([{ commit, index: 0 }], found);
    return found[0];
  }

  /** Stores commits to one thread in a transaction that holds its row. */
  async flushOn(client: SqlClient, commits: readonly Commit[]): Promise<(Verdict | undefined)[]> {
    const { rows } = await client.query<VerdictRow>(this.#beginning, flushValues(commits));
    return verdicts(commits.length, rows);
  }

  /** Resolves when nothing is left to store. */
  async settled(): Promise<void> {
    await this.#queue.settled();
  }

  async #flush(commits: readonly Commit[]): Promise<(Verdict | undefined)[]> {
    const found: (Verdict | undefined)[] = Array.from({ length: commits.length });
    let left = commits.map((commit, index) => ({ commit, index }));
    await retry(handleWhen(isTransient), RETRIES)
      .execute(async ({ attempt }) => {
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
        if (left.every(({ commit }) => !mayBegin(commit) && !this.#again.has(commit))) await judge(this.#going);
        // A thread without a verdict is locked, or is not there.
        if (left.length > 0) await judge(this.#beginning);
        for (const { commit } of left) this.#again.add(commit);
      })
      .catch((error: unknown) => {
        // What was judged stays judged; the rest is sent again, and fails by itself.
        if (left.length === commits.length) throw error;
      });
    return found;
  }

  /**
   * Waits in the server's own line for a row that was found locked each time: of a busy one nobody else would
   * ever leave it to us. No verdicts when that takes too long.
   */
  async #flushInLine(commits: readonly Commit[], waitMs: number): Promise<(Verdict | undefined)[]> {
    try {
      return await this.#driver.transaction(async (client) => {
        await client.query(`SET LOCAL lock_timeout = ${Math.ceil(waitMs)}`);
        await client.query(`SELECT FROM ${this.#tables.threads} WHERE thread_id = $1 FOR NO KEY UPDATE`, [
          commits[0]?.threadId,
        ]);
        return this.flushOn(client, commits);
      });
    } catch (error) {
      if (codeOf(error) === SQL_STATE.lockNotAvailable) return commits.map(() => undefined);
      if (!isTransient(error)) throw error;
      for (const commit of commits) this.#unsure.add(commit);
      return commits.map(() => undefined);
    }
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
   * When a connection is lost, what it was storing may be stored or not. A checkpoint that is there as it was
   * sent was stored by us, with all that goes with it. Its id alone says nothing: durability `exit` puts a
   * checkpoint on top of itself. Storing writes twice changes nothing.
   */
  async #withoutStored<Left extends { readonly commit: Commit; readonly index: number }>(
    left: readonly Left[],
    found: (Verdict | undefined)[],
  ): Promise<Left[]> {
    const puts = left.flatMap((each) => {
      const sent = each.commit.checkpoint;
      return sent === undefined ? [] : [{ each, sent }];
    });
    const { rows } = await this.#driver.query<StoredCheckpoint>(
      `SELECT o.n, true AS ok, t.thread, t.generation, t.epoch, NULL AS head, c.lineages, c.up_tos, c.type, c.text, c.bytes
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS o(thread_id, ns, id, n)
         JOIN ${this.#tables.threads} t ON t.thread_id = o.thread_id
         JOIN ${this.#tables.checkpoints} c ON c.thread = t.thread AND c.ns = o.ns AND c.id = o.id`,
      [puts.map(({ each }) => each.commit.threadId), puts.map(({ sent }) => sent.ns), puts.map(({ sent }) => sent.id)],
    );
    const judged = verdicts(
      puts.length,
      rows.filter((row) => isAsSent(row, puts[Number(row.n) - 1]?.sent as CheckpointRow)),
    );
    for (const [position, { each }] of puts.entries()) found[each.index] = judged[position];
    return left.filter(({ index }) => found[index] === undefined);
  }
}

interface StoredCheckpoint extends VerdictRow, StoredRow {
  readonly lineages: readonly unknown[];
  readonly up_tos: readonly unknown[];
}

/** The body has the versions of all channels, and each of them is written with a version of its own. */
function isAsSent(
  { lineages, up_tos, type, text, bytes }: StoredCheckpoint,
  { body, ...sent }: CheckpointRow,
): boolean {
  const stored = text === null ? bytes : Buffer.from(text);
  return (
    type === body.type &&
    stored !== null &&
    Buffer.compare(stored, body.bytes) === 0 &&
    lineages.map(Number).join() === sent.lineages.join() &&
    up_tos.map(Number).join() === sent.upTos.join()
  );
}

/** A checkpoint that stands on nothing is the first of its thread, most of the time. */
function mayBegin({ checkpoint, condition }: Commit): boolean {
  return checkpoint !== undefined && condition.basis === undefined;
}
