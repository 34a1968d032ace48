import { isGraphBubbleUp } from "@langchain/langgraph";
import { TimeoutStrategy, timeout } from "cockatiel";
import { PerdureError } from "../errors/index.ts";

/**
 * Runs work with a signal that aborts after `ms`. Does not wait for work that ignores its signal: what
 * that returns later is dropped.
 * @throws PerdureError `NODE_TIMEOUT`
 */
export async function withTimeLimit<T>(
  ms: number,
  signal: AbortSignal | undefined,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const policy = timeout(ms, { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false });
  let over = false;
  policy.onTimeout(() => {
    over = signal?.aborted !== true;
  });
  try {
    return await policy.execute((context) => work(context.signal), signal);
  } catch (error) {
    if (signal?.aborted === true && !isGraphBubbleUp(error)) throw signal.reason;
    if (!over || isGraphBubbleUp(error)) throw error;
    throw new PerdureError("NODE_TIMEOUT", `${what} took longer than ${ms} ms.`, {
      hint: "Give it more time with timeoutMs, or have it do less.",
    });
  }
}
