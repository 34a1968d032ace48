import { corpus } from "./corpus.ts";
import { describeTheSame } from "./describe-the-same.ts";

describeTheSame("the same values, checkpoints, questions and side effects in process and on Temporal:", corpus);
