import { isGraphBubbleUp } from "@langchain/langgraph";
import { TimeoutStrategy, timeout } from "cockatiel";
import { PerdureError } from "../errors/index.ts";

/**
 * Runs work with a signal that aborts after `ms`, or when the given one does. Only time makes it give up: what work
 * that ignores its signal returns after its time is dropped.
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
    over = true;
  });
  try {
    return await policy.execute(({ signal: own }) => work(signal === undefined ? own : AbortSignal.any([signal, own])));
  } catch (error) {
    if (!over || isGraphBubbleUp(error)) throw error;
    throw new PerdureError("NODE_TIMEOUT", `${what} took longer than ${ms} ms.`, {
      hint: "Give it more time with timeoutMs, or have it do less.",
    });
  }
}
