/** The command line of `npm start`. */
import { COMMON_HELP, UsageError, optionText, readCommandLine } from "./command-line.ts";
import type { CommonOptions } from "./command-line.ts";

/** What was asked for on the command line. */
export interface DeskOptions extends CommonOptions {
  /** A Postgres server; undefined for PGlite in `dataDirectory`. */
  readonly database: string | undefined;
  /** Kept between runs; undefined for one that each run makes anew. */
  readonly dataDirectory: string | undefined;
}

export const HELP = `npm start -- [options]

A support desk: agents answer customers and refund orders, a person approves
each refund, one process is killed on the way, and the work goes on.

  --database <url>   postgres://… instead of PGlite on disk
  --data <folder>    keeps PGlite's files there; a run that was cut off goes on
${COMMON_HELP}`;

/**
 * Reads the arguments after the script's name. `env` is where npm puts those that it took for itself.
 * @throws UsageError
 */
export function readDeskOptions(args: readonly string[], env: NodeJS.ProcessEnv = {}): DeskOptions {
  const values = ["database", "data"] as const;
  const line = readCommandLine({ command: "npm start", script: "start", values, args, env });
  const { data: dataDirectory, ...options } = line;
  if (options.database !== undefined && !isPostgresUrl(options.database)) {
    throw new UsageError("--database takes a URL such as postgres://user:password@host:5432/database.");
  }
  if (dataDirectory === "") throw new UsageError("--data takes a folder.");
  if (options.database !== undefined && dataDirectory !== undefined) {
    throw new UsageError("--data and --database exclude each other: a database on a server has no folder.");
  }
  return { ...options, dataDirectory };
}

/** The command that runs the desk again, on what it left in `dataDirectory`. */
export function commandToGoOn({ model, yes, json }: DeskOptions, dataDirectory: string): string {
  const options = [
    ...(model === "scripted" ? [] : [optionText("model", model)]),
    ...(yes ? ["--yes"] : []),
    ...(json ? ["--json"] : []),
    optionText("data", dataDirectory),
  ];
  return `npm start -- ${options.join(" ")}`;
}

function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol);
}
