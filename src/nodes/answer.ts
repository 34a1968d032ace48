import { Validator } from "@langchain/core/utils/json_schema";

/** A JSON schema (draft 2020-12), as it is stored with a question. */
export type AnswerSchema = Readonly<Record<string, unknown>>;

/**
 * Checks an answer against the schema its question carries (`interrupt.response_schema`).
 * @returns what is wrong, in one line such as `decisions: Array has too few items`; undefined when it fits
 */
export function answerProblem(schema: AnswerSchema, answer: unknown): string | undefined {
  const { valid, errors } = new Validator(schema, "2020-12", false).validate(answer);
  if (valid) return undefined;
  const deepest = errors.reduce((left, right) => (depth(right) > depth(left) ? right : left));
  const place = deepest.instanceLocation.replace(/^#\/?/, "").replaceAll("/", ".");
  return place === "" ? deepest.error : `${place}: ${deepest.error}`;
}

function depth(error: { readonly instanceLocation: string }): number {
  return error.instanceLocation.split("/").length;
}
