import { ApplicationFailure, Context, asyncLocalStorage } from "@temporalio/activity";
import { isPerdureError } from "../../errors/index.ts";
import type { ErrorCode } from "../../errors/index.ts";
import type { ThreadOwner } from "../../checkpoint/index.ts";

/** What is as it is for a moment only: another attempt may go better. */
const PASSING = new Set<ErrorCode>([
  "CHECKPOINTER_CLOSED",
  "CHECKPOINTER_LOCKED",
  "CHECKPOINTER_UNREACHABLE",
  "CHECKPOINT_CONFLICT",
  "THREAD_BUSY",
]);

/** The running activity, as far as the bridge needs it. */
export interface ActivityScope {
  readonly threadId: string;
  readonly owner: ThreadOwner;
  /** Aborts when the activity is cancelled, its worker is shut down, or it is taken for dead. */
  readonly signal: AbortSignal;
  readonly attempt: number;
  /** After so long without a sign of life it is taken for dead. */
  readonly heartbeatTimeoutMs: number;
  /** What the attempt before has left. */
  readonly left: unknown;
  /** Leaves something for the next attempt. */
  leave(details: unknown): void;
  /** Gives a sign of life where the task came so late that the activity may be taken for dead: then it hears of it. */
  askWhetherAlive(): void;
}

/** Runs the work of an activity: with heartbeats, and with errors that say whether another attempt may help. */
export async function inActivity<T>(work: (scope: ActivityScope) => Promise<T>): Promise<T> {
  const context = Context.current();
  begun.set(context, performance.now());
  const { info, cancellationSignal } = context;
  const { workflowId = "", runId = "" } = info.workflowExecution ?? {};
  const heartbeatTimeoutMs = info.heartbeatTimeoutMs || Infinity; // none, which a server may tell as 0
  let details: unknown = info.heartbeatDetails;
  const late = new AbortController();
  let beatAt = performance.now();
  const beat = setInterval(
    () => {
      // Temporal has given the activity to somebody else by now: what this process still does must not get in the way
      if (performance.now() - beatAt > heartbeatTimeoutMs)
        late.abort(new Error("The process stood still for too long."));
      beatAt = performance.now();
      context.heartbeat(details);
    },
    Math.min(heartbeatTimeoutMs, 30_000) / 3,
  );
  const signal = AbortSignal.any([cancellationSignal, late.signal]);
  try {
    return await work({
      threadId: workflowId,
      owner: { engine: "temporal", name: `${info.workflowNamespace}/${workflowId}`, runId },
      signal,
      attempt: info.attempt,
      heartbeatTimeoutMs,
      left: info.heartbeatDetails,
      leave: (left) => {
        details = left;
        context.heartbeat(left);
      },
      askWhetherAlive: () => {
        const underWayMs = Date.now() - info.currentAttemptScheduledTimestampMs;
        // a clock that is behind the server's can't tell
        if (underWayMs < 0 || underWayMs > heartbeatTimeoutMs / 3) context.heartbeat(details);
      },
    });
  } catch (error) {
    if (!signal.aborted) throw failureOf(error);
    // only what the workflow asked for is a cancel: a worker that stops leaves the rest to others
    if (context.cancellationDetails?.cancelRequested === true) throw cancellationSignal.reason as Error;
    throw ApplicationFailure.create({ type: "WORKER_STOPPED", message: String(signal.reason) });
  } finally {
    clearInterval(beat);
  }
}

/** When activities began, by the clock of this process. */
const begun = new WeakMap<Context, number>();

/** The time in the running activity, in milliseconds since the epoch: the server's, where that is ahead. It skips time in tests. */
export function activityNow(): number {
  const context = asyncLocalStorage.getStore();
  const startedAt = context && begun.get(context);
  if (context === undefined || startedAt === undefined) return Date.now();
  return Math.max(
    Date.now(),
    Math.ceil(context.info.currentAttemptScheduledTimestampMs + performance.now() - startedAt),
  );
}

function failureOf(error: unknown): Error {
  if (error instanceof ApplicationFailure || !(error instanceof Error)) return error as Error;
  if (!isPerdureError(error)) return error;
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !PASSING.has(error.code),
    details: [{ hint: error.hint }],
  });
}
