/** `npm start`: a support desk that is killed in the middle of its work, and goes on. See README.md. */
import { HELP, readDeskOptions } from "./desk-options.ts";
import { exitStatus } from "./exit-status.ts";
import { runDesk } from "./run-desk.ts";

process.exitCode = await exitStatus({
  read: () => readDeskOptions(process.argv.slice(2), process.env),
  help: HELP,
  run: runDesk,
});
