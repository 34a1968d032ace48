/** Where a thread is to die: before or after its n-th commit, counted from 1. */
export interface CrashPlace {
  readonly commit: number;
  readonly side: "before" | "after";
}

/**
 * The death of one thread, in a process that drives several. At its place the thread stops for good:
 * nothing that goes through its crash point happens any more, or returns. Once every thread of the
 * process stands still, `reached` may kill the process, and what is left of each thread is what
 * a process that died right there would have left.
 */
export class CrashPoint {
  readonly #place: CrashPlace | undefined;
  readonly #reached: () => void;
  #commits = 0;
  #dead = false;

  /** @param place where to die; absent to count commits only */
  constructor(place: CrashPlace | undefined, reached: () => void) {
    this.#place = place;
    this.#reached = reached;
  }

  /** How many commits began so far. */
  get commits(): number {
    return this.#commits;
  }

  /** Does what can be seen from outside the process, unless the thread is dead. */
  async outside<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.#dead) return never();
    const result = await work();
    return this.#dead ? never() : result;
  }

  /** As `outside`, for a commit, which may be where the thread dies. `committed` is told before that. */
  async commit<T>(work: () => Promise<T>, committed: (result: T) => void): Promise<T> {
    if (this.#dead) return never();
    this.#commits += 1;
    const mine = this.#commits === this.#place?.commit ? this.#place.side : undefined;
    if (mine === "before") return this.#die();
    const result = await this.outside(work);
    committed(result);
    return mine === "after" ? this.#die() : result;
  }

  #die(): Promise<never> {
    this.#dead = true;
    this.#reached();
    return never();
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}
