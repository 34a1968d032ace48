/**
 * Bounds how many tasks of a drive run at the same time, first come first served. LangGraph's own
 * `maxConcurrency` is not used: it loses tasks when one fails (H20), and with 1 it runs one task and no more.
 */
export class TaskSlots {
  readonly #signal: AbortSignal;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param signal ends all waiting when it aborts */
  constructor(count: number, signal: AbortSignal) {
    this.#free = count;
    this.#signal = signal;
  }

  /** Resolves when it is the caller's turn, or nobody's any more; then the caller has to look at its signal. */
  async take(): Promise<void> {
    if (this.#signal.aborted) return;
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn();
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        // Node keeps a signal that follows others alive while somebody listens to it.
        this.#signal.removeEventListener("abort", go);
        resolve();
      };
      this.#signal.addEventListener("abort", go, { once: true });
      this.#waiting.push(go);
    });
  }

  /** Gives the slot to whoever waits longest. */
  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
