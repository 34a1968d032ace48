/** All scenarios of the explorer, and further than in `npm test`. */
import { DEATHS, describeExploration, stolenLocks } from "../runner/explorer/describe-exploration.ts";
import { describeReruns } from "../runner/explorer/describe-reruns.ts";
import { SCENARIOS } from "../runner/explorer/scenarios.ts";

describeExploration("one of two may die", DEATHS, SCENARIOS);
describeExploration(
  "both may die, and take turns twice",
  { locks: "kept", switches: 2, faults: { deaths: 2 } },
  SCENARIOS,
);
describeExploration("both have the lock and take turns twice", stolenLocks(2), SCENARIOS);
describeExploration(
  "both have the lock and take turns once, and one may die",
  stolenLocks(1, { deaths: 1 }),
  SCENARIOS,
);
describeExploration(
  "a connection breaks, and they take turns once",
  { locks: "kept", switches: 1, faults: { errors: 1 } },
  SCENARIOS,
);
describeExploration(
  "a lock is lost, and they take turns twice",
  { locks: "kept", switches: 2, faults: { losses: 1 } },
  SCENARIOS,
);
describeReruns([
  { name: "with deaths", rules: DEATHS, scenarios: SCENARIOS, most: 60 },
  { name: "with stolen locks", rules: stolenLocks(1), scenarios: SCENARIOS, most: 60 },
]);
