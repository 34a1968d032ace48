import { z } from "zod";
import { PerdureError } from "./perdure-error.ts";

/** Longest value that stands in a message, in characters. */
const SHOWN = 100;

/**
 * Checks what a function was given, at its door.
 * @param caller who was called, as it stands in the message
 * @returns what was given, with the schema's defaults
 * @throws PerdureError `OPTIONS_INVALID`, with the name of the first wrong option and its value
 */
export function parseOptions<S extends z.ZodType>(caller: string, schema: S, given: unknown): z.output<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path ?? [];
  const name = path.length === 0 ? "what it was given" : `\`${path.join(".")}\``;
  throw new PerdureError(
    "OPTIONS_INVALID",
    `${caller}: ${name} can't be ${show(valueAt(given, path))}: ${issue?.message ?? "invalid"}.`,
    { hint: `See the documentation of ${caller}.`, cause: parsed.error },
  );
}

/** A function, passed on as it is: zod's own schema for functions would wrap it. */
export const anyFunction = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === "function",
  "must be a function",
);

/** A value as it may stand in a message: short, and whatever it is. */
export function show(value: unknown): string {
  if (typeof value === "function") return value.name === "" ? "a function" : `function ${value.name}`;
  if (typeof value !== "object" && typeof value !== "string") return String(value);
  let text: string;
  try {
    text = JSON.stringify(value) ?? typeof value;
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 3)}...` : text;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}
