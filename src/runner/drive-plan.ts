import type { ThreadOwner, ThreadRecord } from "../checkpoint/index.ts";
import type { FailureJudge } from "./failure-judge.ts";
import type { GatePlan } from "./task-gate.ts";
import { isUncommitted, toThreadState } from "./thread-view.ts";
import type { ThreadView } from "./thread-view.ts";

/** What one drive is to do. */
export interface DrivePlan {
  /** A new turn's input. */
  readonly input?: { readonly value: unknown };
  /** The run that it belongs to. */
  readonly runId: string | undefined;
  /** On whose behalf it is driven. */
  readonly owner: ThreadOwner | undefined;
  /** A change of the record that goes with the first checkpoint. */
  readonly record?: (record: ThreadRecord) => ThreadRecord;
  /** At the head: only these tasks. */
  readonly only?: ReadonlySet<string>;
  /** Whether tasks that failed before run again. */
  readonly retryFailed: boolean;
  /** The step of the run's input, which tells nodes which turn they belong to. */
  readonly inputStep: number;
  readonly lastStep: number;
  /** The step after whose commit nobody wants to go on: LangGraph need not prepare what comes next. */
  readonly endsAfter?: number | undefined;
  readonly deadline?: number | undefined;
  /** Whether nobody wants the values that the thread has then, unless it is done. */
  readonly withoutValues?: boolean | undefined;
  /** Who decides about failures; absent where the nodes' own rules do. */
  readonly judge?: FailureJudge | undefined;
}

/** The plan as the gate needs it: tasks that wait for an answer or failed before don't run. */
export function gatePlan(
  view: ThreadView | undefined,
  plan: DrivePlan,
  options: Pick<GatePlan, "now" | "maxConcurrency">,
): GatePlan {
  const except = new Set<string>();
  if (plan.input === undefined) {
    for (const { id, phase } of view?.tasks ?? []) {
      if (phase === "waiting" || (phase === "failed" && !plan.retryFailed)) except.add(id);
    }
  }
  return {
    ...(plan.only === undefined ? {} : { only: plan.only }),
    except,
    headCheckpointId: plan.input === undefined ? view?.checkpointId : undefined,
    lastStep: plan.lastStep,
    deadline: plan.deadline,
    judge: plan.judge,
    ...options,
  };
}

/** The plan for going on: the input is given, and a task that failed again stays failed. */
export function again(plan: DrivePlan): DrivePlan {
  const { input: _input, record: _record, only: _only, endsAfter: _endsAfter, ...rest } = plan;
  return { ...rest, retryFailed: false };
}

/** Whether there is anything to drive a thread on for. */
export function mayGoOn(view: ThreadView, retryFailed: boolean): boolean {
  const { status } = toThreadState(view);
  if (view.missing.length > 0) return false;
  return status === "ready" || (status === "error" && retryFailed);
}

/** Whether something can run that was not run by this call yet. */
export function canGoOn(view: ThreadView, tried: ReadonlySet<string>): boolean {
  if (view.record.cancelled !== null || view.missing.length > 0) return false;
  if (isUncommitted(view)) return !tried.has(view.checkpointId);
  return view.tasks.some((task) => task.phase === "ready" && !tried.has(`${task.id}:${task.answers}`));
}

/**
 * Notes what ran in a drive that began with `view`, so that it is not taken for new. What LangGraph did not
 * come to run, can run yet.
 */
export function markTried(view: ThreadView | undefined, ran: ReadonlySet<string>, tried: Set<string>): void {
  if (view !== undefined && isUncommitted(view)) tried.add(view.checkpointId);
  const answers = new Map(view?.tasks.map((task) => [task.id, task.answers]));
  for (const id of ran) tried.add(`${id}:${answers.get(id) ?? 0}`);
}
