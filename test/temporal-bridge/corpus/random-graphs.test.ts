import { seedOfThisRun } from "../../support/crash-random.ts";
import { describeTheSame } from "./describe-the-same.ts";
import { randomGraphs } from "./random-graphs.ts";

describeTheSame("random graphs are the same in process and on Temporal:", randomGraphs(seedOfThisRun(), 6));
