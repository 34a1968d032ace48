import { describeKills } from "./describe-kills.ts";

describeKills({ runs: 10, atOnce: 10, nodesBetweenKills: [8, 30], kills: 2, granularity: "node" });
