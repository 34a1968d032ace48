import { describeKills } from "./describe-kills.ts";

describeKills({ runs: 10, atOnce: 10, nodesBetweenKills: [15, 45], kills: 3, granularity: "node" });
