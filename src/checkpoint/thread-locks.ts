import type { LockOptions, ThreadLock } from "./checkpointer.ts";

/** One lock of this process; see {@link ThreadLocks}. */
export interface HeldLock extends ThreadLock {
  /** Tells the holder that the right is gone; it still has to release. */
  lose(reason: unknown): void;
}

interface Waiter {
  readonly owner: ThreadLocks;
  readonly mode: LockOptions["mode"];
  readonly start: (lock: HeldLock) => void;
  readonly fail: (reason: unknown) => void;
}

interface Queue {
  readonly held: Set<HeldLock>;
  exclusive: boolean;
  readonly waiting: Waiter[];
}

/** The threads of one store, shared by all checkpointers that this process has open on it. */
export type ThreadQueues = Map<string, Queue>;

/**
 * The right to drive a thread, within this process. Fair: whoever comes first gets it first, so a
 * shared request behind a waiting exclusive one waits too.
 */
export class ThreadLocks {
  readonly #queues: ThreadQueues;
  readonly #held = new Map<HeldLock, () => void>();
  #closed: { readonly reason: unknown } | undefined;

  /** @param queues The queues to stand in; its own when no other checkpointer is open on the same store. */
  constructor(queues: ThreadQueues = new Map()) {
    this.#queues = queues;
  }

  /**
   * Takes the lock of a thread.
   * @returns undefined when it is taken and `wait` is false
   */
  lock(threadId: string, options: LockOptions): Promise<HeldLock | undefined> {
    const { mode, wait, signal } = options;
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason as Error);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const queue = this.#queue(threadId);
    if (queue.waiting.length === 0 && isFree(queue, mode)) return Promise.resolve(this.#take(threadId, queue, mode));
    if (!wait) return Promise.resolve(undefined);
    return new Promise<HeldLock>((resolve, reject) => {
      const stop = (): void => {
        queue.waiting.splice(queue.waiting.indexOf(waiter), 1);
        waiter.fail(signal?.reason);
        serve(this.#queues, threadId, queue);
      };
      const waiter: Waiter = {
        owner: this,
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
    for (const lock of this.#held.keys()) lock.lose(reason);
  }

  /** Ends it: holders lose their right, those who wait fail, and nobody gets a lock from it any more. */
  close(reason: unknown): void {
    this.#closed = { reason };
    this.loseAll(reason);
    for (const [threadId, queue] of this.#queues) {
      const mine = queue.waiting.filter((waiter) => waiter.owner === this);
      for (const waiter of mine) {
        queue.waiting.splice(queue.waiting.indexOf(waiter), 1);
        waiter.fail(reason);
      }
      if (mine.length > 0) serve(this.#queues, threadId, queue);
    }
    for (const free of [...this.#held.values()]) free();
  }

  #queue(threadId: string): Queue {
    let queue = this.#queues.get(threadId);
    if (queue === undefined) this.#queues.set(threadId, (queue = { held: new Set(), exclusive: false, waiting: [] }));
    return queue;
  }

  #take(threadId: string, queue: Queue, mode: LockOptions["mode"]): HeldLock {
    const free = (): void => {
      if (!this.#held.delete(lock)) return;
      queue.held.delete(lock);
      serve(this.#queues, threadId, queue);
    };
    const lock = heldLock(free);
    this.#held.set(lock, free);
    queue.held.add(lock);
    queue.exclusive = mode === "exclusive";
    return lock;
  }

  /** Gives the lock to the next in line; called for each waiter by {@link serve}. */
  static grant(waiter: Waiter, threadId: string, queue: Queue): void {
    waiter.start(waiter.owner.#take(threadId, queue, waiter.mode));
  }
}

function serve(queues: ThreadQueues, threadId: string, queue: Queue): void {
  while (queue.waiting[0] !== undefined && isFree(queue, queue.waiting[0].mode)) {
    ThreadLocks.grant(queue.waiting.shift() as Waiter, threadId, queue);
  }
  if (queue.held.size === 0 && queue.waiting.length === 0 && queues.get(threadId) === queue) queues.delete(threadId);
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
