import { nextTurn } from "../checkpoint/index.ts";
import type { Checkpointer, ThreadLock, ThreadRecord } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import { commitSignals } from "./answers.ts";
import { DriveCall } from "./drive-call.ts";
import type { Begin } from "./drive-call.ts";
import { driveOnce, isConflict } from "./drive-once.ts";
import type { DriveContext, DriveParts, Driven } from "./drive-once.ts";
import { again, canGoOn } from "./drive-plan.ts";
import type { DrivePlan } from "./drive-plan.ts";
import type { Engine } from "./engine.ts";
import { KnownTasks } from "./known-tasks.ts";
import { LiveDrives } from "./live-drives.ts";
import { Outage, outlast } from "./outage.ts";
import { isOwner } from "./thread-owner.ts";
import { isUncommitted, readExistingThread, readThread, readThreadAndRecord } from "./thread-view.ts";
import type { ThreadView } from "./thread-view.ts";

/** Drives the threads of one graph: who may drive, with which plan, until when. */
export class Driver {
  readonly engine: Engine;
  readonly checkpointer: Checkpointer;
  readonly now: () => number;
  readonly #reconnectTimeoutMs: number;
  readonly #parts: DriveParts;
  readonly #known = new KnownTasks();

  /** @param reconnectTimeoutMs how long a call waits for a checkpointer that can't be reached */
  constructor(engine: Engine, checkpointer: Checkpointer, now: () => number, reconnectTimeoutMs: number) {
    this.engine = engine;
    this.checkpointer = checkpointer;
    this.now = now;
    this.#reconnectTimeoutMs = reconnectTimeoutMs;
    this.#parts = { engine, checkpointer, now, live: LiveDrives.of(checkpointer) };
  }

  /** Reads where the thread stands. Undefined for one without checkpoints. */
  read(threadId: string): Promise<ThreadView | undefined> {
    return readThread(this.engine, this.checkpointer, threadId);
  }

  /** As `read`, for calls that need a thread. */
  readExisting(threadId: string): Promise<ThreadView> {
    return readExistingThread(this.engine, this.checkpointer, threadId);
  }

  /**
   * Drives the thread alone until nothing can run. `begin` looks at the thread once it is ours and
   * says what to do; undefined leaves it as it is. Returns undefined when somebody else drives it and
   * `wait` is false. A drive that is lost with the connection goes on from what is stored, once that can be
   * read again, as if the process had died.
   */
  async driveAlone(threadId: string, context: DriveContext, wait: boolean, begin: Begin): Promise<Driven | undefined> {
    const call = new DriveCall(begin);
    const outage = context.isAttempt ? new Outage(0, context.signal) : this.#outage(context.signal);
    for (;;) {
      try {
        const driven = await this.#driveAlone(threadId, context, wait, call, outage);
        if (driven !== "busy") return driven;
        if (!outage.happened) return undefined;
        // it may be our own lock: the server has not noticed yet that its holder is gone
        if (await outage.wait()) continue;
        const view = await this.read(threadId);
        return view !== undefined && (await call.isTaken(this.checkpointer, view)) ? asFound(view) : undefined;
      } catch (error) {
        if (!outage.isPassing(error) || !(await outage.wait())) throw error;
        call.lost();
      }
    }
  }

  /** Does what only reads, or may be done twice, and again while the checkpointer can't be reached. */
  outlast<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return outlast(this.#outage(signal), work);
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
      let view = await readExistingThread(this.engine, this.checkpointer, threadId, this.#known);
      let plan = begin(view);
      if (plan === undefined) view = await this.readExisting(threadId); // with its values
      let driven = asFound(view);
      while (plan !== undefined) {
        try {
          driven = await driveOnce(this.#parts, { threadId, view, record: view.record, plan, context, lock });
        } catch (error) {
          if (!isConflict(error)) throw error;
          driven = asFound(await this.readExisting(threadId));
          if (driven.view.checkpointId === view.checkpointId) throw error;
        }
        view = driven.view;
        const isLeft = isUncommitted(view) && driven.stoppedBy === undefined && isOwner(view.record, plan.owner);
        plan = isLeft ? { ...again(plan), only: new Set() } : undefined;
      }
      if (driven.stoppedBy === "cancel") return driven;
      view = await this.#withSignals(view);
      this.#known.note(view);
      return { ...driven, view };
    } finally {
      await lock.release();
    }
  }

  /** Holds the thread alone for a change that drives nothing. */
  async alone<T>(threadId: string, change: () => Promise<T>): Promise<T> {
    const lock = await this.#lock(threadId, "exclusive", false, undefined);
    if (lock === undefined) throw threadBusy(threadId);
    try {
      return await change();
    } finally {
      await lock.release();
    }
  }

  /** Waits until nobody drives the thread, or for as long as that. */
  async idle(threadId: string, timeoutMs: number): Promise<void> {
    const isOver = AbortSignal.timeout(timeoutMs);
    try {
      const lock = await this.#lock(threadId, "exclusive", true, isOver);
      await lock?.release();
    } catch (error) {
      if (!isOver.aborted) throw error;
    }
  }

  /** Stops what this process drives of the thread, and waits until it has stopped. */
  stop(threadId: string): Promise<void> {
    return this.#parts.live.stop(threadId);
  }

  async #driveAlone(
    threadId: string,
    context: DriveContext,
    wait: boolean,
    call: DriveCall,
    outage: Outage,
  ): Promise<Driven | "busy" | undefined> {
    let lock = await this.#lock(threadId, "exclusive", wait, context.signal);
    if (lock === undefined) return "busy";
    let driven: Driven | undefined;
    let plan: DrivePlan | undefined;
    while (lock !== undefined) {
      try {
        // under the lock: somebody else may have driven it meanwhile
        const { view, record } = await readThreadAndRecord(this.engine, this.checkpointer, threadId);
        outage.reached(placeOf(view));
        if (
          driven !== undefined &&
          view !== undefined &&
          !(isSameRun(view, driven.view) && isOwner(view.record, plan?.owner))
        )
          return { ...driven, view }; // it is somebody else's by now
        const isAtEnd = view !== undefined && !canGoOn(view, call.tried);
        if (driven !== undefined && isAtEnd) driven = { ...driven, view };
        else {
          plan = plan === undefined ? await call.plan(this.checkpointer, view, record) : again(plan);
          if (plan !== undefined) {
            const error: unknown = driven?.error;
            driven = await this.#driveOn(threadId, view, record, plan, context, lock, call);
            driven = { ...driven, error: error ?? driven.error };
          } else if (isAtEnd) driven = asFound(view);
          else return view && asFound(view);
        }
      } catch (error) {
        throw await lossBehind(error, lock);
      } finally {
        await lock.release();
      }
      lock = undefined;
      if (driven.stoppedBy !== undefined || plan?.judge?.spared === true || driven.view.questions.length === 0) break;
      // an answer that came after our last look found the thread busy, so going on with it is up to us
      const view = await this.#withSignals(await this.readExisting(threadId));
      if (!canGoOn(view, call.tried)) break;
      driven = { ...driven, view };
      lock = await this.#lock(threadId, "exclusive", false, context.signal);
    }
    return driven;
  }

  #outage(signal: AbortSignal | undefined): Outage {
    return new Outage(this.#reconnectTimeoutMs, signal);
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
    call: DriveCall,
  ): Promise<Driven> {
    const { tried } = call;
    let plan = first;
    let error: unknown;
    for (;;) {
      const triedBefore = tried.size;
      const driven = await driveOnce(this.#parts, { threadId, view, record, plan, context, lock, call });
      error ??= driven.error;
      view = driven.stoppedBy === undefined ? await this.#withSignals(driven.view) : driven.view;
      record = view.record;
      // what is to be tried again could run as well
      const isOver = driven.stoppedBy !== undefined || plan.judge?.spared === true;
      const isStuck = tried.size === triedBefore;
      if (isOver || isStuck || !canGoOn(view, tried)) return { ...driven, error, view };
      plan = again(plan);
    }
  }

  async #lock(
    threadId: string,
    mode: "exclusive" | "shared",
    wait: boolean,
    signal: AbortSignal | undefined,
  ): Promise<ThreadLock | undefined> {
    const lock = await this.checkpointer.lockThread(threadId, { mode, wait, signal });
    // A store in this process answers within the turn: who asks again and again would let whoever has it never go on.
    if (lock === undefined) await nextTurn();
    return lock;
  }
}

/** Somebody else drives the thread. */
export function threadBusy(threadId: string): PerdureError {
  return new PerdureError("THREAD_BUSY", `Thread "${threadId}" is being driven by another call.`, {
    hint: 'Wait for it, or pass whenBusy: "enqueue".',
  });
}

/** A thread that this call leaves as it found it. */
export function asFound(view: ThreadView): Driven {
  return { view, error: undefined, stoppedBy: undefined };
}

/** Changes with everything that a drive stores of its tasks. */
function placeOf(view: ThreadView | undefined): string {
  return view === undefined ? "" : `${view.checkpointId} ${view.head.pendingWrites?.length ?? 0}`;
}

/**
 * What made a drive fail. Somebody else can move the thread on only when our lock is lost, which we may be told
 * of a moment later than of the conflict.
 */
async function lossBehind(error: unknown, lock: ThreadLock): Promise<unknown> {
  if (!isConflict(error)) return error;
  await nextTurn();
  return lock.lost.aborted ? lock.lost.reason : error;
}

function isSameRun(one: ThreadView, other: ThreadView): boolean {
  return one.record.run?.id === other.record.run?.id;
}
