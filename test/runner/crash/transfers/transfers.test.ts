import { describeTransfersOnPglite, describeTransfersOnPostgres } from "./describe-transfers.ts";

describeTransfersOnPostgres({ transfers: 1_000, transfersBetweenKills: [80, 250], kills: 4 });
describeTransfersOnPglite({ transfers: 200, transfersBetweenKills: [30, 80], kills: 2 });
