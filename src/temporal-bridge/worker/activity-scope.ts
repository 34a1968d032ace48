import { ApplicationFailure, Context, asyncLocalStorage } from "@temporalio/activity";
import { isPerdureError } from "../../errors/index.ts";
import type { ErrorCode } from "../../errors/index.ts";
import type { ThreadOwner } from "../../checkpoint/index.ts";
import { failureText } from "./failure-text.ts";
import type { OwnWorkers } from "./own-workers.ts";

/** What is as it is for a moment only: another attempt may go better. */
const PASSING = new Set<ErrorCode>([
  "CHECKPOINTER_CLOSED",
  "CHECKPOINTER_LOCKED",
  "CHECKPOINTER_UNREACHABLE",
  "CHECKPOINT_CONFLICT",
  "THREAD_BUSY",
]);

/** As Temporal has it where nobody says otherwise: after so long without a sign of life the task, and what runs in it, is begun elsewhere. */
const WORKFLOW_TASK_TIMEOUT_MS = 10_000;
/** A local activity holds up queries and signals of its run; what is over by then takes one workflow task. */
const LONGEST_LOCAL_MS = 3_000;
const SHUTDOWN_POLL_MS = 100;

/** The running activity, as far as the bridge needs it. */
export interface ActivityScope {
  readonly threadId: string;
  readonly owner: ThreadOwner;
  /** Aborts when the activity is cancelled, its worker is shut down, or it is taken for dead. */
  readonly signal: AbortSignal;
  readonly attempt: number;
  /** After so long without a sign of life it is taken for dead. */
  readonly heartbeatTimeoutMs: number;
  /** How long it may begin something new. */
  readonly mostMs: number;
  /** What the attempt before has left. */
  readonly left: unknown;
  /** Leaves something for the next attempt. */
  leave(details: unknown): void;
  /** Gives a sign of life where the task came so late that the activity may be taken for dead: then it hears of it. */
  askWhetherAlive(): void;
}

/** What Temporal does not tell a local activity. */
export interface LocalFacts {
  /** When it was scheduled by the server's clock, and not by the worker's. */
  readonly scheduledAt?: number | undefined;
  readonly workers: OwnWorkers;
}

/** Runs the work of an activity: with heartbeats, and with errors that say whether another attempt may help. */
export async function inActivity<T>(work: (scope: ActivityScope) => Promise<T>, local?: LocalFacts): Promise<T> {
  const context = Context.current();
  const { info, cancellationSignal } = context;
  const serverMs = Math.max(local?.scheduledAt ?? 0, info.currentAttemptScheduledTimestampMs);
  begun.set(context, { at: performance.now(), serverMs });
  const { workflowId = "", runId = "" } = info.workflowExecution ?? {};
  // without one a server may tell it as 0
  const heartbeatTimeoutMs = info.isLocal ? WORKFLOW_TASK_TIMEOUT_MS : info.heartbeatTimeoutMs || Infinity;
  const heartbeat = (left: unknown): void => {
    if (!info.isLocal) context.heartbeat(left);
  };
  let details: unknown = info.heartbeatDetails;
  const late = new AbortController();
  let beatAt = performance.now();
  const beat = setInterval(
    () => {
      // Temporal has given the activity to somebody else by now: what this process still does must not get in the way
      if (performance.now() - beatAt > heartbeatTimeoutMs)
        late.abort(new Error("The process stood still for too long."));
      beatAt = performance.now();
      heartbeat(details);
    },
    Math.min(heartbeatTimeoutMs, 30_000) / 3,
  );
  const shutdown = info.isLocal
    ? setInterval(() => {
        if (local?.workers.isStopping(info.taskQueue) === true) late.abort(new Error("The worker is shut down."));
      }, SHUTDOWN_POLL_MS)
    : undefined;
  const signal = AbortSignal.any([cancellationSignal, late.signal]);
  try {
    return await work({
      threadId: workflowId,
      owner: { engine: "temporal", name: `${info.workflowNamespace}/${workflowId}`, runId },
      signal,
      attempt: info.attempt,
      mostMs: info.isLocal ? LONGEST_LOCAL_MS : Infinity,
      heartbeatTimeoutMs,
      left: info.heartbeatDetails,
      leave: (left) => {
        details = left;
        heartbeat(left);
      },
      askWhetherAlive: () => {
        const underWayMs = Date.now() - serverMs;
        // a clock that is behind the server's can't tell
        if (underWayMs < 0 || underWayMs > heartbeatTimeoutMs / 3) heartbeat(details);
      },
    });
  } catch (error) {
    if (!signal.aborted) throw failureOf(error);
    // only what the workflow asked for is a cancel: a worker that stops leaves the rest to others
    if (context.cancellationDetails?.cancelRequested === true) throw cancellationSignal.reason as Error;
    throw ApplicationFailure.create({ type: "WORKER_STOPPED", message: String(signal.reason) });
  } finally {
    clearInterval(beat);
    clearInterval(shutdown);
  }
}

/** When activities began, by the clock of this process, and when they were scheduled, by the server's. */
const begun = new WeakMap<Context, { readonly at: number; readonly serverMs: number }>();

/** The time in the running activity, in milliseconds since the epoch: the server's, where that is ahead. It skips time in tests. */
export function activityNow(): number {
  const context = asyncLocalStorage.getStore();
  const start = context && begun.get(context);
  if (start === undefined) return Date.now();
  return Math.max(Date.now(), Math.ceil(start.serverMs + performance.now() - start.at));
}

function failureOf(error: unknown): Error {
  if (error instanceof ApplicationFailure || !(error instanceof Error)) return error as Error;
  const message = failureText(error.message);
  if (!isPerdureError(error)) {
    return message === error.message ? error : ApplicationFailure.create({ type: error.name, message });
  }
  return ApplicationFailure.create({
    type: error.code,
    message,
    nonRetryable: !PASSING.has(error.code),
    details: [{ hint: error.hint }],
  });
}
