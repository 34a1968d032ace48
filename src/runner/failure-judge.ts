import { RETRY_KEY } from "../nodes/index.ts";
import type { RetryRule } from "../nodes/index.ts";
import type { PregelNodeLike } from "./pregel.ts";

/** A task that failed, as whoever decides about it sees it. */
export interface FailedTask<Node extends string = string> {
  readonly taskId: string;
  readonly node: Node;
  /** What it threw. */
  readonly error: unknown;
  /** How the node's own rules would try it again; absent where they would not. */
  readonly retry?: RetryRule;
}

/** Decides about a failure: "fail" stores it, "retry" stores nothing of it, and the task stays ready. */
export type JudgeFailure = (failed: FailedTask) => "fail" | "retry";

/** Asks the caller of one drive about tasks that failed, once for each. */
export class FailureJudge {
  readonly #judge: JudgeFailure;
  /** Rules that nodes gave with what they threw. */
  readonly #given = new WeakMap<object, RetryRule>();
  readonly #nodes = new Map<string, { readonly name: string; readonly node: PregelNodeLike }>();
  readonly #verdicts = new Map<string, "fail" | "retry">();

  constructor(judge: JudgeFailure) {
    this.#judge = judge;
  }

  /** Whether any failure is to be forgotten. */
  get spared(): boolean {
    return [...this.#verdicts.values()].includes("retry");
  }

  /** What goes into the config of a node, so that a rule inside it does not try again by itself. */
  readonly port = {
    [RETRY_KEY]: (error: object, rule: RetryRule): void => {
      this.#given.set(error, rule);
    },
  };

  /** A task begins. */
  begins(taskId: string, name: string, node: PregelNodeLike): void {
    this.#nodes.set(taskId, { name, node });
  }

  /** Whether the failure is to be forgotten, because the caller will try again. */
  spares(taskId: string, error: unknown): boolean {
    let verdict = this.#verdicts.get(taskId);
    if (verdict === undefined) {
      const { name = "", node } = this.#nodes.get(taskId) ?? {};
      const retry = this.#given.get(error as object) ?? ruleOf(node?.retryPolicy, error);
      verdict = this.#judge({ taskId, node: name, error, ...(retry === undefined ? {} : { retry }) });
      this.#verdicts.set(taskId, verdict);
    }
    return verdict === "retry";
  }
}

/** LangGraph's retry policy as a rule, where it would try again after this error. */
function ruleOf(policy: PregelNodeLike["retryPolicy"], error: unknown): RetryRule | undefined {
  if (policy === undefined || !(policy.retryOn ?? isRetriedByLangGraph)(error)) return undefined;
  const { maxAttempts = 3, initialInterval = 500, backoffFactor = 2, maxInterval = 128_000, jitter = true } = policy;
  return {
    maxAttempts,
    delayMs: (attempt) =>
      Math.min(maxInterval, initialInterval * backoffFactor ** (attempt - 1)) + (jitter ? Math.random() * 1_000 : 0),
  };
}

/** As LangGraph's default `retryOn`, which it does not export; see retry.ts there. */
function isRetriedByLangGraph(error: unknown): boolean {
  const { name, message, code, status, response, error: inner } = error as LikeHttpError;
  if (name === "AbortError" || name === "GraphValueError" || code === "ECONNABORTED") return false;
  if (message?.startsWith("Cancel") === true || message?.startsWith("AbortError") === true) return false;
  const http = Number(response?.status ?? status);
  return !(http >= 400 && http <= 409 && http !== 408) && inner?.code !== "insufficient_quota";
}

interface LikeHttpError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly status?: unknown;
  readonly response?: { readonly status?: unknown };
  readonly error?: { readonly code?: unknown };
}
