import { GraphRecursionError } from "@langchain/langgraph";
import type { Checkpointer, ThreadLock, ThreadRecord } from "../checkpoint/index.ts";
import { PerdureError, isPerdureError } from "../errors/index.ts";
import type { DriveCall } from "./drive-call.ts";
import { gatePlan, markTried } from "./drive-plan.ts";
import type { DrivePlan } from "./drive-plan.ts";
import { DriveSaver } from "./drive-saver.ts";
import type { AskedInterrupt } from "./drive-saver.ts";
import type { DriveConfig, Engine, StreamSink } from "./engine.ts";
import { Cancelled, watchForCancel } from "./live-drives.ts";
import type { LiveDrives } from "./live-drives.ts";
import { TaskGate } from "./task-gate.ts";
import type { TaskWatcher } from "./task-gate.ts";
import { readExistingThread, readThread, viewOf } from "./thread-view.ts";
import type { ThreadView } from "./thread-view.ts";
import { waitForClock } from "./wait-for-clock.ts";

/** What stays the same over the drives of one call. */
export interface DriveContext {
  readonly config: DriveConfig;
  /** How many tasks run at the same time. */
  readonly maxConcurrency: number | undefined;
  /** The caller's; when it aborts, the call throws its reason and the thread can be continued. */
  readonly signal: AbortSignal | undefined;
  /** Whether the caller makes the attempts at what failed, and at what was lost with the connection. */
  readonly isAttempt: boolean;
  readonly watch?: DriveWatch | undefined;
}

/** Who watches a drive. */
export interface DriveWatch extends TaskWatcher {
  readonly sink: StreamSink;
  readonly asked: (asked: AskedInterrupt) => void;
}

/** How a drive ended. */
export interface Driven {
  readonly view: ThreadView;
  /** What a task threw; the view shows it as failed. */
  readonly error: unknown;
  readonly stoppedBy: TaskGate["stoppedBy"] | "cancel";
}

/** What every drive of one graph is made with. */
export interface DriveParts {
  readonly engine: Engine;
  readonly checkpointer: Checkpointer;
  readonly now: () => number;
  readonly live: LiveDrives;
}

/** One drive: a thread as it was read under the lock, and what to do with it. */
export interface Drive {
  readonly threadId: string;
  readonly view: ThreadView | undefined;
  readonly record: ThreadRecord;
  readonly plan: DrivePlan;
  readonly context: DriveContext;
  readonly lock: ThreadLock;
  /** Hears what ran, where the call may drive again. */
  readonly call?: DriveCall;
}

/**
 * Makes one drive, and reads what became of the thread.
 * @throws what is no matter of a task: a lost lock, a commit that failed, the caller's signal
 */
export async function driveOnce(parts: DriveParts, drive: Drive): Promise<Driven> {
  const { engine, checkpointer, now, live } = parts;
  const { threadId, view, record, plan, context, lock, call } = drive;
  const stop = new AbortController();
  const over = Promise.withResolvers<void>();
  const release = live.add(threadId, { stop, over: over.promise });
  const signal = AbortSignal.any([stop.signal, lock.lost, ...(context.signal === undefined ? [] : [context.signal])]);
  const ended = new Set<string>();
  const saver = new DriveSaver({
    checkpointer,
    threadId,
    epoch: record.epoch,
    head: view?.head,
    tasks: view?.writes ?? new Map(),
    record: plan.record,
    onHead: true,
    plannedOn: view?.checkpointId,
    ranToEnd: (taskId) => ended.has(taskId),
    onInterrupt: (asked) => context.watch?.asked(asked),
    missingNodes: (head) => engine.missingNodes(head),
    onFailure: (error) => stop.abort(error),
    spares: plan.judge && ((taskId, failure) => plan.judge?.spares(taskId, failure) === true),
  });
  const closeSaver = (): void => saver.close();
  signal.addEventListener("abort", closeSaver, { once: true });
  const gate = new TaskGate(
    gatePlan(view, plan, {
      now,
      maxConcurrency: context.maxConcurrency ?? engine.maxConcurrency,
    }),
    saver,
    signal,
    ended,
    context.watch,
  );
  const poll = checkpointer.shared ? watchForCancel(checkpointer, threadId, record.epoch, stop) : undefined;
  let error: unknown;
  try {
    signal.throwIfAborted();
    if (view !== undefined) await waitForClock(view, signal);
    await engine.drive({
      threadId,
      saver,
      gate,
      config: context.config,
      now,
      inputStep: plan.inputStep,
      maxSupersteps: plan.lastStep - (view?.step ?? plan.inputStep) - 1,
      ...(plan.endsAfter === undefined ? {} : { endsAfter: plan.endsAfter }),
      ...(plan.input === undefined ? {} : { input: plan.input }),
      ...(context.watch === undefined ? {} : { sink: context.watch.sink }),
    });
    await saver.stored();
  } catch (thrown) {
    error = thrown;
  } finally {
    poll?.abort();
    await saver.settled();
    saver.close();
    // Node keeps a signal that follows others alive while somebody listens to it, and with it the whole drive.
    signal.removeEventListener("abort", closeSaver);
    release();
    over.resolve();
    if (call !== undefined) {
      markTried(view, gate.admitted, call.tried);
      call.triedInput(plan.input && saver.recordedWith);
    }
  }
  // a breakpoint after a node is looked for in the checkpoint before
  const isSpared = plan.withoutValues === true && error === undefined && engine.interruptAfter === undefined;
  const left = isSpared && !signal.aborted ? saver.left : undefined;
  if (left !== undefined) {
    const stored = saver.recordedWith === undefined ? record : (plan.record?.(record) ?? record);
    const leads = await viewOf(engine, checkpointer, { threadId, head: left, record: stored });
    const isDone = leads.tasks.length === 0;
    const isPlain = leads.tasks.every(({ phase }) => phase === "ready");
    if (isPlain) return { view: isDone ? leads : { ...leads, values: undefined }, error, stoppedBy: gate.stoppedBy };
  }
  return outcome(parts, threadId, error, gate, signal, plan.input === undefined ? undefined : view?.checkpointId);
}

/** Tells what a task threw, which the thread shows, from what the caller must hear. */
async function outcome(
  parts: DriveParts,
  threadId: string,
  error: unknown,
  gate: TaskGate,
  signal: AbortSignal,
  headBeforeInput: string | undefined,
): Promise<Driven> {
  if (error === undefined) {
    return {
      view: await readExistingThread(parts.engine, parts.checkpointer, threadId),
      error,
      stoppedBy: gate.stoppedBy,
    };
  }
  const reason: unknown = signal.aborted ? signal.reason : undefined;
  const view = await readThread(parts.engine, parts.checkpointer, threadId);
  if (view !== undefined && (reason instanceof Cancelled || (isConflict(reason) && view.record.cancelled !== null))) {
    if (view.checkpointId === headBeforeInput) {
      throw new PerdureError(
        "RUN_CANCELLED",
        `Thread "${threadId}" was cancelled before the input of its turn was stored.`,
        {
          hint: "The thread is as it was before; call runner.start again.", // I1
        },
      );
    }
    return { view, error: undefined, stoppedBy: "cancel" }; // I7
  }
  if (reason !== undefined) throw reason;
  if (view !== undefined && gate.judge?.spared === true) return { view, error: undefined, stoppedBy: gate.stoppedBy };
  const shown = view?.tasks.some(({ id, phase }) => phase === "failed" && gate.admitted.has(id));
  if (view !== undefined && shown !== true && error instanceof GraphRecursionError) {
    return { view, error: undefined, stoppedBy: "maxSteps" }; // H8: cached tasks pass no gate
  }
  // a sibling call may have run the same task at the same time, and more luckily
  const isTasks = shown === true || gate.threw.has(error) || view?.problem !== undefined;
  if (view === undefined || !isTasks) throw error;
  return { view, error, stoppedBy: gate.stoppedBy };
}

/** Whether a commit was refused because the thread stands elsewhere. */
export function isConflict(error: unknown): boolean {
  return isPerdureError(error, "CHECKPOINT_CONFLICT");
}
