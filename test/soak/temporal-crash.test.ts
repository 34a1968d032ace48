import { describeKills } from "../temporal-bridge/crash/describe-kills.ts";

describeKills({ runs: 100, atOnce: 10, nodesBetweenKills: [10, 60], kills: 20, granularity: "node" });
describeKills({ runs: 100, atOnce: 10, nodesBetweenKills: [10, 60], kills: 15, granularity: "burst" });
