import { ApplicationFailure } from "@temporalio/activity";
import type { FailedTask, JudgeFailure } from "../../runner/index.ts";
import type { NextAttempt } from "../shared/protocol.ts";
import { failureText } from "./failure-text.ts";

/** What one attempt of an activity leaves for the next. */
interface Left {
  /** How often each task has failed. */
  readonly failures: Readonly<Record<string, number>>;
  /** Tasks that failed for good. */
  readonly over: readonly string[];
}

/**
 * Decides over the failures of an activity's tasks: a node is tried again by its own rules, with Temporal's timer in
 * between. Attempts that a crash ended do not count, for which the numbers are kept apart from Temporal's.
 */
export class AttemptCount {
  readonly #failures: Map<string, number>;
  readonly #over: Set<string>;
  readonly #retried: { readonly error: unknown; readonly delayMs: number }[] = [];
  /** Tasks that failed for good in this attempt. */
  readonly failed: FailedTask[] = [];

  constructor(left: unknown) {
    const { failures = {}, over = [] } = (left ?? {}) as Partial<Left>;
    this.#failures = new Map(Object.entries(failures));
    this.#over = new Set(over);
  }

  readonly judge: JudgeFailure = (failure) => {
    const { taskId, error, retry } = failure;
    const times = (this.#failures.get(taskId) ?? 0) + 1;
    this.#failures.set(taskId, times);
    if (retry !== undefined && times < retry.maxAttempts) {
      this.#retried.push({ error, delayMs: retry.delayMs(times) });
      return "retry";
    }
    this.#over.add(taskId);
    this.failed.push(failure);
    return "fail";
  };

  get hasFailures(): boolean {
    return this.#retried.length > 0 || this.failed.length > 0;
  }

  /** Whether a task failed for good, in this attempt or one before. */
  isOver(taskId: string): boolean {
    return this.#over.has(taskId);
  }

  /** What has Temporal make another attempt; undefined when none is wanted. */
  again(): ApplicationFailure | undefined {
    const [first] = this.#retried;
    if (first === undefined) return undefined;
    const { name, message } = first.error instanceof Error ? first.error : new Error(String(first.error));
    const delayMs = Math.max(1, ...this.#retried.map((retried) => Math.round(retried.delayMs)));
    const next: NextAttempt = { delayMs, left: this.left() }; // a local activity has no heartbeats to leave it by
    return ApplicationFailure.create({
      type: name,
      message: failureText(message),
      nextRetryDelay: delayMs,
      details: [next],
    });
  }

  left(): Left {
    return { failures: Object.fromEntries(this.#failures), over: [...this.#over] };
  }
}
