import { setTimeout as delay } from "node:timers/promises";
import { PerdureError } from "../errors/index.ts";
import type { ThreadView } from "./thread-view.ts";

/** How far this machine's clock may be behind the one that made a thread's head, in milliseconds. */
const MAX_CLOCK_SKEW_MS = 10_000;

/**
 * LangGraph's checkpoint ids are times, and the greatest is the head. Where this machine's clock is behind the
 * one that made the head, a new checkpoint would not become it, so a drive, a fork or an update begins when the clock has passed it (I4).
 */
export async function waitForClock({ threadId, head }: ThreadView, signal?: AbortSignal): Promise<void> {
  const behindMs = Date.parse(head.checkpoint.ts) - Date.now();
  if (behindMs < 0) return;
  if (behindMs > MAX_CLOCK_SKEW_MS) {
    throw new PerdureError(
      "CHECKPOINT_CONFLICT",
      `The clock of this process is ${behindMs} ms behind the head of thread "${threadId}".`,
      { hint: "Nothing was run. Synchronise the clocks of the machines that drive threads." },
    );
  }
  await delay(behindMs + 1, undefined, signal === undefined ? {} : { signal });
}
