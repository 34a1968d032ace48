import type { StoredBytes } from "./value-codec.ts";

/** What must hold for a commit to be made, all of it judged against the thread's locked row. */
export interface CommitCondition {
  /** The thread as it was when the commit was prepared; undefined when nothing depends on it. */
  readonly basis: { readonly thread: number; readonly generation: number } | undefined;
  readonly epoch: number | undefined;
  /** The new checkpoint must stand on the root's head, and be newer. */
  readonly onHead: boolean;
}

/** One row of a list or another value of a channel. */
export interface BlobRow {
  readonly lineage: number;
  readonly start: number;
  readonly stored: StoredBytes;
}

/** A checkpoint as a row. */
export interface CheckpointRow {
  readonly ns: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly body: StoredBytes;
  readonly lineages: readonly number[];
  readonly upTos: readonly number[];
}

/** The index of the row of a task's result, which stays once it is there. */
export const RESULT_IDX = 0;

/** Writes of a task as a row: its whole result, or one special write. */
export interface WritesRow {
  readonly ns: string;
  readonly checkpointId: string;
  readonly taskId: string;
  /** {@link RESULT_IDX}, or that of a special write, which is replaced. */
  readonly idx: number;
  readonly stored: StoredBytes;
  /** Set when the task asks a question. */
  readonly asks?: {
    /** How many answers it had before, and so the question's id, if that is known. */
    readonly answersBefore: number | undefined;
    readonly interruptId: string | undefined;
    /** When it was asked, as an ISO date; when it is stored if absent. */
    readonly askedAt?: string | undefined;
  };
  /** Set when the row ends the task's question: by its result, or by answers, so many. */
  readonly ends?: { readonly answers: number };
}

/** A record as it is stored. */
export interface RecordRow {
  readonly epoch: number;
  readonly stored: StoredBytes;
}

/** One `put` or `putWrites`. */
export interface Commit {
  readonly threadId: string;
  readonly condition: CommitCondition;
  /** What the thread's record begins with. The commit is refused where the thread is there already, with a record to change. */
  readonly record?: RecordRow;
  readonly checkpoint?: CheckpointRow;
  readonly blobs: readonly BlobRow[];
  readonly writes: readonly WritesRow[];
}

/** What was found of the thread, and so whether the commit was made. */
export interface Verdict {
  readonly made: boolean;
  readonly thread: number;
  readonly generation: number;
  readonly epoch: number;
  /** The root's newest checkpoint before. */
  readonly head: string | undefined;
}
