import { PerdureError } from "../errors/index.ts";

/** What a call on a closed checkpointer throws. */
export function checkpointerClosed(description: string): PerdureError {
  return new PerdureError("CHECKPOINTER_CLOSED", `the checkpointer ${description} was closed.`, {
    hint: "Close it when the last run has ended, or open another one.",
  });
}
