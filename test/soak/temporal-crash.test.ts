import { describeKills } from "../temporal-bridge/crash/describe-kills.ts";

describeKills({ runs: 100, atOnce: 10, nodesBetweenKills: [10, 60], kills: 40, granularity: "node" });
describeKills({ runs: 100, atOnce: 10, nodesBetweenKills: [10, 60], kills: 30, granularity: "burst" });
