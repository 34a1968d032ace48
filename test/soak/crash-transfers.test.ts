import {
  describeTransfersOnPglite,
  describeTransfersOnPostgres,
} from "../runner/crash/transfers/describe-transfers.ts";

describeTransfersOnPostgres({ transfers: 20_000, transfersBetweenKills: [20, 200], kills: 60 });
describeTransfersOnPglite({ transfers: 1_000, transfersBetweenKills: [10, 80], kills: 10 });
