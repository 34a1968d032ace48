import { seedOfThisRun } from "../support/crash-random.ts";
import { describeTheSame } from "../temporal-bridge/corpus/describe-the-same.ts";
import { randomGraphs } from "../temporal-bridge/corpus/random-graphs.ts";

describeTheSame("random graphs are the same in process and on Temporal:", randomGraphs(seedOfThisRun(), 150));
