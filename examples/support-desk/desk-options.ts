/** The command line of `npm start`. */
import { parseArgs } from "node:util";

export const MODELS = ["scripted", "local", "openai", "anthropic"] as const;
/** Who answers as the model. */
export type ModelName = (typeof MODELS)[number];

/** What was asked for on the command line. */
export interface DeskOptions {
  readonly help: boolean;
  readonly json: boolean;
  /** Nobody is asked: decisions.json decides. */
  readonly yes: boolean;
  readonly model: ModelName;
  /** A Postgres server; undefined for PGlite in `dataDirectory`. */
  readonly database: string | undefined;
  /** Kept between runs; undefined for one that each run makes anew. */
  readonly dataDirectory: string | undefined;
}

export const HELP = `npm start -- [options]

A support desk: agents answer customers and refund orders, a person approves
each refund, one process is killed on the way, and the work goes on.

  --model <name>     scripted   replies from a script, over HTTP (default)
                     local      SmolLM2-135M on this CPU (fetches 180 MB, once)
                     openai     needs OPENAI_API_KEY    (OPENAI_MODEL)
                     anthropic  needs ANTHROPIC_API_KEY (ANTHROPIC_MODEL)
  --yes              asks nobody: decisions.json answers
  --database <url>   postgres://… instead of PGlite on disk
  --data <folder>    keeps PGlite's files there; a run that was cut off goes on
  --json             a line of JSON at the end, everything else to stderr
  --help             this text
`;

/** The options that come to nothing where the `--` after `npm start` is forgotten; npm has a help of its own. */
const TAKEN_BY_NPM = ["model", "yes", "database", "data", "json"] as const;

/** What is wrong with a command line, in words for who typed it. */
export class UsageError extends Error {}

/**
 * Reads the arguments after the script's name. `env` is where npm puts those that it took for itself.
 * @throws UsageError
 */
export function readDeskOptions(args: readonly string[], env: NodeJS.ProcessEnv = {}): DeskOptions {
  const taken = env["npm_lifecycle_event"] === "start" ? TAKEN_BY_NPM.filter((name) => env[`npm_config_${name}`]) : [];
  const forgotten = taken.filter((name) => !args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`)));
  if (forgotten.length > 0) {
    const given = forgotten.map((name) => optionText(name, env[`npm_config_${name}`] ?? ""));
    throw new UsageError(
      `npm kept ${given.join(" ")} to itself: use \`npm start -- ${[...given, ...args].join(" ")}\`.`,
    );
  }
  const values = parse(args);
  const model = MODELS.find((name) => name === values.model);
  if (model === undefined) {
    throw new UsageError(`--model ${JSON.stringify(values.model)} is not one of ${MODELS.join(", ")}.`);
  }
  if (values.database !== undefined && !isPostgresUrl(values.database)) {
    throw new UsageError("--database takes a URL such as postgres://user:password@host:5432/database.");
  }
  if (values.data === "") throw new UsageError("--data takes a folder.");
  if (values.database !== undefined && values.data !== undefined) {
    throw new UsageError("--data and --database exclude each other: a database on a server has no folder.");
  }
  const { help, json, yes, database, data: dataDirectory } = values;
  return { help, json, yes, model, database, dataDirectory };
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

/** An option as it is typed. npm says `true` for one without a value. */
function optionText(name: string, value: string): string {
  if (value === "true") return `--${name}`;
  return `--${name} ${/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`}`;
}

function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        model: { type: "string", default: "scripted" },
        database: { type: "string" },
        data: { type: "string" },
        yes: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
