import { isPerdureError } from "../errors/index.ts";

/** The first and the longest wait before the checkpointer is asked again, in milliseconds. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

/** How often a drive begins again at one place: where it is lost each time, it may be the reason itself. */
const MOST_RETURNS = 10;

/**
 * One call's patience with a checkpointer that can't be reached. What it waits for in all, since the thread last
 * moved on, is bounded; a run that lasts days survives any number of restarts.
 */
export class Outage {
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  /** Whether the call had to wait at all. */
  happened = false;
  #place: string | undefined;
  #downSince: number | undefined;
  #downMs = 0;
  #tries = 0;
  #returns = 0;

  /** @param signal the caller's, which ends all waiting */
  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  /**
   * Whether the error may pass by itself. After a loss that is also a conflict: what was lost may have been stored
   * a moment after we looked.
   */
  isPassing(error: unknown): boolean {
    if (isPerdureError(error, "CHECKPOINTER_UNREACHABLE")) return true;
    return this.happened && isPerdureError(error, "CHECKPOINT_CONFLICT");
  }

  /**
   * Waits until it is worth trying again, longer from time to time, and a bit at random: a restart throws out
   * everybody at once. Returns false when the time is up.
   * @throws the reason of the caller's signal
   */
  async wait(): Promise<boolean> {
    this.#signal?.throwIfAborted();
    const now = performance.now();
    this.#downSince ??= now;
    const leftMs = this.#timeoutMs - this.#downMs - (now - this.#downSince);
    if (leftMs <= 0 || this.#returns >= MOST_RETURNS) return false;
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** this.#tries, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
    this.#tries += 1;
    this.happened = true;
    await waitFor(Math.min(waitMs, leftMs), this.#signal);
    return true;
  }

  /** It was reached. `place` says where the thread stands: another one than before means that it moved on. */
  reached(place: string): void {
    if (place !== this.#place) {
      this.#place = place;
      this.#downMs = 0;
      this.#tries = 0;
      this.#returns = this.#downSince === undefined ? 0 : 1;
    } else if (this.#downSince !== undefined) {
      this.#downMs += performance.now() - this.#downSince;
      this.#returns += 1;
    }
    this.#downSince = undefined;
  }
}

/**
 * Does `work`, and again while the checkpointer can't be reached: for what only reads, or may be done twice.
 * @throws CHECKPOINTER_UNREACHABLE when the time is up
 */
export async function outlast<T>(outage: Outage, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!outage.isPassing(error) || !(await outage.wait())) throw error;
    }
  }
}

function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
