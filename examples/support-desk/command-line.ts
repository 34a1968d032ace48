/** What the command lines of the desks have in common: the model, who answers, and the `--` that npm wants. */
import { parseArgs } from "node:util";

export const MODELS = ["scripted", "local", "openai", "anthropic"] as const;
/** Who answers as the model. */
export type ModelName = (typeof MODELS)[number];

/** What every desk can be asked for. */
export interface CommonOptions {
  readonly help: boolean;
  readonly json: boolean;
  /** Nobody is asked: decisions.json decides. */
  readonly yes: boolean;
  readonly model: ModelName;
}

/** The part of `--help` that says so. */
export const COMMON_HELP = `  --model <name>     scripted   replies from a script, over HTTP (default)
                     local      SmolLM2-135M on this CPU (fetches 180 MB, once)
                     openai     needs OPENAI_API_KEY    (OPENAI_MODEL)
                     anthropic  needs ANTHROPIC_API_KEY (ANTHROPIC_MODEL)
  --yes              asks nobody: decisions.json answers
  --json             a line of JSON at the end, everything else to stderr
  --help             this text
`;

/** What is wrong with a command line, in words for who typed it. */
export class UsageError extends Error {}

/** The command a person typed. */
export interface CommandLine<Name extends string> {
  /** As it is typed, such as `npm start`. */
  readonly command: string;
  /** npm's name of the script. */
  readonly script: string;
  /** Options with a value, besides `--model`. */
  readonly values: readonly Name[];
  /** The arguments after the script's name. */
  readonly args: readonly string[];
  /** Where npm puts the options that it took for itself. */
  readonly env: NodeJS.ProcessEnv;
}

/** Reads the options of a desk. @throws UsageError */
export function readCommandLine<Name extends string>(
  line: CommandLine<Name>,
): CommonOptions & { readonly [name in Name]: string | undefined } {
  refuseTakenByNpm(line);
  const { model: name, yes, json, help, ...values } = parse(line);
  const model = MODELS.find((known) => known === name);
  if (model === undefined) throw new UsageError(`--model ${JSON.stringify(name)} is not one of ${MODELS.join(", ")}.`);
  return { ...(values as { [value in Name]: string | undefined }), help, json, yes, model };
}

/** An option as it is typed. npm says `true` for one without a value. */
export function optionText(name: string, value: string): string {
  if (value === "true") return `--${name}`;
  return `--${name} ${/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`}`;
}

/** Options come to nothing where the `--` after the script's name is forgotten. npm has a help of its own. */
function refuseTakenByNpm({ command, script, values, args, env }: CommandLine<string>): void {
  if (env["npm_lifecycle_event"] !== script) return;
  const taken = ["model", "yes", ...values, "json"].filter((name) => env[`npm_config_${name}`]);
  const forgotten = taken.filter((name) => !args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`)));
  if (forgotten.length === 0) return;
  const given = forgotten.map((name) => optionText(name, env[`npm_config_${name}`] ?? ""));
  throw new UsageError(
    `npm kept ${given.join(" ")} to itself: use \`${command} -- ${[...given, ...args].join(" ")}\`.`,
  );
}

function parse({ args, values }: CommandLine<string>) {
  const ofItsOwn = Object.fromEntries(values.map((name) => [name, { type: "string" as const }]));
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...ofItsOwn,
        model: { type: "string", default: "scripted" },
        yes: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
