import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from "@temporalio/workflow";
import { GRAPH_CHANGED, NODE_FAILED, SEARCH_ATTRIBUTE } from "../shared/names.ts";
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
  ThreadReport,
  WireInterrupt,
  WireState,
  WireValue,
} from "../shared/protocol.ts";
import * as activities from "./activities.ts";
import { AnswerRules } from "./answer-rules.ts";
import { batchesOf } from "./batches.ts";
import type { Batch } from "./batches.ts";
import { News } from "./news.ts";

/** What did not move on after so many looks never will. */
const MOST_LOOKS = 20;

/** Temporal takes no timer of any length; a longer one is set anew. */
const LONGEST_TIMER_MS = 365 * 24 * 3_600_000;

/** So many signals go in one activity, as its input has a limit. */
const MOST_SIGNALS = 20;

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
  #inFlight = 0;
  /** What ran at the same time since none was under way; its reports are then not the last word. */
  #overlap: "none" | "tasks" | "answers" = "none";
  /** Where the thread stood when the first of those under way began. */
  #overlapFrom = "";
  #onlyKind: "tasks" | "answers" = "tasks";
  #isStale = false;
  /** Since the thread last moved on, or got an answer. */
  #looks = 0;
  /** Signals that were not handed to the thread yet. */
  readonly #signals: SignalArgs[] = [];
  /** Interrupts that were named as due. */
  readonly #named = new Set<string>();
  #failure: { readonly error: unknown } | undefined;
  #isReleasing = false;
  /** Of everything that may change what is to be done. */
  readonly #news = new News();
  #status: "running" | "interrupted" | "released" = "running";

  constructor(args: RunGraphArgs) {
    this.#args = args;
    this.#report = args.carried?.report;
    this.#settings = args.carried?.settings;
    this.#answers = new AnswerRules(args.carried?.asked);
  }

  /** Drives the thread until it is done. */
  async run(): Promise<RunResult> {
    try {
      return await this.#drive();
    } catch (error) {
      if (isContinuing(error)) throw error;
      const cancel = isCancellation(error) ? "The Temporal workflow was cancelled." : undefined;
      const unused = this.#report === undefined && this.#args.input !== undefined ? [this.#args.input] : [];
      await CancellationScope.nonCancellable(async () => {
        await this.#leaveSignals();
        await activities.close({
          ...this.#place(),
          ...(cancel === undefined ? {} : { cancel }),
          ...(unused.length === 0 ? {} : { unused }),
        });
        await this.#leaveSignals();
      });
      throw error;
    }
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
        const cause = error instanceof ActivityFailure ? error.cause : undefined;
        if (!(cause instanceof ApplicationFailure)) throw error;
        if (cause.type === GRAPH_CHANGED) {
          this.#failure ??= { error };
          this.#news.tell();
        }
        throw cause;
      }
    }
    return this.state();
  }

  /** Keeps a signal until somebody asks for one. */
  signal(signal: SignalArgs): void {
    this.#signals.push(signal);
    this.#news.tell();
  }

  /** Has the run end with the thread as it stands, so that others may drive it. */
  async release(): Promise<void> {
    this.#isReleasing = true;
    this.#news.tell();
  }

  async #drive(): Promise<RunResult> {
    let report = this.#report ?? (await this.#start());
    for (;;) {
      const isDraining = this.#isReleasing || this.#failure !== undefined || workflowInfo().continueAsNewSuggested;
      if (!isDraining) this.#launch(report);
      if (this.#inFlight > 0) await this.#wait(report);
      else if (this.#failure !== undefined) throw this.#failure.error;
      else if (this.#isStale) await this.#look();
      else if (this.#signals.length > 0 && (isDraining || report.status !== "ready")) await this.#commitSignals();
      else if (this.#isReleasing) return this.#released();
      else if (report.status === "interrupted" && !isDraining) await this.#wait(report);
      else if (isDraining && isOpen(report)) await this.#continueAsNew(report);
      else if (report.status === "ready") await this.#look();
      else return ended(report);
      report = this.#report ?? report;
    }
  }

  async #start(): Promise<ThreadReport> {
    const { input, supersede, maxSteps } = this.#args;
    const { report, settings } = await reportOfStart(
      activities.start({
        ...this.#place(),
        ...(input === undefined ? {} : { input }),
        ...(supersede === undefined ? {} : { supersede }),
        ...(maxSteps === undefined ? {} : { maxSteps }),
      }),
    );
    this.#settings = settings;
    this.#take(report);
    return report;
  }

  /** Has activities run what can run. */
  #launch(report: ThreadReport): void {
    if (this.#settings === undefined) return;
    const free = this.#settings.maxParallelActivities - this.#inFlight;
    const batches = batchesOf(report, this.#settings, (id) => this.#running.has(id) || this.#ran.has(id));
    for (const batch of batches.slice(0, Math.max(0, free))) {
      const isBeside = this.#inFlight > 0 || batches.length > 1;
      void this.#runBatch(batch, report, isBeside, this.#settings);
    }
  }

  async #runBatch(batch: Batch, report: ThreadReport, beside: boolean, settings: RunSettings): Promise<void> {
    const { tasks, node } = batch;
    for (const id of tasks) this.#running.add(id);
    const summary = `${node ?? Object.keys(report.tasks).join(", ")} · step ${report.step + 1}${tasks.length > 1 ? ` · ${tasks.length} tasks` : ""}`;
    try {
      await this.#during(
        "tasks",
        activities.runTasks(
          {
            ...this.#place(),
            tasks,
            ...(node === undefined ? { burst: true } : { node }),
            ...(beside ? { beside } : {}),
          },
          summary,
          settings,
          node === undefined ? undefined : report.nodes?.[node],
        ),
      );
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      for (const id of tasks) {
        this.#running.delete(id);
        if (this.#report?.checkpointId === report.checkpointId) this.#ran.add(id);
      }
      this.#news.tell();
    }
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
    await this.#commit({ signals }, "signals");
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
      this.#news.tell();
    }
  }

  /** Takes in what an activity reports. A failed node is reported too. */
  async #during(kind: "tasks" | "answers", activity: Promise<Report>): Promise<void> {
    if (this.#inFlight === 0) {
      this.#overlap = "none";
      this.#overlapFrom = this.#report?.checkpointId ?? "";
      this.#onlyKind = kind;
    } else if (this.#overlap !== "answers") {
      this.#overlap = kind === "answers" || this.#onlyKind === "answers" ? "answers" : "tasks";
    }
    this.#inFlight += 1;
    try {
      this.#takeReport(await activity);
    } catch (error) {
      const report = reportOf<Report>(error);
      if (report === undefined) throw error;
      this.#takeReport(report);
    } finally {
      this.#inFlight -= 1;
      // of tasks that ran side by side, the one that committed their superstep has seen all of them
      const isAdvanced = this.#overlap === "tasks" && this.#report?.checkpointId !== this.#overlapFrom;
      if (this.#inFlight === 0 && this.#overlap !== "none" && !isAdvanced) this.#isStale = true;
    }
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
    if (report.checkpointId < before) return;
    if (report.checkpointId > before) {
      this.#ran.clear();
      this.#looks = 0;
    }
    this.#report = report;
    this.#answers.see(report.interrupts);
  }

  /** Waits until there is something new, or a question's time is over. */
  #wait(report: ThreadReport): Promise<void> {
    const open = this.#answers.unanswered(report.interrupts);
    const timed = open.filter(({ id, dueAt }) => dueAt !== undefined && !this.#named.has(id));
    this.#tell(this.#inFlight === 0 ? "interrupted" : "running");
    return timed.length === 0 ? this.#news.hear() : this.#waitUntilDue(timed);
  }

  async #waitUntilDue(timed: readonly WireInterrupt[]): Promise<void> {
    const first = Math.min(...timed.map(({ dueAt = Infinity }) => dueAt));
    const seen = this.#news.count;
    const isChanged = (): boolean => this.#news.count !== seen;
    const until = Math.min(first, Date.now() + LONGEST_TIMER_MS);
    const waitMs = Math.max(1, until - Date.now());
    if (await condition(isChanged, waitMs)) return;
    // where a query reads a run up, a timer may come before its task, and by the clock of the task before
    const now = Math.max(until, Date.now());
    const due = timed.filter(({ dueAt = Infinity }) => dueAt <= now).map(({ id }) => id);
    if (due.length === 0) return;
    for (const id of due) this.#named.add(id);
    await this.#commit({ due }, "due");
  }

  /** Shows in lists of workflows what they can't tell: whether somebody is waited for, and whether the end is one. */
  #tell(status: "running" | "interrupted" | "released"): void {
    if (status === this.#status) return;
    this.#status = status;
    upsertMemo({ status });
    if (this.#args.searchable === true) upsertSearchAttributes([{ key: SEARCH_ATTRIBUTE.status, value: status }]);
  }

  async #released(): Promise<RunResult> {
    await condition(allHandlersFinished);
    await activities.close(this.#place());
    await this.#leaveSignals();
    this.#tell("released");
    return { released: true };
  }

  async #continueAsNew(report: ThreadReport): Promise<never> {
    await condition(allHandlersFinished);
    const settings = this.#settings;
    if (settings === undefined) throw new Error("a run that has not begun continues as new");
    const { input: _, ...args } = this.#args;
    const carried: CarriedRun = { report: this.#report ?? report, settings, asked: this.#answers.asked };
    return continueAsNew<(args: RunGraphArgs) => Promise<RunResult>>({ ...args, carried });
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

/** How a run ends whose thread is at its end. */
function ended({ status, result, failures = [], reason }: ThreadReport): RunResult {
  if (status === "done" && result !== undefined) return result;
  if (status === "cancelled") {
    throw ApplicationFailure.create({ type: "RUN_CANCELLED", message: reason ?? "", nonRetryable: true });
  }
  const [failure] = failures;
  if (failure?.code === GRAPH_CHANGED) {
    const hint =
      "Once the workers have a graph that does, execute it again without an input; or move the thread by a runner.";
    throw ApplicationFailure.create({
      type: failure.code,
      message: failure.message,
      nonRetryable: true,
      details: [{ hint }],
    });
  }
  throw ApplicationFailure.create({
    type: NODE_FAILED,
    message: failure === undefined ? "A node failed." : `${failure.node}: ${failure.name}: ${failure.message}`,
    nonRetryable: true,
    details: [failures],
  });
}

/** A burst goes on in the activity that starts, so a node may fail in it. */
async function reportOfStart(starting: Promise<StartReport>): Promise<StartReport> {
  try {
    return await starting;
  } catch (error) {
    const report = reportOf<StartReport>(error);
    if (report === undefined) throw error;
    return report;
  }
}

/** What the activity of a failed node reports. */
function reportOf<R>(error: unknown): R | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure) || cause.type !== NODE_FAILED) return undefined;
  return cause.details?.[0] as R | undefined;
}

function isContinuing(error: unknown): boolean {
  return error instanceof Error && error.name === "ContinueAsNew";
}
