import { describeSharedFanOuts } from "../runner/crash/shared-fan-out/describe-shared-fan-outs.ts";

describeSharedFanOuts({ threads: 400, atOnce: 6, eventsBetweenKills: [10, 90], kills: 200 });
