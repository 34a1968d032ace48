import { seedOfThisRun } from "../support/crash-random.ts";
import { corpus } from "../temporal-bridge/corpus/corpus.ts";
import { describeTheSameMoving } from "../temporal-bridge/corpus/describe-the-same.ts";
import { randomGraphs } from "../temporal-bridge/corpus/random-graphs.ts";
import { canMove } from "../temporal-bridge/corpus/can-move.ts";

describeTheSameMoving("the same when handed over after each move:", [
  ...corpus.filter(canMove),
  ...randomGraphs(seedOfThisRun(), 60),
]);
