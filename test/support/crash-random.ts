/** A random generator that gives the same numbers for the same seed: mulberry32, by Tommy Ettinger. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from `from` up to and without `to`. */
  between(from: number, to: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return from + (((mixed ^ (mixed >>> 14)) >>> 0) % (to - from));
  }
}

/** The seed of this run: `PERDURE_SEED`, else another one each time. */
export function seedOfThisRun(): number {
  const given = process.env.PERDURE_SEED;
  return given === undefined ? Date.now() % 1_000_000 : Number(given);
}
