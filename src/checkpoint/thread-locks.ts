import { PerdureError } from "../errors/index.ts";
import type { LockOptions, ThreadLock } from "./checkpointer.ts";

/** One lock of this process; see {@link ThreadLocks}. */
export interface HeldLock extends ThreadLock {
  /** Frees the lock at once. */
  release(): Promise<void>;
  /** Tells the holder that the right is gone; it still has to release. */
  lose(reason: unknown): void;
}

interface Waiter {
  readonly mode: LockOptions["mode"];
  readonly start: (lock: HeldLock) => void;
  readonly fail: (reason: unknown) => void;
}

interface Queue {
  readonly held: Set<HeldLock>;
  exclusive: boolean;
  readonly waiting: Waiter[];
}

/**
 * The right to drive a thread, within this process. Fair: whoever comes first gets it first, so a
 * shared request behind a waiting exclusive one waits too.
 */
export class ThreadLocks {
  readonly #queues = new Map<string, Queue>();
  #closedBecause: unknown;

  /**
   * Takes the lock of a thread.
   * @returns undefined when it is taken and `wait` is false
   */
  lock(threadId: string, options: LockOptions): Promise<HeldLock | undefined> {
    const { mode, wait, signal } = options;
    if (this.#closedBecause !== undefined) return Promise.reject(this.#closedBecause);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const queue = this.#queue(threadId);
    if (queue.waiting.length === 0 && isFree(queue, mode)) return Promise.resolve(this.#take(threadId, queue, mode));
    if (!wait) return Promise.resolve(undefined);
    return new Promise<HeldLock>((resolve, reject) => {
      const stop = (): void => {
        queue.waiting.splice(queue.waiting.indexOf(waiter), 1);
        waiter.fail(signal?.reason);
        this.#serve(threadId, queue);
      };
      const waiter: Waiter = {
        mode,
        start: (lock) => {
          signal?.removeEventListener("abort", stop);
          resolve(lock);
        },
        fail: (reason) => {
          signal?.removeEventListener("abort", stop);
          reject(reason as Error);
        },
      };
      signal?.addEventListener("abort", stop, { once: true });
      queue.waiting.push(waiter);
    });
  }

  /** Tells every holder that its right is gone, such as by a dropped connection. */
  loseAll(reason: unknown): void {
    for (const queue of this.#queues.values()) for (const lock of queue.held) lock.lose(reason);
  }

  /** Ends it: holders lose their right, those who wait fail, and nobody gets a lock any more. */
  close(reason: PerdureError): void {
    this.#closedBecause = reason;
    this.loseAll(reason);
    for (const queue of this.#queues.values()) for (const waiter of queue.waiting.splice(0)) waiter.fail(reason);
    this.#queues.clear();
  }

  #queue(threadId: string): Queue {
    let queue = this.#queues.get(threadId);
    if (queue === undefined) this.#queues.set(threadId, (queue = { held: new Set(), exclusive: false, waiting: [] }));
    return queue;
  }

  #take(threadId: string, queue: Queue, mode: LockOptions["mode"]): HeldLock {
    const lock = heldLock(() => {
      if (!queue.held.delete(lock)) return;
      if (queue.held.size === 0) queue.exclusive = false;
      this.#serve(threadId, queue);
    });
    queue.held.add(lock);
    queue.exclusive = mode === "exclusive";
    return lock;
  }

  #serve(threadId: string, queue: Queue): void {
    while (queue.waiting[0] !== undefined && isFree(queue, queue.waiting[0].mode)) {
      const waiter = queue.waiting.shift() as Waiter;
      waiter.start(this.#take(threadId, queue, waiter.mode));
    }
    if (queue.held.size === 0 && queue.waiting.length === 0 && this.#queues.get(threadId) === queue) {
      this.#queues.delete(threadId);
    }
  }
}

function isFree(queue: Queue, mode: LockOptions["mode"]): boolean {
  return queue.held.size === 0 || (mode === "shared" && !queue.exclusive);
}

function heldLock(free: () => void): HeldLock {
  let controller: AbortController | undefined;
  return {
    get lost(): AbortSignal {
      controller ??= new AbortController();
      return controller.signal;
    },
    lose(reason: unknown): void {
      controller ??= new AbortController();
      controller.abort(reason);
    },
    release(): Promise<void> {
      free();
      return Promise.resolve();
    },
  };
}
