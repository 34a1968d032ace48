import { isGraphBubbleUp } from "@langchain/langgraph";
import { ExponentialBackoff, halfJitterGenerator, noJitterGenerator } from "cockatiel";
import { z } from "zod";
import { isPerdureError } from "../errors/index.ts";
import { TimerMs, delay } from "./delay.ts";

/** How often a node is tried, and how long it waits in between. */
export interface RetryOptions {
  /** How often at most, the first time included. @default 3 */
  readonly attempts?: number;
  /** The wait after the first failure; each one after is twice as long. @default 100 */
  readonly intervalMs?: number;
  /** The longest wait. @default 30_000 */
  readonly maxIntervalMs?: number;
  /** Shortens each wait by up to half, at random, so that many don't come back at once. @default true */
  readonly jitter?: boolean;
  /** Whether an error is worth another attempt. @default {@link worthRetrying} */
  readonly retryOn?: (error: unknown) => boolean;
}

/** A node's rule for trying again, handed to whoever makes the next attempt. */
export interface RetryRule {
  /** How often at most, the first time included. */
  readonly maxAttempts: number;
  /** The wait after this attempt, of which the first is 1, in milliseconds. */
  readonly delayMs: (attempt: number) => number;
}

/**
 * Where a driver that makes the attempts itself stands in `configurable`: a function that gets what the node threw
 * and the rule for trying again. The node then does not.
 */
export const RETRY_KEY = "__perdure_retry";

/** Takes what a node threw, and its rule for trying again. */
export type HandRetry = (error: object, rule: RetryRule) => void;

export const RetrySchema = z.object({
  attempts: z.int().min(1).default(3),
  intervalMs: TimerMs.default(100),
  maxIntervalMs: TimerMs.default(30_000),
  jitter: z.boolean().default(true),
  retryOn: z.custom<(error: unknown) => boolean>((value) => typeof value === "function").default(() => worthRetrying),
});

/** Statuses that another attempt does not change; those of LangGraph's default retry policy. */
const FINAL_STATUSES = new Set([400, 401, 402, 403, 404, 405, 406, 407, 409]);

/**
 * Whether another attempt may go better. Not for a request the provider refuses (HTTP 4xx but 408 and 429), not for
 * what was cancelled, and of this library's errors only for `NODE_TIMEOUT` and `OUTPUT_INVALID`.
 */
export function worthRetrying(error: unknown): boolean {
  if (isPerdureError(error)) return error.code === "NODE_TIMEOUT" || error.code === "OUTPUT_INVALID";
  if (typeof error !== "object" || error === null) return true;
  const { name, status, response } = error as { name?: unknown; status?: unknown; response?: { status?: unknown } };
  if (name === "AbortError" || name === "GraphValueError") return false;
  return !FINAL_STATUSES.has(Number(response?.status ?? status));
}

/**
 * Runs `attempt` until it succeeds, or as often as it may. Cockatiel's own retry can't be woken from its wait by a
 * signal, so only its waits are taken from there.
 */
export async function withRetry<T>(
  options: z.output<typeof RetrySchema>,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  const { attempts, retryOn } = options;
  let backoff = backoffOf(options).next();
  for (let left = attempts - 1; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || isGraphBubbleUp(error) || signal?.aborted === true || !retryOn(error)) throw error;
    }
    await delay(backoff.duration, signal);
    backoff = backoff.next(undefined);
  }
}

/** Makes one attempt, and hands the rule to whoever makes the next one. */
export async function withRetryElsewhere<T>(
  options: z.output<typeof RetrySchema>,
  hand: HandRetry,
  attempt: () => Promise<T>,
): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (typeof error === "object" && error !== null && !isGraphBubbleUp(error) && options.retryOn(error)) {
      hand(error, { maxAttempts: options.attempts, delayMs: (failed) => delayAfter(failed, options) });
    }
    throw error;
  }
}

function delayAfter(attempt: number, options: z.output<typeof RetrySchema>): number {
  let backoff = backoffOf(options).next();
  for (let n = 1; n < attempt; n += 1) backoff = backoff.next(undefined);
  return backoff.duration;
}

function backoffOf({ intervalMs, maxIntervalMs, jitter }: z.output<typeof RetrySchema>) {
  return new ExponentialBackoff<number>({
    generator: jitter ? halfJitterGenerator : noJitterGenerator,
    initialDelay: intervalMs,
    maxDelay: maxIntervalMs,
  });
}
