import { PerdureError, isPerdureError } from "../../errors/index.ts";
import { codeOf } from "../postgres-errors.ts";
import { clockMs, later, soon } from "../real-clock.ts";
import { SQL_STATE } from "../sql-state.ts";
import type { Commit, Verdict } from "./commit.ts";

/** How a {@link CommitQueue} stores what it has gathered. */
export interface CommitQueueOptions {
  /** Stores the commits at once; a verdict for each, in their order, or none while its thread is locked. */
  readonly flush: (commits: readonly Commit[]) => Promise<(Verdict | undefined)[]>;
  /** Stores commits to one thread that was locked again and again; no verdicts when it waited so long for it in vain. */
  readonly flushInLine: (commits: readonly Commit[], waitMs: number) => Promise<(Verdict | undefined)[]>;
  /** How many flushes may be under way at once, each on a connection of its own. */
  readonly lanes: number;
  /**
   * After how long a commit gives up waiting for its thread, in milliseconds.
   * @default it does not
   */
  readonly lockTimeoutMs?: number | undefined;
}

interface Waiting {
  readonly commit: Commit;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: unknown) => void;
}

/** What one statement stores at most. */
const MAX_COMMITS = 256;
const MAX_BYTES = 8 * 1024 * 1024;

/** How soon a commit is tried again while somebody else has its thread locked. */
const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 250;
/** After so many times one thread at a time stands in the server's line, so long. */
const TIMES_BEFORE_LINE = 6;
const IN_LINE_MS = 1000;
/** What is tried again takes no more of the line than this. */
const AGAIN_BYTES_PER_MS = 20_000;

/**
 * Gathers the commits of all threads and stores what has gathered whenever a connection is free, so that
 * many threads share a transaction. The commits of one thread are stored in the order they were added,
 * one flush after the other. One whose thread is locked is tried again until it is free; meanwhile it takes
 * no connection, and nobody but its thread waits for it.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  /** By thread; a thread whose commits are in flight, or that is locked, waits. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #inFlight = new Set<string>();
  /** Threads that were found locked: how often, and since when. */
  readonly #locked = new Map<string, { readonly times: number; readonly since: number }>();
  readonly #idle = new Set<() => void>();
  #flushes = 0;
  /** Whether a thread stands in the server's line, on a connection beside those of the flushes. */
  #isInLine = false;
  #scheduled = false;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** Resolves with the verdict once the commit is stored or refused; rejects when it could not be judged. */
  add(commit: Commit): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(commit.threadId);
      if (waiting === undefined) this.#waiting.set(commit.threadId, [{ commit, resolve, reject }]);
      else waiting.push({ commit, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  async settled(): Promise<void> {
    if (this.#flushes === 0 && !this.#isInLine && this.#waiting.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /** After what runs now has had its say: the result of a step and the checkpoint after it go together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    soon(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#flushes < this.#options.lanes) {
      const batch = this.#take();
      if (batch.length === 0) break;
      this.#flushes += 1;
      void this.#flush(batch, this.#options.flush).finally(() => {
        this.#flushes -= 1;
        this.#ended(batch);
      });
    }
  }

  #ended(batch: readonly Waiting[]): void {
    for (const { commit } of batch) if (!this.#locked.has(commit.threadId)) this.#inFlight.delete(commit.threadId);
    if (this.#waiting.size > 0) this.#schedule();
    else if (this.#flushes === 0 && !this.#isInLine) {
      for (const resolve of this.#idle) resolve();
      this.#idle.clear();
    }
  }

  #take(): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    for (const [threadId, waiting] of this.#waiting) {
      if (this.#inFlight.has(threadId)) continue;
      const keys = new Set<string>();
      let asks = false;
      let advances = false;
      let count = 0;
      for (const { commit } of waiting) {
        const size = sizeOf(commit);
        const isFull = batch.length > 0 && (batch.length >= MAX_COMMITS || bytes + size > MAX_BYTES);
        // A statement closes questions before it opens others, and judges by the head that it finds.
        if (isFull || !fits(commit, keys) || (asks && endsQuestions(commit))) break;
        if (advances && commit.condition.onHead) break;
        advances ||= commit.checkpoint?.ns === "";
        asks ||= commit.writes.some((row) => row.asks !== undefined);
        batch.push(waiting[count] as Waiting);
        count += 1;
        bytes += size;
        // Whoever comes next is judged by the head that this one makes.
        if (commit.condition.onHead) break;
      }
      if (count === 0) continue;
      this.#inFlight.add(threadId);
      // What is left goes to the end, so that a thread with many commits does not keep others waiting.
      this.#waiting.delete(threadId);
      if (count < waiting.length) this.#waiting.set(threadId, waiting.slice(count));
    }
    return batch;
  }

  async #flush(batch: readonly Waiting[], flush: CommitQueueOptions["flush"]): Promise<void> {
    try {
      this.#judged(batch, await flush(batch.map(({ commit }) => commit)));
    } catch (error) {
      // A database that can't be reached is not the fault of a commit: each of them would wait for it anew.
      if (batch.length === 1 || isPerdureError(error)) for (const each of batch) this.#failed(each, error);
      else await this.#flushApart(batch);
    }
  }

  #judged(batch: readonly Waiting[], verdicts: readonly (Verdict | undefined)[]): void {
    const again = new Map<string, Waiting[]>();
    for (const [index, each] of batch.entries()) {
      const verdict = verdicts[index];
      const { threadId } = each.commit;
      if (verdict === undefined) again.set(threadId, [...(again.get(threadId) ?? []), each]);
      else {
        this.#locked.delete(threadId);
        each.resolve(verdict);
      }
    }
    for (const [threadId, commits] of again) this.#again(threadId, commits);
  }

  #failed({ commit, reject }: Waiting, error: unknown): void {
    this.#locked.delete(commit.threadId);
    reject(error);
  }

  /** Before whatever else waits in the thread, and in flight until then. */
  #again(threadId: string, commits: readonly Waiting[]): void {
    const { times, since } = this.#locked.get(threadId) ?? { times: 0, since: clockMs() };
    const { lockTimeoutMs = Number.POSITIVE_INFINITY } = this.#options;
    if (clockMs() - since > lockTimeoutMs) {
      for (const each of commits) this.#failed(each, threadLocked(threadId, lockTimeoutMs));
      return;
    }
    this.#locked.set(threadId, { times: times + 1, since });
    if (times >= TIMES_BEFORE_LINE && !this.#isInLine) {
      this.#isInLine = true;
      const waitMs = Math.min(IN_LINE_MS, lockTimeoutMs / 2);
      void this.#flush(commits, (sent) => this.#options.flushInLine(sent, waitMs)).finally(() => {
        this.#isInLine = false;
        this.#ended(commits);
      });
      return;
    }
    this.#waiting.set(threadId, [...commits, ...(this.#waiting.get(threadId) ?? [])]);
    const bytes = commits.reduce((sum, { commit }) => sum + sizeOf(commit), 0);
    const wait = Math.min(FIRST_WAIT_MS * 2 ** times, LONGEST_WAIT_MS) + bytes / AGAIN_BYTES_PER_MS;
    later(() => {
      this.#inFlight.delete(threadId);
      this.#schedule();
    }, wait);
  }

  /** One commit may be the cause of the error: the others must not suffer for it, except those that follow it. */
  async #flushApart(batch: readonly Waiting[]): Promise<void> {
    const failed = new Map<string, unknown>();
    const locked = new Map<string, Waiting[]>();
    for (const each of batch) {
      const { commit } = each;
      if (failed.has(commit.threadId)) {
        this.#failed(each, failed.get(commit.threadId));
        continue;
      }
      const before = locked.get(commit.threadId);
      if (before !== undefined) {
        before.push(each);
        continue;
      }
      try {
        const [verdict] = await this.#options.flush([commit]);
        if (verdict === undefined) locked.set(commit.threadId, [each]);
        else this.#judged([each], [verdict]);
      } catch (error) {
        // A checkpoint whose rows are taken is prepared anew; the results that follow it are not lost by that.
        if (codeOf(error) !== SQL_STATE.uniqueViolation) failed.set(commit.threadId, error);
        this.#failed(each, error);
      }
    }
    for (const [threadId, commits] of locked) this.#again(threadId, commits);
  }
}

function threadLocked(threadId: string, afterMs: number): PerdureError {
  return new PerdureError(
    "THREAD_BUSY",
    `another transaction has held the row of thread "${threadId}" for ${afterMs} ms.`,
    {
      hint: "Nothing was stored. Look for a session that is idle in a transaction (pg_stat_activity), then try again.",
    },
  );
}

/** A statement may touch a row once only. */
function fits(commit: Commit, keys: Set<string>): boolean {
  const own: string[] = commit.writes.map(({ ns, checkpointId, taskId, idx }) =>
    JSON.stringify([ns, checkpointId, taskId, idx]),
  );
  if (commit.checkpoint !== undefined) own.push(JSON.stringify([commit.checkpoint.ns, commit.checkpoint.id]));
  if (own.some((key) => keys.has(key))) return false;
  for (const key of own) keys.add(key);
  return true;
}

function endsQuestions({ checkpoint, writes }: Commit): boolean {
  return checkpoint !== undefined || writes.some(({ ends }) => ends !== undefined);
}

function sizeOf({ checkpoint, blobs, writes }: Commit): number {
  const stored = [...blobs, ...writes].map((row) => row.stored.bytes.byteLength);
  return stored.reduce((sum, size) => sum + size, checkpoint?.body.bytes.byteLength ?? 0);
}
