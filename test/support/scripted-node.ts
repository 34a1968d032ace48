import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { vi } from "vitest";

/** A node that does what its script says, one entry per attempt, the last one for good; it notes when it ran. */
export function scriptedNode(...script: unknown[]) {
  const startedAt: number[] = [];
  const signals: (AbortSignal | undefined)[] = [];
  const node = async (_state: unknown, config: LangGraphRunnableConfig) => {
    const step = script[Math.min(startedAt.length, script.length - 1)];
    startedAt.push(Date.now());
    signals.push(config.signal);
    const result: unknown =
      typeof step === "function" ? await (step as (config: LangGraphRunnableConfig) => unknown)(config) : step;
    if (result instanceof Error) throw result;
    return result;
  };
  return { node, startedAt, signals };
}

/** A step of a script: never ends. */
export const hangs = () => new Promise(() => {});

/** A step of a script: fails when it is told to stop. */
export const untilAborted = ({ signal }: LangGraphRunnableConfig) =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
  });

/** What a promise comes to once all fake timers have run. */
export async function settled<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown }> {
  const result = promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  await vi.runAllTimersAsync();
  return result;
}
