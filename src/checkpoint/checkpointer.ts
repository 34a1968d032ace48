import { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { CheckpointTuple, PendingWrite } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { OnceCommitter } from "../nodes/index.ts";
import type { ListPage, ListPageOptions, ListThreadsOptions, ListedInterrupt, ListedThread } from "./thread-lists.ts";
import type { PruneOptions, PruneResult } from "./prune-options.ts";
import type { ThreadRecord } from "./thread-record.ts";

/**
 * Where threads live: a LangGraph checkpoint saver that also keeps one small record beside each
 * thread's checkpoints and can commit answers and locks. It works as the checkpointer of any
 * compiled graph; the runner needs what it adds.
 *
 * Every commit to a thread (a checkpoint, the writes of a task, an answer, a change of the record)
 * is atomic, and takes that thread's row lock first, so the commits of one thread have one order.
 */
export abstract class Checkpointer extends BaseCheckpointSaver {
  /** What it is, for messages: the URL without its secrets. */
  abstract readonly description: string;

  /** Whether other processes can reach the same threads while this one has them open. */
  abstract readonly shared: boolean;

  /**
   * Stores writes of a task.
   * @param taskPath where the task stands among those of its superstep, as LangGraph says it since 1.5. Writes are
   *   read back in that order, which is the order in which a DeltaChannel got them.
   */
  abstract override putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath?: string,
  ): Promise<void>;

  /**
   * The newest checkpoint of each namespace at or below one of `namespaces` (`"ask:1"` also finds
   * `"ask:1|inner:2"`), with its pending writes. Empty when there is none.
   */
  abstract newestBelow(threadId: string, namespaces: readonly string[]): Promise<CheckpointTuple[]>;

  /** The thread's record; undefined for a thread that nobody ever drove with a runner. */
  abstract readRecord(threadId: string): Promise<ThreadRecord | undefined>;

  /** The newest checkpoint of the root graph, with its pending writes, and the record. */
  async readThread(threadId: string): Promise<ThreadHead> {
    const [tuple, record] = await Promise.all([
      this.getTuple({ configurable: { thread_id: threadId, checkpoint_ns: "" } }),
      this.readRecord(threadId),
    ]);
    return { tuple, record };
  }

  /**
   * Changes the thread's record in one commit and returns what is stored then. `change` gets the
   * stored record (or a new one), must be pure, and may throw to leave everything as it was.
   */
  abstract updateRecord(threadId: string, change: (record: ThreadRecord) => ThreadRecord): Promise<ThreadRecord>;

  /**
   * Commits answers to open interrupts, all of them or none (I3). Never waits for whoever drives
   * the thread. Returns what was found, one for each answer, in their order; unless each is
   * `accepted` or `same`, nothing was stored.
   */
  abstract commitAnswers(threadId: string, commit: AnswerCommit): Promise<AnswerOutcome[]>;

  /** The answer the interrupt was given, if it was ever answered. */
  abstract readAnswer(threadId: string, interruptId: string): Promise<RecordedAnswer | undefined>;

  /** The threads, the newest first. A thread that begins while the pages are read may be left out. */
  abstract listThreads(options?: ListThreadsOptions): Promise<ListPage<ListedThread>>;

  /** The questions that are open in any thread, the oldest first: what an inbox of approvals shows. */
  abstract listInterrupts(options?: ListPageOptions): Promise<ListPage<ListedInterrupt>>;

  /**
   * Removes old checkpoints of threads, and old threads. What a checkpoint that stays needs, stays: of lists their
   * items, of LangGraph's DeltaChannel the checkpoints back to its last snapshot, the subgraphs of its tasks. A
   * checkpoint goes on naming its parent when that is gone. Answers stay as long as the thread (I3).
   *
   * Works while others drive the threads, one thread at a time: nothing that they commit is lost. A thread that
   * somebody drives with a runner at that moment is not deleted.
   *
   * @throws OPTIONS_INVALID without a criterion
   */
  abstract prune(options: PruneOptions): Promise<PruneResult>;

  /**
   * Copies a thread under another id, all of it at one moment: checkpoints with their ids, pending writes, answers, the
   * record with its inbox. A question that is open is open in both, and a task that has not run will run in
   * both. What `once.tx` did is done for both.
   *
   * @throws THREAD_NOT_FOUND when there is no thread `from`
   * @throws THREAD_EXISTS when there is a thread `to`, and then nothing is copied
   */
  abstract copyThread(from: string, to: string): Promise<void>;

  /**
   * Takes the right to drive the thread: alone, or beside others that took it shared. Freed by
   * `release`, by `close`, and by the end of the process, however it ends.
   * @returns undefined when it is taken and `wait` is false
   */
  abstract lockThread(threadId: string, options: LockOptions): Promise<ThreadLock | undefined>;

  /**
   * Does a piece of work in the checkpointer's own SQL database exactly once, for `once.tx`. Absent where there is no
   * such database.
   */
  commitOnce?(...given: Parameters<OnceCommitter["commitOnce"]>): Promise<unknown>;

  /** Frees what it holds: locks, connections, files. Threads stay as they are. */
  abstract close(): Promise<void>;
}

/** Where a thread stands: both parts are absent for one that is not there. */
export interface ThreadHead {
  readonly tuple: CheckpointTuple | undefined;
  readonly record: ThreadRecord | undefined;
}

/** An answer to one interrupt, and where it goes. */
export interface AnswerToCommit {
  /** The interrupt it names. */
  readonly interruptId: string;
  /** The answer as it was given, kept for good; compared with a later one by its value. */
  readonly answer: unknown;
  /** The task that asked; absent for a breakpoint, which no task asks. */
  readonly task?: {
    readonly checkpointNs: string;
    readonly checkpointId: string;
    readonly taskId: string;
    /** The answers the task already had; the new one is stored only while it has exactly these. */
    readonly earlier: readonly unknown[];
  };
}

/** What {@link Checkpointer.commitAnswers} stores in one commit. */
export interface AnswerCommit {
  /** The head the questions belong to; when the thread has another one by now, they are `stale`. */
  readonly headCheckpointId: string;
  readonly answers: readonly AnswerToCommit[];
  /** A change of the record that goes with them, such as taking a signal out of the inbox. */
  readonly record?: (record: ThreadRecord) => ThreadRecord;
}

/**
 * - `accepted`: stored now
 * - `same`: this very answer was stored before
 * - `different`: another answer was stored before
 * - `stale`: the question is not open any more, and was never answered
 */
export type AnswerOutcome = "accepted" | "same" | "different" | "stale";

/** An answer as it was committed. */
export interface RecordedAnswer {
  readonly interruptId: string;
  readonly answer: unknown;
  /** When it was committed, as an ISO date. */
  readonly at: string;
}

/** How {@link Checkpointer.lockThread} takes a thread. */
export interface LockOptions {
  readonly mode: "exclusive" | "shared";
  /** Wait for whoever has it, first come first served within this process. */
  readonly wait: boolean;
  /** Stops the waiting; the call then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The right to drive a thread. */
export interface ThreadLock {
  /** Aborts when the right was lost while held, such as by a dropped connection. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/**
 * What a `put` or `putWrites` must find, passed in `configurable` under {@link COMMIT_KEY}. A commit
 * that does not find it stores nothing and throws `CHECKPOINT_CONFLICT`. Without it nothing is
 * refused: plain LangGraph forks and resumes as it likes.
 */
export interface CommitGuard {
  /** Only for `put`: the head of its namespace must be the parent the new checkpoint names (I4). */
  readonly onHead: boolean;
  /** The thread's record must still have this epoch: a cancel or a new driver raises it (I7). */
  readonly epoch: number;
  /** Only for `put`: a change of the record in the same commit. */
  readonly record?: (record: ThreadRecord) => ThreadRecord;
}

/** The key of a {@link CommitGuard} in a config's `configurable`. */
export const COMMIT_KEY = "__perdure_commit";
