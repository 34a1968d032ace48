import { randomUUID } from "node:crypto";
import { isCommand } from "@langchain/langgraph";
import { ownedBy, tookPart } from "../checkpoint/index.ts";
import type { RunRecord, ThreadRecord, ThreadOwner } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import { commitAnswers, commitDue, commitSignals, nameAnswers } from "./answers.ts";
import type { Answers } from "./answers.ts";
import { asFound, threadBusy } from "./driver.ts";
import { mayGoOn } from "./drive-plan.ts";
import type { DrivePlan } from "./drive-plan.ts";
import type { DriveContext, DriveWatch, Driven } from "./drive-once.ts";
import type { Driver } from "./driver.ts";
import { FailureJudge } from "./failure-judge.ts";
import { graphChanged } from "./missing-nodes.ts";
import { threadInterrupted } from "./open-question.ts";
import { DEFAULT_MAX_STEPS, driveConfig } from "./run-options.ts";
import type { CallOptions, ContinueOptions, RunOptions, StartOptions, StepOptions } from "./run-options.ts";
import { assertNotPast, assertOwner, isOwner, threadOwned } from "./thread-owner.ts";
import { toThreadState } from "./thread-view.ts";
import type { ThreadView } from "./thread-view.ts";

/** A signal for a thread. */
export interface ThreadSignal {
  readonly name: string;
  /** Any value that can be stored. */
  readonly payload?: unknown;
  /** The same id again is the same signal, kept once and given to one node. @default a new one */
  readonly id?: string;
}

/**
 * The operations of one graph's threads, with the rules of when each is allowed. All of them return
 * the thread as it stands after them, and throw what the caller must hear.
 */
export class ThreadOperations {
  readonly #driver: Driver;
  readonly #name: string;

  constructor(driver: Driver, name: string) {
    this.#driver = driver;
    this.#name = name;
  }

  async start(threadId: string, input: unknown, options: StartOptions, watch?: DriveWatch): Promise<Driven> {
    if (input === null || input === undefined || isCommand(input)) {
      throw new PerdureError("OPTIONS_INVALID", `Thread "${threadId}" was started without an input.`, {
        hint: "Pass the graph's input. To go on with a thread, use runner.continue or runner.resume.",
      });
    }
    // After a loss the run's id tells whether the input is in.
    const { runId = randomUUID(), maxSteps = DEFAULT_MAX_STEPS, owner, values = true, onFailure } = options;
    const { drive = true, maxStepsOfCall = Infinity } = options;
    const begins = !drive;
    const common = { withoutValues: !values, judge: onFailure && new FailureJudge(onFailure) };
    const driven = await this.#drive(threadId, options, watch, (view, before) => {
      const isBegun = view !== undefined && before.run?.id === runId;
      if (isBegun && owner !== undefined) {
        assertBegunBy(threadId, before, owner);
        if (begins || view.tasks.length === 0) return undefined; // who has given it back since may still look
      }
      assertStartable(threadId, view, before, owner);
      if (isBegun) {
        if (begins) return undefined;
        // who decides about failures has heard of those that are stored
        const plan = this.#planToGoOn(view, options, onFailure === undefined);
        if (plan === undefined) return undefined;
        const lastStep = Math.min(plan.lastStep, view.step + maxStepsOfCall);
        return { ...plan, ...common, lastStep, deadline: options.deadline };
      }
      const dropped = view === undefined ? undefined : this.#mayStart(view, options.supersede ?? false);
      const inputStep = (view?.step ?? -2) + 1; // as LangGraph counts
      const at = new Date(this.#driver.now()).toISOString();
      const run: RunRecord = { id: runId, inputStep, startedAt: at, maxSteps };
      const record = (stored: ThreadRecord): ThreadRecord => ({
        ...ownedBy(stored, owner),
        run,
        cancelled: null,
        superseded: dropped === undefined ? stored.superseded : [...stored.superseded, { interruptIds: dropped, at }],
      });
      const begunAt = inputStep + this.#driver.engine.inputSupersteps;
      const lastStep = Math.min(this.#lastStep({ ...before, run }), begunAt + maxStepsOfCall);
      // a deadline that is over lets no task of the turn begin
      const deadline = begins ? -Infinity : options.deadline;
      const endsAfter = begins ? begunAt : undefined;
      const base = { input: { value: input }, runId, owner, record, retryFailed: false, inputStep, lastStep };
      return { ...base, ...common, deadline, endsAfter };
    });
    if (driven === undefined) throw threadBusy(threadId); // H6
    return driven;
  }

  async resume(threadId: string, answers: Answers, options: RunOptions, watch?: DriveWatch): Promise<Driven> {
    const { checkpointer, now } = this.#driver;
    let named = answers;
    await this.#driver.outlast(options.signal, async () => {
      const view = await this.#driver.readExisting(threadId);
      named = nameAnswers(view, named); // once: tried again, a bare answer could find the next question open
      await commitAnswers(checkpointer, view, named, { now: now(), owner: options.owner });
    });
    if (options.drive === false) return asFound(await this.#driver.readExisting(threadId));
    return this.#goOn(threadId, options, watch, false);
  }

  async signal(threadId: string, signal: ThreadSignal, options: RunOptions): Promise<Driven | undefined> {
    const { name, payload = null, id = randomUUID() } = signal;
    const { checkpointer, now } = this.#driver;
    let tries = 0;
    const kept = await this.#driver.outlast(options.signal, async () => {
      tries += 1;
      await checkpointer.updateRecord(threadId, (record) => {
        if (record.signals.some((stored) => stored.id === id) || record.takenSignals?.includes(id) === true)
          return record;
        assertOwner(threadId, record, options.owner);
        return { ...record, signals: [...record.signals, { id, name, payload, at: new Date(now()).toISOString() }] };
      });
      const view = await this.#driver.read(threadId);
      if (view === undefined) return undefined; // kept for a thread that is yet to be started
      const isGiven = await commitSignals(checkpointer, view);
      return { view, isGiven: isGiven || tries > 1 }; // or it was, by a try whose end we did not hear of
    });
    if (kept === undefined) return undefined;
    if (options.drive === false) return asFound(await this.#driver.readExisting(threadId));
    return kept.isGiven ? this.#goOn(threadId, options, undefined, false) : asFound(kept.view);
  }

  async continue(threadId: string, options: ContinueOptions, watch?: DriveWatch): Promise<Driven> {
    const { checkpointer, now } = this.#driver;
    await this.#driver.outlast(options.signal, async () => {
      const existing = await this.#driver.readExisting(threadId);
      if (isGivenBack(existing, options)) return;
      assertOwner(threadId, existing.record, options.owner);
      if (existing.record.cancelled !== null && existing.tasks.length > 0) {
        await checkpointer.updateRecord(threadId, (record) =>
          record.epoch === existing.record.epoch ? { ...record, cancelled: null, epoch: record.epoch + 1 } : record,
        );
      }
      await commitDue(checkpointer, existing, now(), options.due);
      await commitSignals(checkpointer, await this.#driver.readExisting(threadId));
    });
    if (options.drive === false) return asFound(await this.#driver.readExisting(threadId));
    return this.#goOn(threadId, options, watch, true);
  }

  step(threadId: string, options: StepOptions, watch?: DriveWatch): Promise<Driven> {
    const { tasks = [], maxSteps = 1, deadline, onFailure, values = true } = options;
    return this.#driver.driveBeside(threadId, this.#context(options, watch), (view): DrivePlan | undefined => {
      if (view.tasks.length === 0) return undefined;
      assertOwner(threadId, view.record, options.owner);
      if (view.record.cancelled !== null || view.missing.length > 0) return undefined;
      const waiting = view.tasks.find(({ id, phase }) => phase === "waiting" && tasks.includes(id));
      if (waiting !== undefined) {
        throw new PerdureError(
          "TASK_NOT_READY",
          `Task "${waiting.id}" of node "${waiting.node}" waits for an answer.`,
          {
            hint: "Answer its interrupt with runner.resume first.",
          },
        );
      }
      const only = new Set(tasks);
      const finished = view.tasks.every(({ phase }) => phase === "finished");
      if (!finished && !view.tasks.some(({ id, phase }) => only.has(id) && phase !== "finished")) return undefined;
      const lastStep = this.#lastStep(view.record);
      this.#refuseBeyond(view, lastStep);
      const endsAfter = Math.min(lastStep, view.step + maxSteps);
      return {
        only,
        runId: view.record.run?.id,
        owner: options.owner,
        retryFailed: true,
        inputStep: inputStepOf(view.record),
        lastStep: endsAfter,
        endsAfter,
        deadline,
        withoutValues: !values,
        judge: onFailure && new FailureJudge(onFailure),
      };
    });
  }

  async cancel(threadId: string, reason: string, owner: ThreadOwner | undefined): Promise<ThreadView> {
    const { checkpointer, now } = this.#driver;
    const view = await this.#driver.readExisting(threadId);
    if (view.tasks.length === 0) return view;
    await checkpointer.updateRecord(threadId, (record) => {
      assertOwner(threadId, record, owner);
      return {
        ...record,
        epoch: record.epoch + 1, // what runs elsewhere can't commit any more
        cancelled: { reason, at: new Date(now()).toISOString() },
      };
    });
    await this.#driver.stop(threadId);
    return this.#driver.readExisting(threadId);
  }

  /** Drives a thread on, or leaves it to whoever drives it now: they see what was committed. */
  async #goOn(
    threadId: string,
    options: RunOptions,
    watch: DriveWatch | undefined,
    retryFailed: boolean,
  ): Promise<Driven> {
    const driven = await this.#drive(threadId, options, watch, (view) => {
      if (view === undefined) return undefined;
      if (retryFailed) assertOwner(threadId, view.record, options.owner);
      else if (!isOwner(view.record, options.owner)) return undefined; // I1: what was given is in, and its owner goes on with it
      return this.#planToGoOn(view, options, retryFailed);
    });
    if (driven !== undefined) return driven;
    if (retryFailed) throw threadBusy(threadId);
    return asFound(await this.#driver.outlast(options.signal, () => this.#driver.readExisting(threadId)));
  }

  /** What is left to run of the thread's last run; undefined when it is done, cancelled, or waits. */
  #planToGoOn(view: ThreadView, { maxSteps, owner }: RunOptions, retryFailed: boolean): DrivePlan | undefined {
    if (!mayGoOn(view, retryFailed)) return undefined;
    const lastStep = this.#lastStep(view.record, maxSteps);
    this.#refuseBeyond(view, lastStep);
    return { runId: view.record.run?.id, owner, retryFailed, inputStep: inputStepOf(view.record), lastStep };
  }

  #drive(
    threadId: string,
    options: RunOptions & Pick<StepOptions, "onFailure">,
    watch: DriveWatch | undefined,
    begin: (view: ThreadView | undefined, record: ThreadRecord) => DrivePlan | undefined,
  ): Promise<Driven | undefined> {
    return this.#driver.driveAlone(threadId, this.#context(options, watch), options.whenBusy === "enqueue", begin);
  }

  #context(options: CallOptions & Pick<StepOptions, "onFailure">, watch: DriveWatch | undefined): DriveContext {
    const { maxConcurrency, signal, onFailure } = options;
    const isAttempt = onFailure !== undefined;
    return { config: driveConfig(options, this.#name), maxConcurrency, signal, isAttempt, watch };
  }

  /** H7: an unfinished thread takes no new input unless the caller says so; returns what that drops. */
  #mayStart(view: ThreadView, supersede: boolean): string[] | undefined {
    const { status, next } = toThreadState(view);
    if (status === "done" || status === "cancelled") return undefined;
    const open = view.questions.map(({ interrupt }) => interrupt.id);
    if (supersede) return open;
    if (view.missing.length > 0) throw graphChanged(view.threadId, view.missing);
    if (status === "interrupted") {
      const hint = "Answer with runner.resume, or drop the question with supersede: true.";
      throw threadInterrupted(view.threadId, view.questions, hint);
    }
    throw new PerdureError(
      "THREAD_UNFINISHED",
      `Thread "${view.threadId}" is ${status} at step ${view.step}; next are: ${next.join(", ") || "its commit"}.`,
      { hint: "Finish it with runner.continue, or drop it with supersede: true." },
    );
  }

  #lastStep(record: ThreadRecord, maxSteps = record.run?.maxSteps ?? DEFAULT_MAX_STEPS): number {
    return inputStepOf(record) + this.#driver.engine.inputSupersteps + maxSteps;
  }

  /** H8: the limit is over the whole run, so calling again does not begin to count anew. */
  #refuseBeyond(view: ThreadView, lastStep: number): void {
    if (view.step < lastStep) return;
    throw new PerdureError(
      "STEP_LIMIT_REACHED",
      `Thread "${view.threadId}" has used up the supersteps of its run: it stands at step ${view.step}, the last was ${lastStep}.`,
      { hint: "Nothing is lost. Raise maxSteps to go on, and look whether the graph goes round in circles." },
    );
  }
}

/** A finished thread takes a new turn from anybody: its owner has nothing left to drive. @throws THREAD_OWNED */
function assertStartable(
  threadId: string,
  view: ThreadView | undefined,
  record: ThreadRecord,
  by: ThreadOwner | undefined,
): void {
  if (by !== undefined) assertNotPast(threadId, record, by);
  const isOver = view !== undefined && view.tasks.length === 0;
  if (!isOver && record.owner !== undefined) assertOwner(threadId, record, by);
}

/** A turn that another run has begun, as one that a reset follows, is not taken for this one's. @throws THREAD_OWNED */
function assertBegunBy(threadId: string, record: ThreadRecord, by: ThreadOwner): void {
  if (!tookPart(record, by)) throw threadOwned(threadId, record.owner);
}

/** A done thread, which the owner may look at though it has given it back: it may not have heard of that. */
function isGivenBack({ tasks, record }: ThreadView, { drive, owner }: RunOptions): boolean {
  return drive === false && tasks.length === 0 && owner !== undefined && tookPart(record, owner);
}

/** A thread that no runner started is taken for one in its first turn. */
function inputStepOf({ run }: ThreadRecord): number {
  return run?.inputStep ?? -1;
}
