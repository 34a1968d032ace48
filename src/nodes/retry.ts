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
  const { attempts, intervalMs, maxIntervalMs, jitter, retryOn } = options;
  let backoff = new ExponentialBackoff<number>({
    generator: jitter ? halfJitterGenerator : noJitterGenerator,
    initialDelay: intervalMs,
    maxDelay: maxIntervalMs,
  }).next();
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
