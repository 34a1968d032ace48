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
  const told = errors.reduce((left, right) => (weight(right) > weight(left) ? right : left));
  const place = told.instanceLocation.replace(/^#\/?/, "").replaceAll("/", ".");
  return place === "" ? told.error : `${place}: ${told.error}`;
}

/** The deeper the more telling; a constant that does not match is often only the sign of another variant. */
function weight({
  instanceLocation,
  keyword,
}: {
  readonly instanceLocation: string;
  readonly keyword: string;
}): number {
  return instanceLocation.split("/").length + (keyword === "const" ? 0 : 0.5);
}
