import { CancellationScope, sleep } from "@temporalio/workflow";

/** Temporal takes no timer of any length; a longer one is set anew. */
const LONGEST_TIMER_MS = 365 * 24 * 3_600_000;

/** One timer, which is set for the question whose time is over first. */
export class Alarm {
  readonly #rung: () => void;
  #timer: { readonly at: number; readonly scope: CancellationScope } | undefined;
  #toldTime = -Infinity;

  /** @param rung hears of each timer's end */
  constructor(rung: () => void) {
    this.#rung = rung;
  }

  /** The time that timers have told so far, in milliseconds since the epoch. What is due is decided by it and by no other clock. */
  get toldTime(): number {
    return this.#toldTime;
  }

  /** Sets the timer for the time, in milliseconds since the epoch; Infinity for none. */
  set(at: number): void {
    if (this.#timer?.at === at) return;
    this.#timer?.scope.cancel();
    this.#timer = undefined;
    if (at === Infinity) return;
    const until = Math.min(at, Date.now() + LONGEST_TIMER_MS);
    const scope = new CancellationScope();
    this.#timer = { at, scope };
    const rung = (): void => {
      this.#timer = undefined;
      // where a query reads a run up, a timer may come before its task, and by the clock of the task before
      this.#toldTime = Math.max(until, Date.now());
      this.#rung();
    };
    const notNeeded = (): void => {};
    scope.run(() => sleep(Math.max(1, until - Date.now()))).then(rung, notNeeded);
  }
}
