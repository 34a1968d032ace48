import { SeededRandom } from "../../support/crash-random.ts";

/** Random decisions that are the same for the same seeds. */
export class Choices {
  readonly #random: SeededRandom;

  constructor(...seeds: readonly number[]) {
    let mixed = 0x9e3779b9;
    for (const seed of seeds) mixed = Math.imul(mixed ^ seed, 0x85ebca6b) ^ (mixed >>> 13);
    this.#random = new SeededRandom(mixed);
  }

  /** A whole number from `from` up to and without `to`. */
  between(from: number, to: number): number {
    return this.#random.between(from, to);
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.between(0, 10_000) < percent * 100;
  }

  /** A seed for decisions of their own. */
  seed(): number {
    return this.between(0, 2 ** 31);
  }

  /** One of several. */
  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length)] as T;
  }

  /** One of several, or nothing where there are none. */
  pickAny<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : this.pick(items);
  }

  /** One of the keys, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let at = this.between(
      0,
      entries.reduce((sum, [, weight]) => sum + weight, 0),
    );
    for (const [key, weight] of entries) if ((at -= weight) < 0) return key;
    throw new Error("Nothing has a weight.");
  }
}
