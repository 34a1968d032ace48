import { z } from "zod";
import { TimerMs, delay } from "./delay.ts";

/** How many runs of a node may start within a time. */
export interface RateLimitOptions {
  readonly limit: number;
  /** The length of the window that slides along. */
  readonly perMs: number;
}

export const RateLimitSchema = z.object({ limit: z.int().min(1), perMs: TimerMs.min(1) });

/**
 * Spreads starts over time, in the order they ask: never more than `limit` within any `perMs`. Of this process
 * alone. Returns a function that waits until it may start; a start that is aborted is given back.
 */
export function createRateLimiter({
  limit,
  perMs,
}: RateLimitOptions): (signal: AbortSignal | undefined) => Promise<void> {
  let starts: number[] = [];
  return async (signal) => {
    signal?.throwIfAborted();
    const now = Date.now();
    starts = starts.filter((at) => at > now - perMs);
    const before = starts.at(-limit);
    const at = before === undefined ? now : Math.max(now, before + perMs);
    starts.push(at);
    if (at === now) return;
    try {
      await delay(at - now, signal);
    } catch (error) {
      starts.splice(starts.indexOf(at), 1);
      throw error;
    }
  };
}
