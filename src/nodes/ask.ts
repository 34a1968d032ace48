import { createHash } from "node:crypto";
import { interrupt, isGraphInterrupt } from "@langchain/langgraph";
import { z } from "zod";
import type { AnswerSchema } from "./answer.ts";
import { recordedOnce } from "./once.ts";
import { isDueAnswer } from "./question.ts";
import type { DueAnswer } from "./question.ts";
import { clockOf, currentConfig, scratchpadOf } from "./running-task.ts";

/** Milliseconds from now, so that the date they lead to is one: Date ends after 8.64e15. */
export const Duration = z.number().min(0).max(4.32e15);

/** What reading an answer gives: what it means, or what is wrong with it. */
export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** What an asked question ends with. */
export type Outcome<T> =
  | { readonly due: false; readonly value: T }
  | { readonly due: true; readonly answer: DueAnswer };

/**
 * Asks, and asks again with `problem` in the question for as long as the answer can't be read. A runner
 * refuses such an answer before it is stored; plain LangGraph stores it, and without this the thread
 * would fail on it for ever.
 * @throws PerdureError `OUTSIDE_GRAPH`, naming `caller`
 */
export function ask<T>(
  caller: string,
  question: object,
  schema: AnswerSchema | undefined,
  read: (answer: unknown) => Reading<T>,
): Outcome<T> {
  currentConfig(caller);
  const options = schema === undefined ? {} : { responseSchema: schema };
  let asked = question;
  for (;;) {
    const answer: unknown = interrupt(asked, options);
    if (isDueAnswer(answer) && "dueAt" in question) return { due: true, answer };
    const reading = read(answer);
    if (reading.ok) return { due: false, value: reading.value };
    asked = { ...question, problem: reading.problem };
  }
}

/**
 * As {@link ask}, about something that must still be what was asked about when the answer comes: a node runs again to
 * get its answer, and by then what it asks may have changed, or the order of its questions. An answer to
 * something else is not taken: it is asked anew.
 */
export async function askAbout<T>(
  caller: string,
  subject: unknown,
  question: object,
  schema: AnswerSchema,
  read: (answer: unknown) => Reading<T>,
): Promise<Outcome<T>> {
  const config = currentConfig(caller);
  const now = fingerprint(subject);
  const asked = () => {
    const position = scratchpadOf(config)?.interruptCounter ?? -1;
    return recordedOnce(config, `asked(${position})`, `asked ${position}`, () => now);
  };
  for (let problem: string | undefined; ;) {
    let answer: unknown;
    try {
      answer = interrupt(problem === undefined ? question : { ...question, problem }, { responseSchema: schema });
    } catch (stop) {
      if (isGraphInterrupt(stop)) await asked();
      throw stop;
    }
    const isSame = (await asked()) === now;
    if (isDueAnswer(answer) && "dueAt" in question) return { due: true, answer };
    const reading = read(answer);
    if (isSame && reading.ok) return { due: false, value: reading.value };
    problem = reading.ok ? "What there is to decide has changed since it was asked." : reading.problem;
  }
}

/** One text for one value, whatever the order of its keys. */
function fingerprint(value: unknown): string {
  const sorted = (_key: string, part: unknown): unknown =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part;
  return createHash("sha256")
    .update(JSON.stringify(value, sorted) ?? "")
    .digest("base64url");
}

/**
 * When the node's next question is due, as an ISO date: counted from the first time it is asked, however often the
 * node runs again.
 */
export async function dueIn(caller: string, expiresInMs: number): Promise<string> {
  const config = currentConfig(caller);
  const question = (scratchpadOf(config)?.interruptCounter ?? -1) + 1;
  return recordedOnce(config, `due(${question})`, `due ${question}`, () =>
    new Date(clockOf(config) + expiresInMs).toISOString(),
  );
}
