/**
 * What is known of a thread beside its checkpoints. Stored as one small JSON document, committed
 * with what it describes; it never changes the sequence of checkpoints.
 */
export interface ThreadRecord {
  /** Raised by each cancel, and by taking a cancelled thread up again: commits of an older epoch are refused. */
  readonly epoch: number;
  /** The run under way, or the last one; null before the first. */
  readonly run: RunRecord | null;
  /** Signals that nobody has asked for yet, oldest first. */
  readonly signals: readonly StoredSignal[];
  /** Ids of the signals that were given to a node, the newest 1000, so that one sent again is known. @default none */
  readonly takenSignals?: readonly string[];
  /** Set while the thread is cancelled; a new turn or `continue` clears it. */
  readonly cancelled: { readonly reason: string; readonly at: string } | null;
  /** The questions that `supersede: true` dropped unanswered, newest last. */
  readonly superseded: readonly { readonly interruptIds: readonly string[]; readonly at: string }[];
  /** Who alone may drive the thread. @default absent: whoever holds its lock */
  readonly owner?: ThreadOwner;
  /** Runs of owners that are no longer it, the newest 100: what is left of them has no say any more. @default none */
  readonly pastOwners?: readonly string[];
}

/**
 * A run of an engine outside of the runner, such as a Temporal workflow, that alone drives a thread. Who else wants to
 * start, answer or continue the thread is refused.
 */
export interface ThreadOwner {
  /** What drives it, such as "temporal". */
  readonly engine: string;
  /** Names the engine's runs of this thread, of which one at a time is open: for Temporal, namespace and workflow id. */
  readonly name: string;
  /** Which of those runs it is. */
  readonly runId: string;
}

/** One run: from an input until the thread is done. Resumes and crashes do not start a new one. */
export interface RunRecord {
  readonly id: string;
  /** The step of the checkpoint that holds the run's input; steps of the run are counted from it. */
  readonly inputStep: number;
  readonly startedAt: string;
  /** The limit of supersteps the run was started with. */
  readonly maxSteps: number;
}

/** A signal in the inbox of a thread. */
export interface StoredSignal {
  readonly id: string;
  readonly name: string;
  readonly payload: unknown;
  readonly at: string;
}

/** So many earlier runs of owners are remembered. */
const PAST_RUNS_KEPT = 100;

/** The record of a thread that nobody drives at the moment, with another owner or none. The one before is remembered. */
export function ownedBy(record: ThreadRecord, owner: ThreadOwner | undefined): ThreadRecord {
  const { owner: before, pastOwners = [], ...rest } = record;
  if (before !== undefined && isSameRun(before, owner)) return record;
  const past = before === undefined ? pastOwners : [...pastOwners, before.runId].slice(-PAST_RUNS_KEPT);
  return {
    ...rest,
    ...(past.length === 0 ? {} : { pastOwners: past }),
    ...(owner === undefined ? {} : { owner: { engine: owner.engine, name: owner.name, runId: owner.runId } }),
  };
}

/** Whether both are the same run of the same engine. */
export function isSameRun(owner: ThreadOwner, by: ThreadOwner | undefined): boolean {
  return owner.engine === by?.engine && owner.name === by.name && owner.runId === by.runId;
}

/** Whether the run owns the thread, or has done so. */
export function tookPart({ owner, pastOwners = [] }: ThreadRecord, by: ThreadOwner): boolean {
  return owner?.runId === by.runId || pastOwners.includes(by.runId);
}

/** The record of a copy of the thread: nobody drives that yet. */
export function recordOfCopy({ owner: _owner, pastOwners: _past, ...record }: ThreadRecord): ThreadRecord {
  return { ...record, epoch: 0 };
}

/** The record of a thread that has none yet. */
export const EMPTY_RECORD: ThreadRecord = {
  epoch: 0,
  run: null,
  signals: [],
  cancelled: null,
  superseded: [],
};
