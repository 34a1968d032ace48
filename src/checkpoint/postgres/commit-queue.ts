import type { Commit, Verdict } from "./flush-statement.ts";

/** How a {@link CommitQueue} stores what it has gathered. */
export interface CommitQueueOptions {
  /** Stores the commits in one statement; a verdict for each, in their order. */
  readonly flush: (commits: readonly Commit[]) => Promise<(Verdict | undefined)[]>;
  /** How many flushes may be under way at once, each on a connection of its own. */
  readonly lanes: number;
}

interface Waiting {
  readonly commit: Commit;
  readonly resolve: (verdict: Verdict | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** What one statement stores at most. */
const MAX_COMMITS = 256;
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * Gathers the commits of all threads and stores what has gathered whenever a connection is free, so that
 * many threads share a transaction. The commits of one thread are stored in the order they were added,
 * one flush after the other.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  /** By thread; a thread whose commits are in flight waits. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #inFlight = new Set<string>();
  readonly #idle = new Set<() => void>();
  #flushes = 0;
  #scheduled = false;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** Resolves with the verdict once the commit is stored or refused; rejects when it could not be judged. */
  add(commit: Commit): Promise<Verdict | undefined> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(commit.threadId);
      if (waiting === undefined) this.#waiting.set(commit.threadId, [{ commit, resolve, reject }]);
      else waiting.push({ commit, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  async settled(): Promise<void> {
    if (this.#flushes === 0 && this.#waiting.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /** After what runs now has had its say: the result of a step and the checkpoint after it go together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#flushes < this.#options.lanes) {
      const batch = this.#take();
      if (batch.length === 0) break;
      this.#flushes += 1;
      void this.#flush(batch).finally(() => {
        this.#flushes -= 1;
        for (const { commit } of batch) this.#inFlight.delete(commit.threadId);
        if (this.#waiting.size > 0) this.#schedule();
        else if (this.#flushes === 0) {
          for (const resolve of this.#idle) resolve();
          this.#idle.clear();
        }
      });
    }
  }

  #take(): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    for (const [threadId, waiting] of this.#waiting) {
      if (this.#inFlight.has(threadId)) continue;
      const keys = new Set<string>();
      let asks = false;
      let count = 0;
      for (const { commit } of waiting) {
        const size = sizeOf(commit);
        const isFull = batch.length > 0 && (batch.length >= MAX_COMMITS || bytes + size > MAX_BYTES);
        // A statement closes questions before it opens others.
        if (isFull || !fits(commit, keys) || (asks && endsQuestions(commit))) break;
        asks ||= commit.writes.some((row) => row.asks !== undefined);
        batch.push(waiting[count] as Waiting);
        count += 1;
        bytes += size;
        // Whoever comes next is judged by the head that this one makes.
        if (commit.condition.onHead) break;
      }
      if (count === 0) continue;
      this.#inFlight.add(threadId);
      if (count === waiting.length) this.#waiting.delete(threadId);
      else this.#waiting.set(threadId, waiting.slice(count));
    }
    return batch;
  }

  async #flush(batch: readonly Waiting[]): Promise<void> {
    try {
      const verdicts = await this.#options.flush(batch.map(({ commit }) => commit));
      for (const [index, { resolve }] of batch.entries()) resolve(verdicts[index]);
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error);
      else await this.#flushApart(batch);
    }
  }

  /** One commit may be the cause of the error: the others must not suffer for it, except those that follow it. */
  async #flushApart(batch: readonly Waiting[]): Promise<void> {
    const failed = new Map<string, unknown>();
    for (const { commit, resolve, reject } of batch) {
      if (failed.has(commit.threadId)) {
        reject(failed.get(commit.threadId));
        continue;
      }
      try {
        const [verdict] = await this.#options.flush([commit]);
        resolve(verdict);
      } catch (error) {
        failed.set(commit.threadId, error);
        reject(error);
      }
    }
  }
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
