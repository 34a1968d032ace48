import {
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from "@temporalio/workflow";
import { GRAPH_CHANGED, SEARCH_ATTRIBUTE } from "../shared/names.ts";
import type {
  AnswersRequest,
  CarriedRun,
  Report,
  RunGraphArgs,
  RunPlace,
  RunResult,
  RunSettings,
  SignalArgs,
  StartReport,
  StartRequest,
  ThreadReport,
  WireState,
  WireValue,
} from "../shared/protocol.ts";
import * as activities from "./activities.ts";
import { Alarm } from "./alarm.ts";
import { AnswerRules } from "./answer-rules.ts";
import { batchesOf } from "./batches.ts";
import type { Batch } from "./batches.ts";
import { Overlap } from "./overlap.ts";
import type { ActivityKind } from "./overlap.ts";
import { afterLocal, endOf, failureOf, isContinuing, reportOf } from "./run-end.ts";

/** What did not move on after so many looks never will. */
const MOST_LOOKS = 20;

/** So many signals go in one activity, as its input has a limit. */
const MOST_SIGNALS = 20;

/** What an activity failed with. */
interface Failure {
  readonly error: unknown;
}

/** One run of the workflow: what it knows of the thread, what is under way, and what is to be done next. */
export class GraphRun {
  readonly #args: RunGraphArgs;
  readonly #answers: AnswerRules;
  /** The newest that was reported. */
  #report: ThreadReport | undefined;
  #settings: RunSettings | undefined;
  /** Tasks that activities run now. */
  readonly #running = new Set<string>();
  /** Tasks that activities have run since the thread stands where it stands. */
  readonly #ran = new Set<string>();
  /** Activities under way. */
  readonly #overlap = new Overlap();
  #isStale = false;
  /** Since the thread last moved on, or got an answer. */
  #looks = 0;
  /** Signals that were not handed to the thread yet. */
  readonly #signals: SignalArgs[] = [];
  /** Interrupts that were named as due. */
  readonly #named = new Set<string>();
  /** What the run ends with once nothing is under way any more. */
  #failure: Failure | undefined;
  #cancelled: Failure | undefined;
  #isReleasing = false;
  /** Whether something is under way that nothing else is begun beside. */
  #isBusy = false;
  readonly #alarm = new Alarm(() => this.#next());
  #status: "running" | "interrupted" | "released" = "running";
  readonly #end = Promise.withResolvers<RunResult>();
  #isOver = false;

  constructor(args: RunGraphArgs) {
    this.#args = args;
    this.#report = args.carried?.report;
    this.#settings = args.carried?.settings;
    this.#answers = new AnswerRules(args.carried?.asked);
  }

  /**
   * Drives the thread until it is done. No `async` in what each step goes through: Temporal notes for every promise that is
   * made in the sandbox where it was made, which takes more than all the rest of a step, and keeps it while a run waits.
   */
  run(): Promise<RunResult> {
    CancellationScope.current().cancelRequested.catch((error: unknown) => {
      this.#cancelled = { error };
      this.#next();
    });
    if (this.#report === undefined) this.#start();
    else this.#next();
    return this.#end.promise;
  }

  /** Where the thread stands, without its values. */
  state(): WireState {
    const report = this.#report;
    const tasks = Object.entries(report?.tasks ?? {}).flatMap(([node, ids]) => ids.map((id) => ({ id, node })));
    return {
      graph: this.#args.graph,
      status: report?.status ?? "ready",
      checkpointId: report?.checkpointId ?? null,
      step: report?.step ?? -1,
      next: report?.next ?? tasks.map(({ node }) => node),
      tasks,
      interrupts: this.#answers.unanswered(report?.interrupts ?? []),
    };
  }

  /** Refuses answers that fit no question; nothing of it is recorded. */
  checkAnswers(answers: unknown): void {
    this.#answers.check(answers, this.#report?.interrupts ?? []);
  }

  /** Commits answers; returns where the thread stands then. */
  async resume(given: unknown): Promise<WireState> {
    const answers: Record<string, WireValue> = this.#answers.check(given, this.#report?.interrupts ?? []);
    if (Object.keys(answers).length > 0) {
      this.#answers.give(answers);
      try {
        await this.#commit({ answers }, "answers");
      } catch (error) {
        this.#answers.take(answers);
        const failure = failureOf(error);
        if (failure?.type === GRAPH_CHANGED) this.#failure ??= { error };
        this.#next(); // the question is open again, and its time goes on
        throw failure ?? error;
      }
    }
    return this.state();
  }

  /** Keeps a signal until somebody asks for one. */
  signal(signal: SignalArgs): void {
    this.#signals.push(signal);
    this.#next();
  }

  /** Has the run end with the thread as it stands, so that others may drive it. */
  async release(): Promise<void> {
    this.#isReleasing = true;
    this.#next();
  }

  /** Does what is to be done next. Whoever brings something new calls it, as the last thing that it does. */
  #next(): void {
    const report = this.#report;
    if (report === undefined || this.#isBusy || this.#isOver) return;
    try {
      if (this.#cancelled !== undefined) throw this.#cancelled.error;
      this.#goOn(report);
    } catch (error) {
      this.#fail(error);
    }
  }

  #goOn(report: ThreadReport): void {
    const isDraining = this.#isReleasing || this.#failure !== undefined || workflowInfo().continueAsNewSuggested;
    if (!isDraining) this.#launch(report);
    if (this.#overlap.inFlight > 0) {
      if (this.#signals.length > 0 && this.#asksForSignal(report)) this.#alone(this.#commitSignals());
      else this.#wait(report);
    } else if (this.#failure !== undefined) throw this.#failure.error;
    else if (this.#isStale) this.#alone(this.#look());
    else if (this.#signals.length > 0 && (isDraining || report.status !== "ready")) this.#alone(this.#commitSignals());
    else if (this.#isReleasing) this.#alone(this.#release());
    else if (report.status === "interrupted" && !isDraining) this.#wait(report);
    else if (isDraining && isOpen(report)) this.#alone(this.#continueAsNew(report));
    else if (report.status === "ready") this.#alone(this.#look());
    else this.#ended(endOf(report));
  }

  #asksForSignal({ interrupts }: ThreadReport): boolean {
    return this.#answers.unanswered(interrupts).some(({ kind }) => kind === "signal");
  }

  /** The run itself begins nothing else until the work is done; an update may. */
  #alone(work: Promise<void>): void {
    this.#isBusy = true;
    work.then(
      () => {
        this.#isBusy = false;
        this.#next();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #ended(result: RunResult): void {
    this.#isOver = true;
    this.#alarm.set(Infinity);
    this.#end.resolve(result);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#alarm.set(Infinity);
    if (isContinuing(error)) this.#end.reject(error);
    else {
      const end = (): void => this.#end.reject(error); // whatever became of the thread
      this.#giveBack(error).then(end, end);
    }
  }

  /** Gives the thread back before the run ends with an error. */
  #giveBack(error: unknown): Promise<void> {
    const cancel = isCancellation(error) ? "The Temporal workflow was cancelled." : undefined;
    const unused = this.#report === undefined && this.#args.input !== undefined ? [this.#args.input] : [];
    return CancellationScope.nonCancellable(async () => {
      await this.#leaveSignals();
      await activities.close({
        ...this.#place(),
        ...(cancel === undefined ? {} : { cancel }),
        ...(unused.length === 0 ? {} : { unused }),
      });
      await this.#leaveWhatCame();
    });
  }

  #start(): void {
    const { input, supersede, maxSteps, localStart } = this.#args;
    const request: StartRequest = {
      ...this.#place(),
      ...(input === undefined ? {} : { input }),
      ...(supersede === undefined ? {} : { supersede }),
      ...(maxSteps === undefined ? {} : { maxSteps }),
    };
    const begun = ({ report, settings }: StartReport): void => {
      this.#settings = settings;
      this.#take(report);
      this.#next();
    };
    const failed = (error: unknown): void => {
      const report = reportOf<StartReport>(error); // a burst goes on in the activity that starts, so a node may fail in it
      if (report === undefined) this.#fail(error);
      else begun(report);
    };
    const start = (left?: unknown): void => {
      activities.start(left === undefined ? request : { ...request, left }).then(begun, failed);
    };
    if (localStart !== true) start();
    else {
      activities.startLocally({ ...request, scheduledAt: Date.now() }).then(begun, (error: unknown) => {
        const after = afterLocal(error);
        if (after === undefined) failed(error);
        else if (after.delayMs === 0) start(after.left);
        else sleep(after.delayMs).then(() => start(after.left), failed);
      });
    }
  }

  /** Has activities run what can run. */
  #launch(report: ThreadReport): void {
    if (this.#settings === undefined) return;
    const free = this.#settings.maxParallelActivities - this.#overlap.inFlight;
    const batches = batchesOf(report, this.#settings, (id) => this.#running.has(id) || this.#ran.has(id));
    for (const batch of batches.slice(0, Math.max(0, free))) {
      const isBeside = this.#overlap.inFlight > 0 || batches.length > 1;
      this.#runBatch(batch, report, isBeside, this.#settings);
    }
  }

  #runBatch(batch: Batch, report: ThreadReport, beside: boolean, settings: RunSettings): void {
    const { tasks, node } = batch;
    for (const id of tasks) this.#running.add(id);
    const summary = `${node ?? Object.keys(report.tasks).join(", ")} · step ${report.step + 1}${tasks.length > 1 ? ` · ${tasks.length} tasks` : ""}`;
    const activity = activities.runTasks(
      {
        ...this.#place(),
        tasks,
        ...(node === undefined ? { burst: true, step: report.step } : { node }),
        ...(beside ? { beside } : {}),
      },
      summary,
      settings,
      node === undefined ? undefined : report.nodes?.[node],
    );
    this.#follow("tasks", activity, (failure) => {
      this.#failure ??= failure;
      for (const id of tasks) {
        this.#running.delete(id);
        if (this.#report?.checkpointId === report.checkpointId) this.#ran.add(id);
      }
      this.#next();
    });
  }

  /** Commits a finished superstep, if there is one, and looks. */
  async #look(): Promise<void> {
    this.#isStale = false;
    this.#ran.clear();
    this.#looks += 1;
    if (this.#looks > MOST_LOOKS) {
      throw ApplicationFailure.create({
        type: "TASK_NOT_READY",
        message: `tasks of ${Object.keys(this.#report?.tasks ?? {}).join(", ")} are ready, but do not run.`,
        nonRetryable: true,
      });
    }
    const settings = this.#settings;
    if (settings === undefined) return;
    await this.#during("tasks", activities.runTasks({ ...this.#place(), tasks: [] }, "look", settings));
  }

  async #commitSignals(): Promise<void> {
    const signals = this.#signals.splice(0, MOST_SIGNALS);
    try {
      await this.#commit({ signals }, "signals");
    } catch (error) {
      this.#signals.unshift(...signals); // the thread takes each of them once
      throw error;
    }
  }

  /** What came while the thread was given back: who sent an answer hears that it is too late. */
  async #leaveWhatCame(): Promise<void> {
    await this.#leaveSignals();
    await condition(allHandlersFinished);
  }

  /** Leaves what nobody has asked for with the thread, for whoever drives it next. */
  async #leaveSignals(): Promise<void> {
    try {
      while (this.#signals.length > 0) await this.#commitSignals();
    } catch {
      // the thread is somebody else's by now, or there is none
    }
  }

  async #commit(what: Pick<AnswersRequest, "answers" | "due" | "signals">, summary: string): Promise<void> {
    try {
      await this.#during("answers", activities.commitAnswers({ ...this.#place(), ...what }, summary, this.#settings));
      this.#ran.clear();
      this.#looks = 0;
    } finally {
      this.#next();
    }
  }

  #during(kind: ActivityKind, activity: Promise<Report>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#follow(kind, activity, (failure) => (failure === undefined ? resolve() : reject(failure.error)));
    });
  }

  /** Takes in what an activity reports; a failed node is reported too. */
  #follow(kind: ActivityKind, activity: Promise<Report>, over: (failure: Failure | undefined) => void): void {
    this.#overlap.begin(kind, this.#report?.checkpointId ?? "");
    const ended = (report: Report | undefined, failure?: Failure): void => {
      if (report !== undefined) this.#takeReport(report);
      if (this.#overlap.end(this.#report?.checkpointId ?? "")) this.#isStale = true;
      over(failure);
    };
    activity.then(ended, (error: unknown) => {
      const report = reportOf<Report>(error);
      ended(report, report === undefined ? { error } : undefined);
    });
  }

  #takeReport(report: Report): void {
    if (report.kind === "thread") this.#take(report);
    if (report.kind !== "asked" || this.#report?.checkpointId !== report.checkpointId) return;
    const known = new Set(this.#report.interrupts.map(({ id }) => id));
    const asked = report.interrupts.filter(({ id }) => !known.has(id));
    this.#report = { ...this.#report, interrupts: [...this.#report.interrupts, ...asked] };
    this.#answers.see(asked);
  }

  #take(report: ThreadReport): void {
    const before = this.#report?.checkpointId ?? "";
    // what comes after the end is somebody else's turn
    if (report.checkpointId < before || this.#report?.status === "done") return;
    if (report.checkpointId > before) {
      this.#ran.clear();
      this.#looks = 0;
    }
    this.#report = report;
    this.#answers.see(report.interrupts);
  }

  /** Leaves it to whatever brings something new, or to a timer: a question's time may be over first. */
  #wait(report: ThreadReport): void {
    this.#tell(this.#overlap.inFlight === 0 ? "interrupted" : "running");
    const open = this.#answers.unanswered(report.interrupts);
    const timed = open.filter(({ id, dueAt }) => dueAt !== undefined && !this.#named.has(id));
    const due = timed.filter(({ dueAt = Infinity }) => dueAt <= this.#alarm.toldTime).map(({ id }) => id);
    if (due.length > 0) {
      for (const id of due) this.#named.add(id);
      this.#alone(this.#commit({ due }, "due"));
    } else this.#alarm.set(Math.min(...timed.map(({ dueAt = Infinity }) => dueAt)));
  }

  /** Shows in lists of workflows what they can't tell: whether somebody is waited for, and whether the end is one. */
  #tell(status: "running" | "interrupted" | "released"): void {
    if (status === this.#status) return;
    this.#status = status;
    upsertMemo({ status });
    if (this.#args.searchable === true) upsertSearchAttributes([{ key: SEARCH_ATTRIBUTE.status, value: status }]);
  }

  async #release(): Promise<void> {
    await condition(allHandlersFinished);
    await CancellationScope.nonCancellable(async () => {
      await activities.close(this.#place());
      await this.#leaveWhatCame();
    });
    this.#tell("released");
    this.#ended({ released: true });
  }

  async #continueAsNew(report: ThreadReport): Promise<void> {
    await condition(allHandlersFinished);
    if (this.#signals.length > 0) return;
    const settings = this.#settings;
    if (settings === undefined) throw new Error("a run that has not begun continues as new");
    const { input: _, ...args } = this.#args;
    this.#tell("running"); // as the next one believes it to be
    const carried: CarriedRun = { report: this.#report ?? report, settings, asked: this.#answers.asked };
    await continueAsNew<(args: RunGraphArgs) => Promise<RunResult>>({ ...args, carried });
  }

  #place(): RunPlace {
    const { firstExecutionRunId, continuedFromExecutionRunId } = workflowInfo();
    const { graph, metadata, context } = this.#args;
    return {
      graph,
      turnId: firstExecutionRunId,
      ...(continuedFromExecutionRunId === undefined ? {} : { previousRunId: continuedFromExecutionRunId }),
      ...(this.#report === undefined ? {} : { checkpointId: this.#report.checkpointId }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(context === undefined ? {} : { context }),
    };
  }
}

function isOpen({ status }: ThreadReport): boolean {
  return status === "ready" || status === "interrupted";
}
