/**
 * Two clients at one thread in memory, in every order of their calls to the store. Small scenarios; `npm run soak`
 * explores all of them, and further.
 */
import { DEATHS, describeExploration, stolenLocks } from "./describe-exploration.ts";
import { scenarios } from "./scenarios.ts";

describeExploration(
  "one of two may die",
  DEATHS,
  scenarios("siblings: step left, continue", "approval: yes, no", "fork: fork, continue", "fork: fork, fork"),
);

describeExploration(
  "both have the lock and take turns once, and one may die",
  stolenLocks(1, { deaths: 1 }),
  scenarios("siblings: step left, step right", "approval: yes, cancel"),
);

describeExploration(
  "both have the lock and take turns once",
  stolenLocks(1),
  scenarios("subgraph: yes, no", "approval: yes, supersede", "two approvals: left, right"),
);
