/** The explorer finds stores with a fault, each in few schedules. */
import { expect, test } from "vitest";
import { stolenLocks } from "./describe-exploration.ts";
import type { Rules } from "./describe-exploration.ts";
import { explore } from "./explore.ts";
import { scenarios } from "./scenarios.ts";
import * as faults from "./seeded-faults.ts";
import type { SeededFault } from "./seeded-faults.ts";
import { memoryStores } from "./stores.ts";

const KEPT: Rules = { locks: "kept" };

test.each<[name: string, fault: SeededFault, scenario: string, rules: Rules, invariant: string]>([
  ["guards no head, where siblings are stepped", faults.headUnguarded, "siblings: step left, step right", KEPT, "I4"],
  ["guards no head and no lock", faults.headUnguarded, "siblings: continue, continue", stolenLocks(1), "I4"],
  ["stores what it refuses", faults.refusedAndStored, "approval: yes, yes", stolenLocks(1), "I4"],
  ["guards no epoch", faults.epochUnguarded, "siblings: cancel, continue", KEPT, "I7"],
  ["takes a second answer", faults.answerReplaced, "approval: yes, no", KEPT, "I3"],
  ["takes a second answer inside of a subgraph", faults.answerReplaced, "subgraph: yes, no", KEPT, "I3"],
  ["loses a checkpoint", faults.checkpointLost, "approval: yes, no", KEPT, "I1"],
  ["loses a result", faults.resultLost, "siblings: continue, continue", KEPT, "I2"],
  ["changes a record that somebody else changed", faults.recordStale, "signal: signal, signal", KEPT, "I3"],
])("a store that %s is found", async (name, fault, scenarioName, rules, invariant) => {
  for (const scenario of scenarios(scenarioName)) {
    const explored = await explore(scenario, { ...rules, stores: memoryStores(fault) }, { first: true });
    expect(explored.violations.map((violation) => violation.invariant)).toContain(invariant);
    console.log(`A store that ${name} is found in schedule ${explored.schedules.length} of "${scenarioName}".`);

    const healthy = await explore(scenario, { ...rules, stores: memoryStores() }, { most: explored.schedules.length });
    expect(healthy.violations).toEqual([]);
  }
});
