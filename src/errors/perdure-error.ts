/**
 * Every code a {@link PerdureError} can carry. Callers branch on the code, never on the message.
 * The table in docs/errors.md says what each one means and what to do; a test keeps the two in step.
 */
export const ERROR_CODES = [
  "ANSWER_INVALID",
  "APPROVAL_REJECTED",
  "BUDGET_EXCEEDED",
  "CHECKPOINTER_CLOSED",
  "CHECKPOINTER_LOCKED",
  "CHECKPOINTER_TABLE_MISSING",
  "CHECKPOINTER_UNREACHABLE",
  "CHECKPOINTER_UNSUPPORTED",
  "CHECKPOINTER_URL_INVALID",
  "CHECKPOINT_CONFLICT",
  "CHECKPOINT_DAMAGED",
  "CHECKPOINT_NOT_FOUND",
  "CIRCUIT_OPEN",
  "ENGINE_UNREACHABLE",
  "FORK_HALF_DONE",
  "GRAPH_CHANGED",
  "GRAPH_INVALID",
  "GRAPH_NOT_FOUND",
  "GRAPH_UNSAFE",
  "GRAPH_UNSUPPORTED",
  "IMPORT_DIFFERS",
  "INTERRUPT_ALREADY_ANSWERED",
  "INTERRUPT_AMBIGUOUS",
  "INTERRUPT_NOT_OPEN",
  "ITERATION_LIMIT",
  "NODES_FAILED",
  "NODE_TIMEOUT",
  "ONCE_INTERRUPTED",
  "OPTIONS_INVALID",
  "OUTPUT_INVALID",
  "OUTSIDE_GRAPH",
  "PEER_MISSING",
  "RUN_CANCELLED",
  "RUN_FAILED",
  "RUN_NOT_FOUND",
  "RUN_RELEASED",
  "SIGNAL_EXPIRED",
  "STEP_LIMIT_REACHED",
  "STORE_CLOSED",
  "STORE_OPERATION_INVALID",
  "TASK_NOT_READY",
  "THREAD_BUSY",
  "THREAD_EXISTS",
  "THREAD_INTERRUPTED",
  "THREAD_NOT_FOUND",
  "THREAD_OWNED",
  "THREAD_UNFINISHED",
  "TOOL_ARGUMENTS_INVALID",
  "TOOL_UNKNOWN",
  "TRANSACTION_ENDED",
  "VALUE_TOO_LARGE",
  "VALUE_UNSERIALIZABLE",
] as const;

/** A stable name for one kind of failure; see docs/errors.md. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What goes with an error beside its message. */
export interface PerdureErrorOptions {
  /** What the reader can do about it, in one or two sentences. */
  readonly hint: string;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/**
 * The one error perdure throws on purpose: a stable `code` to branch on, a message with the values
 * concerned, and a `hint` that says what to do.
 *
 * @example
 * try {
 *   await runner.resume("case-42", { answer: true });
 * } catch (error) {
 *   if (isPerdureError(error, "INTERRUPT_AMBIGUOUS")) showChoices();
 *   else throw error;
 * }
 */
export class PerdureError extends Error {
  override readonly name = "PerdureError";
  /** Which failure this is. */
  readonly code: ErrorCode;
  /** What the reader can do about it. */
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: PerdureErrorOptions) {
    super(`${code}: ${message} ${options.hint}`, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint;
  }
}

/**
 * Whether `error` is a {@link PerdureError}, of the given code when one is given. Looks at the shape
 * and not the class, so it also holds across two copies of the package.
 */
export function isPerdureError(error: unknown, code?: ErrorCode): error is PerdureError {
  if (!(error instanceof Error) || error.name !== "PerdureError" || !("code" in error)) return false;
  return code === undefined || error.code === code;
}
