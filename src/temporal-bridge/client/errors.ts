import { setTimeout as delay } from "node:timers/promises";
import {
  ApplicationFailure,
  CancelledFailure,
  QueryNotRegisteredError,
  TerminatedFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  isGrpcServiceError,
} from "@temporalio/client";
import { ERROR_CODES, PerdureError, isPerdureError } from "../../errors/index.ts";
import type { ErrorCode } from "../../errors/index.ts";
import { NODE_FAILED } from "../shared/names.ts";

/** How often an update is sent that no worker took up, as when the server came back and its worker began to read the run again. */
const MOST_SENDINGS = 5;
const RESEND_MS = 200;

/** Does something with a run, and throws what went wrong in the library's own terms. */
export async function reaching<T>(id: string, work: () => Promise<T>): Promise<T> {
  for (let sendings = 1; ; sendings += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isUnprocessed(error) || sendings === MOST_SENDINGS) throw explained(id, error);
    }
    await delay(RESEND_MS * sendings);
  }
}

/** Whether it is sure that nothing of a call has come to the run: it was refused. */
export function isRefused(error: unknown): boolean {
  return isPerdureError(error) && error.code !== "ENGINE_UNREACHABLE";
}

function explained(id: string, error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) {
    return new PerdureError("RUN_NOT_FOUND", `Temporal has no run "${id}" under way.`, {
      hint: "Check the id and the namespace. A run that is done takes no answers and signals.",
      cause: error,
    });
  }
  if (error instanceof WorkflowExecutionAlreadyStartedError) {
    return new PerdureError("THREAD_BUSY", `Run "${id}" is under way already.`, {
      hint: "Wait for its result, answer or cancel it, or choose another id.",
      cause: error,
    });
  }
  if (isUnreachable(error)) {
    return new PerdureError("ENGINE_UNREACHABLE", `Run "${id}" gave no reply in time.`, {
      hint: "Is Temporal's server up, and a worker with its task queue? Then try again.",
      cause: error,
    });
  }
  if (error instanceof WorkflowUpdateFailedError) return failure(id, error.cause, error);
  if (error instanceof WorkflowFailedError) return failure(id, error.cause, error);
  return error;
}

/** gRPC's codes of a server that is away or too busy, and of workers that don't answer. */
const AWAY = new Set([
  4 /* DEADLINE_EXCEEDED */, 8 /* RESOURCE_EXHAUSTED */, 9 /* FAILED_PRECONDITION */, 14 /* UNAVAILABLE */,
]);

/** The server says so of an update that it gave to a worker, and that is in no history. */
function isUnprocessed(error: unknown): boolean {
  const cause = error instanceof WorkflowUpdateFailedError ? innerFailure(error.cause) : undefined;
  return cause instanceof ApplicationFailure && cause.type === "UnprocessedUpdate";
}

function isUnreachable(error: unknown): boolean {
  if (isUnprocessed(error)) return true;
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  // a worker that has just lost what it knew of the run; what it is asked next it reads up
  if (error instanceof QueryNotRegisteredError) return error.message.includes("TMPRL1100");
  const cause = error instanceof Error ? error.cause : undefined;
  return isGrpcServiceError(cause) && AWAY.has(cause.code);
}

function failure(id: string, thrown: Error | undefined, error: Error): unknown {
  const cause = innerFailure(thrown);
  if (cause === undefined) return error;
  if (!(cause instanceof ApplicationFailure)) {
    return new PerdureError("RUN_CANCELLED", `Run "${id}" was cancelled.`, {
      hint: "The thread stands where it was stopped: execute without an input goes on with it.",
      cause: error,
    });
  }
  const { type, message } = cause;
  if (type === NODE_FAILED) {
    return new PerdureError("RUN_FAILED", `Run "${id}" failed: ${message}.`, {
      hint: "The thread stands before the node that failed: execute without an input tries it again.",
      cause,
    });
  }
  if (!isCode(type)) return error;
  const { hint } = (cause.details?.[0] ?? {}) as { hint?: string };
  return new PerdureError(type, plain(message, type, hint), { hint: hint ?? "", cause: error });
}

/** What is below that which Temporal wraps around it: a failure of the run's own, or that somebody stopped it. */
function innerFailure(error: Error | undefined): ApplicationFailure | CancelledFailure | TerminatedFailure | undefined {
  let inner: unknown = error;
  while (inner instanceof Error) {
    if (inner instanceof ApplicationFailure || inner instanceof CancelledFailure || inner instanceof TerminatedFailure)
      return inner;
    inner = inner.cause;
  }
  return undefined;
}

/** A PerdureError's message holds its code and hint; a new one adds them. */
function plain(message: string, code: string, hint = ""): string {
  const start = `${code}: `;
  const withoutCode = message.startsWith(start) ? message.slice(start.length) : message;
  return withoutCode.endsWith(hint) ? withoutCode.slice(0, withoutCode.length - hint.length).trimEnd() : withoutCode;
}

function isCode(type: string | null | undefined): type is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(type);
}
