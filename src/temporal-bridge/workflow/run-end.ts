import { ActivityFailure, ApplicationFailure, isCancellation } from "@temporalio/workflow";
import { GRAPH_CHANGED, NODE_FAILED } from "../shared/names.ts";
import type { NextAttempt, RunResult, ThreadReport } from "../shared/protocol.ts";

/** How a run ends whose thread is at its end. @throws where that is none to be glad of */
export function endOf({ status, result, failures = [], reason }: ThreadReport): RunResult {
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

/** What the activity of a failed node reports. */
export function reportOf<R>(error: unknown): R | undefined {
  const failure = failureOf(error);
  return failure?.type === NODE_FAILED ? (failure.details?.[0] as R | undefined) : undefined;
}

/** What follows on a local activity that failed; undefined when that was for good. */
export function afterLocal(error: unknown): NextAttempt | undefined {
  const failure = failureOf(error);
  if (isCancellation(error) || failure?.nonRetryable === true) return undefined;
  const { delayMs = 0, left } = (failure?.details?.[0] ?? {}) as Partial<NextAttempt>;
  return { delayMs, left };
}

/** What an activity threw; a local one's stands by itself. */
export function failureOf(error: unknown): ApplicationFailure | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure ? cause : undefined;
}

/** Whether the run ends only for another one to follow it. */
export function isContinuing(error: unknown): boolean {
  return error instanceof Error && error.name === "ContinueAsNew";
}
