import type { Checkpointer, LockOptions, ThreadLock } from "perdure/checkpoint";
import { PerdureError } from "perdure/errors";

/**
 * - `kept`: as the store grants them
 * - `broken`: everybody gets every lock at once, as if the others' had expired and they did not know yet
 */
export type LockRule = "kept" | "broken";

interface Held {
  readonly driver: string;
  readonly mode: LockOptions["mode"];
  readonly lost: AbortController;
  readonly free: () => Promise<void>;
}

/** The locks of one thread: who holds which, so that nobody is let go who would have to wait. */
export class LockTable {
  readonly #rule: LockRule;
  readonly #threadId: string;
  readonly #held = new Set<Held>();
  /** Grows with each lock that is taken or freed. */
  changes = 0;

  constructor(rule: LockRule, threadId: string) {
    this.#rule = rule;
    this.#threadId = threadId;
  }

  /** What these drivers hold, as text. */
  heldBy(drivers: readonly string[]): string {
    const held = [...this.#held].filter(({ driver }) => drivers.includes(driver));
    return held
      .map(({ driver, mode }) => `${driver} ${mode}`)
      .toSorted()
      .join();
  }

  isFree(mode: LockOptions["mode"]): boolean {
    if (this.#rule === "broken") return true;
    return [...this.#held].every((held) => mode === "shared" && held.mode === "shared");
  }

  holds(driver: string): boolean {
    return [...this.#held].some((held) => held.driver === driver);
  }

  /** Takes the lock of the store, if that is free. `release` is how the driver gives it back. */
  async take(
    driver: string,
    store: Checkpointer,
    { mode }: LockOptions,
    release: (free: () => Promise<void>) => Promise<void>,
  ): Promise<ThreadLock | undefined> {
    const isFree = this.isFree(mode);
    const lock = this.#rule === "broken" ? FREE_FOR_ALL : await store.lockThread(this.#threadId, { mode, wait: false });
    if (lock === undefined && isFree) throw new Error(`${driver} did not get a lock that nobody holds.`);
    if (lock !== undefined && !isFree) throw new Error(`${driver} got a lock that is taken.`);
    if (lock === undefined) return undefined;
    const lost = new AbortController();
    const held: Held = {
      driver,
      mode,
      lost,
      free: async () => {
        if (!this.#held.delete(held)) return;
        this.changes += 1;
        await lock.release();
      },
    };
    this.#held.add(held);
    this.changes += 1;
    return { lost: lost.signal, release: () => release(held.free) };
  }

  /** The process of a driver is gone, and its locks are. */
  async free(driver: string): Promise<void> {
    for (const held of this.#held) if (held.driver === driver) await held.free();
  }

  /** A driver loses its locks, and is told so. */
  async lose(driver: string): Promise<void> {
    for (const held of this.#held) {
      if (held.driver !== driver) continue;
      await held.free();
      held.lost.abort(unreachable("the connection of the lock dropped"));
    }
  }
}

/** What a driver hears when its connection breaks. */
export function unreachable(what: string): PerdureError {
  return new PerdureError("CHECKPOINTER_UNREACHABLE", `${what}.`, { hint: "It is a test's doing." });
}

const FREE_FOR_ALL: ThreadLock = { lost: new AbortController().signal, release: () => Promise.resolve() };
