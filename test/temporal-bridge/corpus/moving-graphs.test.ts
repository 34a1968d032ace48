import { seedOfThisRun } from "../../support/crash-random.ts";
import { canMove } from "./can-move.ts";
import { describeTheSameMoving } from "./describe-the-same.ts";
import { questions } from "./questions.ts";
import { randomGraphs } from "./random-graphs.ts";

describeTheSameMoving("the same when handed over between a process and Temporal after each move:", [
  ...questions.filter(canMove).slice(1, 5),
  ...randomGraphs(seedOfThisRun() + 1, 4),
]);
