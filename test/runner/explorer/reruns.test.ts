/** A few of the schedules that were explored in memory, on PGlite and Postgres; `npm run soak` runs many. */
import { DEATHS, stolenLocks } from "./describe-exploration.ts";
import { describeReruns } from "./describe-reruns.ts";
import { scenarios } from "./scenarios.ts";

describeReruns([
  {
    name: "with deaths",
    rules: DEATHS,
    scenarios: scenarios("siblings: step left, continue", "fork: fork, fork"),
    most: 6,
  },
  {
    name: "with stolen locks",
    rules: stolenLocks(1),
    scenarios: scenarios("approval: yes, no", "subgraph: yes, no"),
    most: 4,
  },
]);
