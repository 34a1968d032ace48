import { afterAll, describe, expect, test } from "vitest";
import { explore } from "./explore.ts";
import type { Found } from "./explore.ts";
import type { Scenario } from "./scenario.ts";
import type { World } from "./schedule.ts";
import { memoryStores } from "./stores.ts";

/** Which schedules of a scenario are explored. */
export type Rules = Omit<World, "stores">;

/** A driver may die at each of its calls. */
export const DEATHS: Rules = { locks: "kept", faults: { deaths: 1 } };

/** Everybody has the lock at once, and takes turns so often. */
export function stolenLocks(switches: number, faults: Rules["faults"] = {}): Rules {
  return { locks: "broken", switches, faults };
}

/** Explores scenarios in memory, expects that no invariant is broken, and prints how many schedules that took. */
export function describeExploration(name: string, rules: Rules, scenarios: readonly Scenario[]): void {
  describe(name, () => {
    let schedules = 0;
    let interleavings = 0n;
    afterAll(() => {
      console.log(`${name}: ${schedules} schedules for ${interleavings} interleavings.`);
    });
    test.each(scenarios)("$name: no schedule breaks an invariant", { timeout: 1_800_000 }, async (scenario) => {
      const explored = await explore(scenario, { ...rules, stores: memoryStores() });
      const { points, outcomes } = explored;
      console.log(
        `${name}, ${scenario.name}: ${explored.schedules.length} schedules for ${explored.interleavings} interleavings; ${points} points, ${outcomes.size} outcomes, ${explored.violations.length} violations.`,
      );
      schedules += explored.schedules.length;
      interleavings += explored.interleavings;
      expect(explored.violations.map(toText)).toEqual([]);
    });
  });
}

/** A violation for people, with what led to it. */
export function toText({ invariant, what, schedule }: Found): string {
  return [`${invariant}: ${what}`, ...schedule].join("\n  ");
}
