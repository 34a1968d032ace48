import { GraphRecursionError } from "@langchain/langgraph";
import { EMPTY_RECORD } from "../checkpoint/index.ts";
import type { Checkpointer, ThreadLock, ThreadRecord } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import { commitSignals } from "./answers.ts";
import { again, canGoOn, gatePlan, markTried } from "./drive-plan.ts";
import type { DrivePlan } from "./drive-plan.ts";
import { DriveSaver } from "./drive-saver.ts";
import type { AskedInterrupt } from "./drive-saver.ts";
import type { DriveConfig, DriveRequest, Engine } from "./engine.ts";
import { Cancelled, LiveDrives, watchForCancel } from "./live-drives.ts";
import { TaskGate } from "./task-gate.ts";
import type { TaskWatcher } from "./task-gate.ts";
import { isUncommitted, readThread } from "./thread-view.ts";
import type { ThreadView } from "./thread-view.ts";
import { waitForClock } from "./wait-for-clock.ts";

/** What stays the same over the drives of one call. */
export interface DriveContext {
  readonly config: DriveConfig;
  /** How many tasks run at the same time. */
  readonly maxConcurrency: number | undefined;
  /** The caller's; when it aborts, the call throws its reason and the thread can be continued. */
  readonly signal: AbortSignal | undefined;
  readonly watch?: DriveWatch | undefined;
}

/** Who watches a drive. */
export interface DriveWatch extends TaskWatcher {
  readonly sink: NonNullable<DriveRequest["sink"]>;
  readonly asked: (asked: AskedInterrupt) => void;
}

/** How a drive ended. */
export interface Driven {
  readonly view: ThreadView;
  /** What a task threw; the view shows it as failed. */
  readonly error: unknown;
  readonly stoppedBy: TaskGate["stoppedBy"] | "cancel";
}

/** Drives the threads of one graph: who may drive, with which plan, until when. */
export class Driver {
  readonly engine: Engine;
  readonly checkpointer: Checkpointer;
  readonly now: () => number;
  readonly #live: LiveDrives;

  constructor(engine: Engine, checkpointer: Checkpointer, now: () => number) {
    this.engine = engine;
    this.checkpointer = checkpointer;
    this.now = now;
    this.#live = LiveDrives.of(checkpointer);
  }

  /** Reads where the thread stands. Undefined for one without checkpoints. */
  read(threadId: string): Promise<ThreadView | undefined> {
    return readThread(this.engine, this.checkpointer, threadId);
  }

  /** As `read`, for calls that need a thread. */
  async readExisting(threadId: string): Promise<ThreadView> {
    const view = await this.read(threadId);
    if (view !== undefined) return view;
    throw new PerdureError(
      "THREAD_NOT_FOUND",
      `There is no thread "${threadId}" in ${this.checkpointer.description}.`,
      {
        hint: "Check the thread_id and the checkpointer, or begin it with runner.start.",
      },
    );
  }

  /**
   * Drives the thread alone until nothing can run. `begin` looks at the thread once it is ours and
   * says what to do; undefined leaves it as it is. Returns undefined when somebody else drives it and
   * `wait` is false.
   */
  async driveAlone(
    threadId: string,
    context: DriveContext,
    wait: boolean,
    begin: (
      view: ThreadView | undefined,
      record: ThreadRecord,
    ) => DrivePlan | undefined | Promise<DrivePlan | undefined>,
  ): Promise<Driven | undefined> {
    const tried = new Set<string>();
    let lock = await this.#lock(threadId, "exclusive", wait, context.signal);
    let driven: Driven | undefined;
    let plan: DrivePlan | undefined;
    while (lock !== undefined) {
      try {
        const view = await this.read(threadId); // under the lock: somebody else may have driven it meanwhile
        if (driven !== undefined && view !== undefined && !(isSameRun(view, driven.view) && canGoOn(view, tried))) {
          return { ...driven, view };
        }
        const record = view?.record ?? (await this.checkpointer.readRecord(threadId)) ?? EMPTY_RECORD;
        plan = plan === undefined ? await begin(view, record) : again(plan);
        if (plan === undefined) return view && { view, error: undefined, stoppedBy: undefined };
        const error: unknown = driven?.error;
        driven = await this.#driveOn(threadId, view, record, plan, context, lock, tried);
        driven = { ...driven, error: error ?? driven.error };
      } finally {
        await lock.release();
      }
      lock = undefined;
      if (driven.stoppedBy !== undefined || driven.view.questions.length === 0) break;
      // an answer that came after our last look found the thread busy, so going on with it is up to us
      const view = await this.#withSignals(await this.readExisting(threadId));
      if (!canGoOn(view, tried)) break;
      driven = { ...driven, view };
      lock = await this.#lock(threadId, "exclusive", false, context.signal);
    }
    return driven;
  }

  /**
   * Runs a plan's tasks beside others who run sibling tasks of the same superstep. The last one in
   * commits it; who comes second finds it committed.
   */
  async driveBeside(
    threadId: string,
    context: DriveContext,
    begin: (view: ThreadView) => DrivePlan | undefined,
  ): Promise<Driven> {
    const lock = await this.#lock(threadId, "shared", true, context.signal);
    if (lock === undefined) throw new Error("A lock that waits is never refused.");
    try {
      let view = await this.readExisting(threadId);
      let plan = begin(view);
      let driven: Driven = { view, error: undefined, stoppedBy: undefined };
      while (plan !== undefined) {
        try {
          driven = await this.#driveOnce(threadId, view, view.record, plan, context, lock);
        } catch (error) {
          if (!isConflict(error)) throw error;
          driven = { view: await this.readExisting(threadId), error: undefined, stoppedBy: undefined };
          if (driven.view.checkpointId === view.checkpointId) throw error;
        }
        view = driven.view;
        plan = isUncommitted(view) && driven.stoppedBy === undefined ? { ...again(plan), only: new Set() } : undefined;
      }
      return driven.stoppedBy === "cancel" ? driven : { ...driven, view: await this.#withSignals(view) };
    } finally {
      await lock.release();
    }
  }

  /** Holds the thread alone for a change that drives nothing. */
  async alone<T>(threadId: string, wait: boolean, change: () => Promise<T>): Promise<T> {
    const lock = await this.#lock(threadId, "exclusive", wait, undefined);
    if (lock === undefined) throw threadBusy(threadId);
    try {
      return await change();
    } finally {
      await lock.release();
    }
  }

  /** Stops what this process drives of the thread, and waits until it has stopped. */
  stop(threadId: string): Promise<void> {
    return this.#live.stop(threadId);
  }

  /** Gives waiting signals to the questions that ask for them. */
  async #withSignals(view: ThreadView): Promise<ThreadView> {
    return (await commitSignals(this.checkpointer, view)) ? this.readExisting(view.threadId) : view;
  }

  async #driveOn(
    threadId: string,
    view: ThreadView | undefined,
    record: ThreadRecord,
    first: DrivePlan,
    context: DriveContext,
    lock: ThreadLock,
    tried: Set<string>,
  ): Promise<Driven> {
    let plan = first;
    let error: unknown;
    for (;;) {
      const triedBefore = tried.size;
      const driven = await this.#driveOnce(threadId, view, record, plan, context, lock, tried);
      error ??= driven.error;
      view = driven.stoppedBy === undefined ? await this.#withSignals(driven.view) : driven.view;
      record = view.record;
      const isStuck = tried.size === triedBefore;
      if (driven.stoppedBy !== undefined || isStuck || !canGoOn(view, tried)) return { ...driven, error, view };
      plan = again(plan);
    }
  }

  async #driveOnce(
    threadId: string,
    view: ThreadView | undefined,
    record: ThreadRecord,
    plan: DrivePlan,
    context: DriveContext,
    lock: ThreadLock,
    tried?: Set<string>,
  ): Promise<Driven> {
    const stop = new AbortController();
    const over = Promise.withResolvers<void>();
    const release = this.#live.add(threadId, { stop, over: over.promise });
    const signal = AbortSignal.any([stop.signal, lock.lost, ...(context.signal === undefined ? [] : [context.signal])]);
    const ended = new Set<string>();
    const saver = new DriveSaver({
      checkpointer: this.checkpointer,
      threadId,
      epoch: record.epoch,
      head: view?.head,
      tasks: view?.writes ?? new Map(),
      record: plan.record,
      onHead: true,
      ranToEnd: (taskId) => ended.has(taskId),
      onInterrupt: (asked) => context.watch?.asked(asked),
      onFailure: (error) => stop.abort(error),
    });
    signal.addEventListener("abort", () => saver.close(), { once: true });
    const gate = new TaskGate(
      gatePlan(view, plan, {
        now: this.now,
        maxConcurrency: context.maxConcurrency ?? this.engine.maxConcurrency,
      }),
      saver,
      signal,
      ended,
      context.watch,
    );
    const poll = this.checkpointer.shared ? watchForCancel(this.checkpointer, threadId, record.epoch, stop) : undefined;
    let error: unknown;
    try {
      signal.throwIfAborted();
      if (view !== undefined) await waitForClock(view, signal);
      await this.engine.drive({
        threadId,
        saver,
        gate,
        config: context.config,
        inputStep: plan.inputStep,
        maxSupersteps: plan.lastStep - (view?.step ?? plan.inputStep) - 1,
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
      release();
      over.resolve();
      if (tried !== undefined) markTried(view, gate.admitted, tried);
    }
    return this.#outcome(threadId, error, gate, signal, plan.input === undefined ? undefined : view?.checkpointId);
  }

  /** Tells what a task threw, which the thread shows, from what the caller must hear. */
  async #outcome(
    threadId: string,
    error: unknown,
    gate: TaskGate,
    signal: AbortSignal,
    headBeforeInput: string | undefined,
  ): Promise<Driven> {
    if (error === undefined) {
      return { view: await this.readExisting(threadId), error, stoppedBy: gate.stoppedBy };
    }
    const reason: unknown = signal.aborted ? signal.reason : undefined;
    const view = await this.read(threadId);
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
    const shown = view?.tasks.some(({ id, phase }) => phase === "failed" && gate.admitted.has(id));
    if (view !== undefined && shown !== true && error instanceof GraphRecursionError) {
      return { view, error: undefined, stoppedBy: "maxSteps" }; // H8: cached tasks pass no gate
    }
    // a sibling call may have run the same task at the same time, and more luckily
    const isTasks = shown === true || gate.threw.has(error) || view?.problem !== undefined;
    if (view === undefined || !isTasks) throw error;
    return { view, error, stoppedBy: gate.stoppedBy };
  }

  #lock(
    threadId: string,
    mode: "exclusive" | "shared",
    wait: boolean,
    signal: AbortSignal | undefined,
  ): Promise<ThreadLock | undefined> {
    return this.checkpointer.lockThread(threadId, { mode, wait, signal });
  }
}

/** Somebody else drives the thread. */
export function threadBusy(threadId: string): PerdureError {
  return new PerdureError("THREAD_BUSY", `Thread "${threadId}" is being driven by another call.`, {
    hint: 'Wait for it, or pass whenBusy: "enqueue".',
  });
}

function isSameRun(one: ThreadView, other: ThreadView): boolean {
  return one.record.run?.id === other.record.run?.id;
}

function isConflict(error: unknown): boolean {
  return error instanceof PerdureError && error.code === "CHECKPOINT_CONFLICT";
}
