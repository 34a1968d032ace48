import { CancellationScope } from "@temporalio/workflow";

/**
 * Tells the one who waits that there is something new. As Temporal's `condition` does, for which the worker enters the
 * sandbox once more, each time with a thread that watches the clock; and which leaves something behind with each wait.
 */
export class News {
  #count = 0;
  #waiting: PromiseWithResolvers<void> | undefined;
  #cancelled: { readonly reason: unknown } | undefined;

  constructor() {
    CancellationScope.current().cancelRequested.catch((reason: unknown) => {
      this.#cancelled = { reason };
      this.#waiting?.reject(reason);
    });
  }

  /** Grows with all that is told. */
  get count(): number {
    return this.#count;
  }

  /** There is something new: the last thing that whoever tells it does. */
  tell(): void {
    this.#count += 1;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /**
   * Resolves when something new is told; rejects when the workflow is cancelled. Without `async`, as each promise that is made
   * in the sandbox costs: Temporal notes for all of them where they were made.
   */
  hear(): Promise<void> {
    this.#waiting = Promise.withResolvers();
    if (this.#cancelled !== undefined) this.#waiting.reject(this.#cancelled.reason);
    return this.#waiting.promise;
  }
}
