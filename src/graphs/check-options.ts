import { z } from "zod";

import { PerdureError } from "../errors/index.ts";

/**
 * Checks a builder's options at the door and returns them with the schema's defaults filled in.
 *
 * @throws {PerdureError} `OPTIONS_INVALID`, naming the option and the value.
 */
export function checkOptions<Schema extends z.ZodType>(
  builder: string,
  schema: Schema,
  options: unknown,
): z.output<Schema> {
  const checked = schema.safeParse(options);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const path = issue?.path ?? [];
  const value = path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), options);
  const option = path.length === 0 ? "its options" : `option \`${path.join(".")}\``;
  throw new PerdureError(
    "OPTIONS_INVALID",
    `${builder}: ${option} can't be ${show(value)}: ${issue?.message ?? "invalid"}.`,
    {
      hint: `See the documentation of ${builder}.`,
      cause: checked.error,
    },
  );
}

/** A function, passed on as it is: zod's own schema for functions would wrap it. */
export const anyFunction = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === "function",
  "must be a function",
);

/** A value as it may stand in a message: short, and whatever it is. */
export function show(value: unknown): string {
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > 120 ? `${text.slice(0, 117)}...` : text;
  } catch {
    return String(value);
  }
}

function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null;
}
