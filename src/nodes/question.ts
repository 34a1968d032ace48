/**
 * What the library's own interrupts say to whoever answers them. A node asks by calling LangGraph's
 * `interrupt(question)`; the runner reads the question's kind and its due date, and nothing else.
 */

/** Why a thread waits: for a person's input or approval, a signal, a point in time, or at a breakpoint. */
export type InterruptKind = "input" | "approval" | "signal" | "timer" | "breakpoint";

/** What {@link waitForSignal} asks: the next signal of this name. */
export interface SignalQuestion {
  readonly kind: "signal";
  /** The name the signal must have. */
  readonly name: string;
  /** When the wait is over without one, as an ISO date. */
  readonly dueAt?: string;
}

/** What {@link sleep} and {@link sleepUntil} ask: to be woken at a point in time. */
export interface TimerQuestion {
  readonly kind: "timer";
  /** When to wake, as an ISO date. */
  readonly dueAt: string;
}

/**
 * The runner's own answer to a question whose `dueAt` has passed. Nobody else may give it: it is
 * refused as a person's answer.
 */
export interface DueAnswer {
  readonly perdure: "due";
  /** When the runner found it due, as an ISO date. */
  readonly at: string;
}

/** Whether an answer is the runner's own: the question's time was over. */
export function isDueAnswer(answer: unknown): answer is DueAnswer {
  return isRecord(answer) && answer["perdure"] === "due";
}

/**
 * The kind of a question, read off its value. LangChain's human-in-the-loop middleware and
 * {@link approval} both ask with `actionRequests` and `reviewConfigs`; anything that is not ours is `input`.
 */
export function interruptKind(value: unknown): Exclude<InterruptKind, "breakpoint"> {
  if (!isRecord(value)) return "input";
  if (value["kind"] === "signal" && typeof value["name"] === "string") return "signal";
  if (value["kind"] === "timer" && typeof value["dueAt"] === "string") return "timer";
  if (Array.isArray(value["actionRequests"]) && Array.isArray(value["reviewConfigs"])) return "approval";
  return "input";
}

/** When a question's time is over, in milliseconds since the epoch, if it has such a time. */
export function questionDueAt(value: unknown): number | undefined {
  if (!isRecord(value) || typeof value["dueAt"] !== "string") return undefined;
  const at = Date.parse(value["dueAt"]);
  return Number.isNaN(at) ? undefined : at;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
