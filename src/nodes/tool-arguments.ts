import { interopSafeParseAsync, isInteropZodSchema } from "@langchain/core/utils/types";
import type { InteropZodType } from "@langchain/core/utils/types";
import { answerProblem } from "./answer.ts";
import type { AnswerSchema } from "./answer.ts";
import { describeZodError } from "./zod-problem.ts";

/**
 * What is wrong with a tool call's arguments: which one, and why; undefined when they fit.
 * @param schema the tool's: zod of either major version, or a JSON schema
 */
export async function argumentsProblem(schema: unknown, args: unknown): Promise<string | undefined> {
  if (isInteropZodSchema(schema)) {
    const parsed = await interopSafeParseAsync(schema as InteropZodType, args);
    return parsed.success ? undefined : describeZodError(parsed.error);
  }
  if (typeof schema !== "object" || schema === null) return undefined;
  return answerProblem(schema as AnswerSchema, args);
}
