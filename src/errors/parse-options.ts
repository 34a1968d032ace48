import { z } from "zod";
import { PerdureError } from "./perdure-error.ts";

const INVALID_DATE = "an invalid Date";

/** Longest value that stands in a message, in characters. */
const SHOWN = 100;

/** How {@link parseOptions} tells what is wrong. */
export interface ParseRules {
  /**
   * Names of options, at any depth, that may hold secrets: of their values a message says only what kind they are.
   * @default none
   */
  readonly secret?: readonly string[] | undefined;
}

/**
 * Checks what a function was given, at its door.
 * @param caller who was called, as it stands in the message
 * @returns what was given, with the schema's defaults
 * @throws PerdureError `OPTIONS_INVALID`, with the name of the first wrong option and its value; of an option that
 *   there is not only the name, since its value may be anything
 */
export function parseOptions<S extends z.ZodType>(
  caller: string,
  schema: S,
  given: unknown,
  { secret = [] }: ParseRules = {},
): z.output<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path ?? [];
  const name = path.length === 0 ? "what it was given" : `\`${path.join(".")}\``;
  const value = valueAt(given, path);
  const shown = path.some((key) => secret.includes(String(key))) ? kindOf(value) : show(value, secret);
  const wrong = issue?.code === "unrecognized_keys" ? name : `${name} can't be ${shown}`;
  throw new PerdureError("OPTIONS_INVALID", `${caller}: ${wrong}: ${issue?.message ?? "invalid"}.`, {
    hint: `See the documentation of ${caller}.`,
    cause: parsed.error,
  });
}

/** A function, passed on as it is: zod's own schema for functions would wrap it. */
export const anyFunction = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === "function",
  "must be a function",
);

/**
 * A value as it may stand in a message: short, and whatever it is.
 * @param secret Names of properties of whose values only the kind is shown.
 */
export function show(value: unknown, secret: readonly string[] = []): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name === "" ? "a function" : `function ${value.name}`;
  if (typeof value !== "object" && typeof value !== "string") return String(value);
  if (isInvalidDate(value)) return INVALID_DATE;
  let text: string;
  try {
    text =
      JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, key: string, item: unknown) {
        if (secret.includes(key)) return kindOf(item);
        // As JSON it would be null.
        if (isInvalidDate(this[key])) return INVALID_DATE;
        return typeof item === "bigint" ? `${item}n` : item;
      }) ?? typeof value;
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 3)}...` : text;
}

function isInvalidDate(value: unknown): boolean {
  return value instanceof Date && Number.isNaN(value.getTime());
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const kind = Array.isArray(value) ? "array" : typeof value;
  return /^[aeiou]/u.test(kind) ? `an ${kind}` : `a ${kind}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}
