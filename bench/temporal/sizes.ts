/** How much is measured. */
export interface Sizes {
  /** Whether it is the real measurement. */
  readonly full: boolean;
  /** Runs that go on at once. */
  readonly atOnce: number;
  /** Rounds before those that count: V8 is still busy compiling the code that drives a graph in the first thousands of steps. */
  readonly warmUps: number;
  /** Runs that wait for a person, in each round. */
  readonly parked: number;
}

/** The sizes of the real measurement at 1, and smaller ones below. */
export function sizesAt(scale: number): Sizes {
  return {
    full: scale === 1,
    atOnce: Math.max(2, Math.round(20 * scale)),
    warmUps: scale === 1 ? 6 : 1,
    parked: Math.max(10, Math.round(200 * scale)),
  };
}
