/** `npm start`: a support desk that is killed in the middle of its work, and goes on. See README.md. */
import { HELP, UsageError, readDeskOptions } from "./desk-options.ts";
import { runDesk } from "./run-desk.ts";
import { Stopped } from "./shift.ts";
import { UnusablePlace } from "./sql.ts";

/** @returns the exit status: 0 when all held, 1 when it did not, 2 for a command line that makes no sense or a database that can't be used */
async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readDeskOptions(args, process.env);
    if (options.help) {
      console.log(HELP);
      return 0;
    }
    if (!options.yes && !process.stdin.isTTY) throw new UsageError("There is no terminal to ask at: use --yes.");
    return (await runDesk(options)) ? 0 : 1;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nSee --help.`);
      return 2;
    }
    if (error instanceof UnusablePlace) {
      console.error(error.message);
      return 2;
    }
    console.error(error instanceof Stopped ? error.message : error);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
