import { Validator, toJsonSchema } from "@langchain/core/utils/json_schema";
import { isInteropZodSchema, isZodSchemaV4 } from "@langchain/core/utils/types";
import { z } from "zod";

/** A JSON schema (draft 2020-12), as it is stored with a question. */
export type AnswerSchema = Readonly<Record<string, unknown>>;

/**
 * The JSON schema of what a schema takes in, to go with a question: what has a default may be left out, unknown
 * fields are let through as zod does, and what JSON can't say (a Date, a transform) is left open.
 * @param schema zod of either major version; a JSON schema comes back as it is
 */
export function answerSchema(schema: unknown): AnswerSchema {
  if (!isInteropZodSchema(schema)) return schema as AnswerSchema;
  const json: unknown = isZodSchemaV4(schema)
    ? z.toJSONSchema(schema as z.core.$ZodType, { io: "input", unrepresentable: "any" })
    : toJsonSchema(schema);
  return JSON.parse(JSON.stringify(json)) as AnswerSchema; // LangChain would make another one of what zod hangs on it
}

/** Keywords whose errors only say that something further in is wrong. */
const OUTER_KEYWORDS = new Set(["$ref", "allOf", "anyOf", "items", "oneOf", "prefixItems", "properties"]);

/**
 * Checks an answer against the schema its question carries (`interrupt.response_schema`), as it would be stored.
 * @returns what is wrong, in one line such as `decisions: Array has too few items (1 < 2).`; undefined when it fits
 */
export function answerProblem(schema: AnswerSchema, answer: unknown): string | undefined {
  let stored: unknown;
  try {
    stored = JSON.parse(JSON.stringify(answer) ?? "null");
  } catch (error) {
    return `It can't be stored: ${error instanceof Error ? error.message : String(error)}.`;
  }
  let result: ReturnType<Validator["validate"]>;
  try {
    result = new Validator(schema, "2020-12", false).validate(stored);
  } catch (error) {
    return `It can't be checked, for its schema can't be used: ${error instanceof Error ? error.message : String(error)}`;
  }
  const { valid, errors } = result;
  if (valid) return undefined;
  const inner = errors.filter(({ keyword }) => !OUTER_KEYWORDS.has(keyword));
  const told = (inner.length > 0 ? inner : errors).reduce((left, right) =>
    weight(right) > weight(left) ? right : left,
  );
  const place = told.instanceLocation.replace(/^#\/?/, "").replaceAll("/", ".");
  const what = told.keyword === "false" ? "Nothing of that name is expected." : told.error;
  return place === "" ? what : `${place}: ${what}`;
}

/** The deeper the more telling; a constant that does not match is often only the sign of another variant. */
function weight({
  instanceLocation,
  keyword,
}: {
  readonly instanceLocation: string;
  readonly keyword: string;
}): number {
  return instanceLocation.split("/").length - (keyword === "const" ? 1.5 : 0);
}
