import { ExponentialBackoff, handleWhen, retry } from "cockatiel";
import { isConnectionError } from "../postgres-errors.ts";
import { advisoryKey } from "../postgres-tables.ts";
import type { NamedStatement, SqlClient, SqlDriver } from "../sql-driver.ts";
import { CommitQueue } from "./commit-queue.ts";
import { flushStatement, flushValues, verdicts } from "./flush-statement.ts";
import type { Commit, Verdict, VerdictRow } from "./flush-statement.ts";
import type { SaverTables } from "./saver-tables.ts";

/** So often a thread may be made and deleted by others in the moment of a commit. */
const MAX_RACES = 10;

/** Waits up to some eight seconds in all: a server that restarts or fails over is back by then. */
const RETRIES = { maxAttempts: 11, backoff: new ExponentialBackoff({ initialDelay: 50, maxDelay: 1000 }) };

/** Flushes of threads that somebody else has locked. */
const WAITING_LANES = 2;

/** Stores commits, many at a time, and again where the database failed and that is safe. */
export class CheckpointWriter {
  readonly #driver: SqlDriver;
  readonly #tables: SaverTables;
  readonly #waiting: NamedStatement;
  readonly #queue: CommitQueue;
  /** For threads that somebody else has locked, so that no others have to wait for them. */
  readonly #waitingQueue: CommitQueue;

  constructor(driver: SqlDriver, tables: SaverTables, options: { readonly schema: string; readonly lanes: number }) {
    this.#driver = driver;
    this.#tables = tables;
    const statement = (name: string, wait: boolean): NamedStatement => ({
      name: `perdure_${name}_${advisoryKey(name, options.schema)}`,
      text: flushStatement(tables, { wait }),
    });
    const passing = statement("flush", false);
    this.#waiting = statement("wait", true);
    this.#queue = new CommitQueue({ flush: (commits) => this.#flush(passing, commits), lanes: options.lanes });
    this.#waitingQueue = new CommitQueue({
      flush: (commits) => this.#flush(this.#waiting, commits),
      lanes: WAITING_LANES,
    });
  }

  /** Resolves when the commit is stored, or refused with what was found. */
  async add(commit: Commit): Promise<Verdict> {
    const { basis } = commit.condition;
    let verdict = await this.#queue.add(commit);
    for (let races = 0; verdict === undefined && races < MAX_RACES; races += 1) {
      verdict = await this.#waitingQueue.add(commit);
      // Its thread is gone.
      if (basis !== undefined) break;
    }
    return verdict ?? { made: false, ...(basis ?? NOTHING), epoch: 0, head: undefined };
  }

  /** Stores a commit in a transaction that holds the thread's row. */
  async flushOn(client: SqlClient, commit: Commit): Promise<Verdict> {
    const { rows } = await client.query<VerdictRow>(this.#waiting.text, flushValues([commit]));
    return verdicts(1, rows)[0] as Verdict;
  }

  /** Resolves when nothing is left to store. */
  async settled(): Promise<void> {
    await this.#queue.settled();
    await this.#waitingQueue.settled();
  }

  async #flush(statement: NamedStatement, commits: readonly Commit[]): Promise<(Verdict | undefined)[]> {
    const found: (Verdict | undefined)[] = Array.from({ length: commits.length });
    let left = commits.map((commit, index) => ({ commit, index }));
    await retry(handleWhen(isTransient), RETRIES).execute(async ({ attempt }) => {
      if (attempt > 0) left = await this.#withoutStored(left, found);
      if (left.length === 0) return;
      const values = flushValues(left.map(({ commit }) => commit));
      const { rows } = await this.#driver.commit<VerdictRow>(statement, values);
      const judged = verdicts(left.length, rows);
      for (const [position, { index }] of left.entries()) found[index] = judged[position];
    });
    return found;
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

const NOTHING = { thread: 0, generation: 0 };

/** A lost connection, a deadlock, or a transaction that has to be run again (SQLSTATE class 40). */
function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { readonly code?: unknown };
  if (code === "CHECKPOINTER_UNREACHABLE") return isConnectionError(error.cause);
  return code === "40001" || code === "40P01";
}
