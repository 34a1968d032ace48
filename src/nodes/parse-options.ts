import type { z } from "zod";
import { PerdureError } from "../errors/index.ts";

/**
 * Checks a function's options at its door.
 * @returns the options with the schema's defaults
 * @throws PerdureError `OPTIONS_INVALID`, with the name of the first wrong option and its value
 */
export function parseOptions<S extends z.ZodType>(caller: string, schema: S, options: unknown): z.output<S> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path ?? [];
  const name = path.length === 0 ? "the options" : `\`${path.join(".")}\``;
  throw new PerdureError(
    "OPTIONS_INVALID",
    `${caller}: ${name} can't be ${show(valueAt(options, path))}: ${issue?.message}.`,
    {
      hint: `Correct ${name}.`,
      cause: parsed.error,
    },
  );
}

/** A value, short enough for a message. */
export function show(value: unknown): string {
  if (typeof value === "function") return value.name === "" ? "a function" : `function ${value.name}`;
  if (typeof value === "bigint" || typeof value === "symbol" || value === undefined) return String(value);
  if (typeof value === "number") return String(value);
  let text: string;
  try {
    text = JSON.stringify(value) ?? typeof value;
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}
