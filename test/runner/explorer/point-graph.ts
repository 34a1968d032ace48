import { commute } from "./footprint.ts";
import type { Footprint } from "./footprint.ts";

/** Where a step led, and what it touched. */
export interface Step {
  readonly to: string;
  readonly footprint: Footprint;
}

/** The points that schedules came to, and the steps between them. */
export class PointGraph {
  readonly #steps = new Map<string, Map<string, Step>>();
  /** One string and one footprint for all that are equal: there are many points. */
  readonly #labels = new Map<string, string>();
  readonly #footprints = new Map<string, Footprint>();
  #first: string | undefined;

  get size(): number {
    return this.#steps.size;
  }

  has(point: string): boolean {
    return this.#steps.has(point);
  }

  /** Notes a point. */
  add(point: string): void {
    this.#first ??= point;
    this.#steps.set(point, new Map());
  }

  /** Notes where a step led. */
  lead(from: string, choice: string, { to, footprint }: Step): void {
    const { reads, writes } = footprint;
    this.#at(from).set(same(this.#labels, choice, choice), {
      to: same(this.#labels, to, to),
      footprint: same(this.#footprints, `${reads.join()} ${writes.join()}`, footprint),
    });
  }

  /** Where a step leads; undefined while nobody knows. */
  next(from: string, choice: string): string | undefined {
    return this.#steps.get(from)?.get(choice)?.to;
  }

  /**
   * Where a choice leads that was tried before the last step too: if both steps commute, to where that step led from
   * there.
   */
  aroundCorner(from: string, last: string, choice: string): Step | undefined {
    const steps = this.#at(from);
    const [before, other] = [steps.get(choice), steps.get(last)];
    if (before === undefined || other === undefined || !commute(before.footprint, other.footprint)) return undefined;
    const to = this.next(before.to, last);
    return to === undefined ? undefined : { to, footprint: before.footprint };
  }

  /** How many ways lead from the first point to an end: the interleavings of all steps. */
  ways(): bigint {
    const known = new Map<string, bigint>();
    const count = (name: string): bigint => {
      let ways = known.get(name);
      if (ways !== undefined) return ways;
      const steps = this.#at(name);
      ways = steps.size === 0 ? 1n : 0n;
      for (const { to } of steps.values()) ways += count(to);
      known.set(name, ways);
      return ways;
    };
    return this.#first === undefined ? 0n : count(this.#first);
  }

  #at(point: string): Map<string, Step> {
    const steps = this.#steps.get(point);
    if (steps === undefined) throw new Error(`No schedule came to ${point}.`);
    return steps;
  }
}

function same<T>(known: Map<string, T>, key: string, value: T): T {
  const found = known.get(key);
  if (found === undefined) known.set(key, value);
  return found ?? value;
}
