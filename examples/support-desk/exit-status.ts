import type { CommonOptions } from "./command-line.ts";
import { UsageError } from "./command-line.ts";
import { Stopped } from "./shift.ts";
import { UnusablePlace } from "./sql.ts";

/**
 * Runs a desk as a command.
 * @returns the exit status: 0 when all held, 1 when it did not, 2 for a command line that makes no sense or a place that can't be used
 */
export async function exitStatus<Options extends CommonOptions>(command: {
  readonly read: () => Options;
  readonly help: string;
  /** @returns whether all held */
  readonly run: (options: Options) => Promise<boolean>;
}): Promise<number> {
  try {
    const options = command.read();
    if (options.help) {
      console.log(command.help);
      return 0;
    }
    if (!options.yes && !process.stdin.isTTY) throw new UsageError("There is no terminal to ask at: use --yes.");
    return (await command.run(options)) ? 0 : 1;
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
