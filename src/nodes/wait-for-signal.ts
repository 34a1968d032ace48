import { interopSafeParse, isInteropZodSchema } from "@langchain/core/utils/types";
import type { InferInteropZodOutput, InteropZodType } from "@langchain/core/utils/types";
import { z } from "zod";
import { parseOptions, PerdureError } from "../errors/index.ts";
import { answerSchema } from "./answer.ts";
import { Duration, ask, dueIn } from "./ask.ts";
import type { SignalQuestion } from "./question.ts";
import { describeZodError } from "./zod-problem.ts";

/** How long {@link waitForSignal} waits. */
export interface SignalOptions {
  /** How long to wait, from the first call. @default for ever */
  readonly expiresInMs?: number;
  /** What a wait without a signal ends with: an error, or `undefined`. @default "throw" */
  readonly onExpiry?: "throw" | "undefined";
}

const Options = z.object({
  name: z.string().min(1),
  expiresInMs: Duration.optional(),
  onExpiry: z.enum(["throw", "undefined"]).default("throw"),
});

/**
 * Waits for a signal of this name, sent by `runner.signal`, also when it was sent before. The thread stops at
 * an interrupt of kind `signal`.
 * @param schema a zod schema of the payload; one that does not fit is not taken, and the wait goes on
 * @returns the payload, as the schema parses it
 * @throws PerdureError `SIGNAL_EXPIRED` when none came in time, `OPTIONS_INVALID`, `OUTSIDE_GRAPH`
 *
 * @example
 * const { tracking } = await waitForSignal("shipped", z.object({ tracking: z.string() }));
 */
export function waitForSignal<Schema extends InteropZodType>(
  name: string,
  schema: Schema,
  options: SignalOptions & { readonly onExpiry: "undefined" },
): Promise<InferInteropZodOutput<Schema> | undefined>;
export function waitForSignal<Schema extends InteropZodType>(
  name: string,
  schema: Schema,
  options?: SignalOptions & { readonly onExpiry?: "throw" },
): Promise<InferInteropZodOutput<Schema>>;
export async function waitForSignal(
  name: string,
  schema: InteropZodType,
  options: SignalOptions = {},
): Promise<unknown> {
  parseOptions("waitForSignal", z.object({ schema: z.custom(isInteropZodSchema, "a zod schema is needed") }), {
    schema,
  });
  const { expiresInMs, onExpiry } = parseOptions("waitForSignal", Options, { ...options, name });
  const question: SignalQuestion = {
    kind: "signal",
    name,
    ...(expiresInMs === undefined ? {} : { dueAt: await dueIn("waitForSignal", expiresInMs) }),
  };
  const outcome = ask("waitForSignal", question, answerSchema(schema), (answer) => {
    const parsed = interopSafeParse(schema, answer);
    return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problem: describeZodError(parsed.error) };
  });
  if (!outcome.due) return outcome.value;
  if (onExpiry === "undefined") return undefined;
  throw new PerdureError("SIGNAL_EXPIRED", `No signal "${name}" came until ${question.dueAt}.`, {
    hint: 'Send it earlier, wait longer with expiresInMs, or handle its absence with onExpiry: "undefined".',
  });
}
