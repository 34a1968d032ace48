import type { LangGraphRunnableConfig } from "@langchain/langgraph";

/**
 * Lets only so many tasks of one superstep of one run go on at a time; the others wait their turn, in the order in
 * which they came. LangGraph's own `maxConcurrency` loses tasks that have not started when another fails (H20):
 * here every task has started, and waits inside its node. Counts in this process.
 */
export class Slots {
  readonly #max: number;
  /** By checkpoint, which the tasks of one superstep of one run share. */
  readonly #lanes = new Map<string, { running: number; waiting: (() => void)[] }>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `work` as soon as there is a slot. Throws the signal's reason if it aborts before. */
  async run<T>(config: LangGraphRunnableConfig, work: () => Promise<T>): Promise<T> {
    const key = config.executionInfo?.checkpointId ?? "";
    const lane = this.#lanes.get(key) ?? { running: 0, waiting: [] };
    this.#lanes.set(key, lane);
    if (lane.running < this.#max) lane.running += 1;
    else await turn(lane.waiting, config.signal);
    try {
      return await work();
    } finally {
      const next = lane.waiting.shift();
      if (next !== undefined) next();
      else lane.running -= 1;
      if (lane.running === 0) this.#lanes.delete(key);
    }
  }
}

/** Resolves when called from the line: the slot is handed over, so nobody can take it in between. */
function turn(waiting: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const leave = () => {
      waiting.splice(waiting.indexOf(go), 1);
      reject(signal?.reason as Error);
    };
    const go = () => {
      signal?.removeEventListener("abort", leave);
      resolve();
    };
    waiting.push(go);
    signal?.addEventListener("abort", leave, { once: true });
  });
}
