/**
 * Two clients at one thread in memory, in every order of their calls to the store. The small scenarios; `npm run soak`
 * explores all of them, and more.
 */
import { DEATHS, describeExploration, stolenLocks } from "./describe-exploration.ts";
import { scenarios } from "./scenarios.ts";

describeExploration(
  "one of two may die",
  DEATHS,
  scenarios(
    "siblings: step left, step right",
    "siblings: step left, continue",
    "siblings: cancel, step left",
    "approval: yes, no",
    "fork: fork, continue",
    "fork: fork, fork",
    "update: update, continue",
  ),
);

describeExploration(
  "both have the lock, and take turns twice",
  stolenLocks(2),
  scenarios("siblings: step left, step right", "approval: yes, no", "fork: fork, fork"),
);

describeExploration(
  "both have the lock, and one may die",
  stolenLocks(1, { deaths: 1 }),
  scenarios("approval: yes, cancel", "subgraph: yes, no"),
);
