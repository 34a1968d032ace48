import type { Worker } from "@temporalio/worker";

/**
 * The workers of this process that run some activities. They tell when one is shut down: Temporal cancels its ordinary
 * activities then, and waits for the local ones to end by themselves.
 */
export class OwnWorkers {
  readonly #workers = new Set<Pick<Worker, "getState" | "options">>();

  add(worker: Pick<Worker, "getState" | "options">): void {
    this.#workers.add(worker);
  }

  delete(worker: Pick<Worker, "getState" | "options">): void {
    this.#workers.delete(worker);
  }

  /** Whether one of this task queue is being shut down. */
  isStopping(taskQueue: string): boolean {
    const own = [...this.#workers].filter(({ options }) => options.taskQueue === taskQueue);
    return own.some((worker) => worker.getState() !== "RUNNING");
  }
}
