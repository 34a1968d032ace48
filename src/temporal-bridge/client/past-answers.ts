import type { Checkpointer } from "../../checkpoint/index.ts";
import { PerdureError } from "../../errors/index.ts";
import type { Answers } from "../../runner/index.ts";
import { textOf } from "../shared/same-value.ts";

/**
 * Judges answers to a run that is over: the same as were given then change nothing.
 * @throws INTERRUPT_NOT_OPEN, INTERRUPT_ALREADY_ANSWERED
 */
export async function answersToPastRun(
  id: string,
  answers: Answers,
  checkpointer: Checkpointer | undefined,
): Promise<void> {
  for (const [interruptId, answer] of Object.entries(answers)) {
    const recorded = await checkpointer?.readAnswer(id, interruptId);
    if (recorded === undefined) {
      throw new PerdureError("INTERRUPT_NOT_OPEN", `Run "${id}" is over, and waits for no answer.`, {
        hint: "It was never asked, or the run ended without it. Look at executor.query.",
      });
    }
    if (textOf(recorded.answer) !== textOf(answer)) {
      throw new PerdureError(
        "INTERRUPT_ALREADY_ANSWERED",
        `Interrupt "${interruptId}" of run "${id}" was answered before, and differently.`,
        { hint: "The first answer stands. Nothing was changed." },
      );
    }
  }
}
