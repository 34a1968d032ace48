/** `npm run demo:temporal`: the support desk of `npm start` on Temporal. A worker is killed, and then the server. See README.md. */
import { COMMON_HELP, readCommandLine } from "../support-desk/command-line.ts";
import { exitStatus } from "../support-desk/exit-status.ts";

const HELP = `npm run demo:temporal -- [options]

The support desk of \`npm start\` on Temporal and Postgres, which it brings along: a worker
is killed on the way, then the Temporal server, and the work goes on. A refund that nobody
decides about in time goes to the team lead.

${COMMON_HELP}`;

process.exitCode = await exitStatus({
  read: () =>
    readCommandLine({
      command: "npm run demo:temporal",
      script: "demo:temporal",
      values: [],
      args: process.argv.slice(2),
      env: process.env,
    }),
  help: HELP,
  // Temporal takes a while to load, and a wrong option should not.
  run: async (options) => (await import("./run-temporal-desk.ts")).runTemporalDesk(options),
});
