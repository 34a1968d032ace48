import { describeSharedFanOuts } from "./describe-shared-fan-outs.ts";

describeSharedFanOuts({ threads: 12, atOnce: 4, eventsBetweenKills: [15, 75], kills: 6 });
