import { describeKills } from "./describe-kills.ts";

describeKills({ runs: 10, atOnce: 10, nodesBetweenKills: [8, 30], kills: 2, granularity: "node" });
describeKills({ runs: 4, atOnce: 4, nodesBetweenKills: [14, 40], kills: 1, granularity: "burst", localStart: true });
