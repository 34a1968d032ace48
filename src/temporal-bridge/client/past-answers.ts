import { openInterruptsOf } from "../../checkpoint/index.ts";
import type { Checkpointer } from "../../checkpoint/index.ts";
import { PerdureError } from "../../errors/index.ts";
import type { RunStatus } from "../../executor/index.ts";
import type { Answers } from "../../runner/index.ts";
import { textOf } from "../shared/same-value.ts";

/**
 * Answers without those that were given before just so, wherever the thread was driven then: they change nothing.
 * @param checkpointer the workers'; without one nothing is known of the past
 * @throws INTERRUPT_ALREADY_ANSWERED
 */
export async function withoutGivenBefore(
  id: string,
  answers: Answers,
  checkpointer: Checkpointer | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const fresh: Record<string, unknown> = {};
  for (const [interruptId, answer] of Object.entries(answers)) {
    const recorded = await checkpointer?.readAnswer(id, interruptId);
    if (recorded === undefined) fresh[interruptId] = answer;
    else if (textOf(recorded.answer) !== textOf(answer)) {
      throw new PerdureError(
        "INTERRUPT_ALREADY_ANSWERED",
        `Interrupt "${interruptId}" of run "${id}" was answered before, and differently.`,
        { hint: "The first answer stands. Nothing was changed." },
      );
    }
  }
  return fresh;
}

/** Whether the thread asks all that is answered, by the checkpointer. */
export async function areAsked(
  id: string,
  answers: Readonly<Record<string, unknown>>,
  checkpointer: Checkpointer | undefined,
): Promise<boolean> {
  if (checkpointer === undefined) return false;
  const open = openInterruptsOf(id, await checkpointer.newestBelow(id, [""]));
  return Object.keys(answers).every((interruptId) => open.some((interrupt) => interrupt.id === interruptId));
}

/** Nobody takes an answer for a run that is over, though its thread may ask still. */
export function runIsOver(id: string, status: RunStatus): PerdureError {
  const hint =
    status === "done"
      ? "It was never asked, or the run ended without it. Look at executor.query."
      : "Where the thread asks still, answer by the runner that drives it now, or execute the run again without an input.";
  return new PerdureError("INTERRUPT_NOT_OPEN", `Run "${id}" is over (${status}), and waits for no answer.`, { hint });
}
