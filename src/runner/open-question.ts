import type { AnswerToCommit } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import { interruptKind, questionDueAt } from "../nodes/index.ts";
import type { StoredInterrupt } from "./pending-writes.ts";
import type { OpenInterrupt } from "./thread-state.ts";

/** A question that is open, and where its answer goes. */
export interface Question {
  readonly interrupt: OpenInterrupt;
  readonly task?: NonNullable<AnswerToCommit["task"]>;
}

/** A stored question, as callers see it. */
export function openInterrupt(id: string, node: string, { value, response_schema }: StoredInterrupt): OpenInterrupt {
  const kind = interruptKind(value);
  const dueAt = kind === "input" ? undefined : questionDueAt(value); // somebody else's `dueAt` is none of ours
  return {
    id,
    kind,
    node,
    value,
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(response_schema === undefined ? {} : { schema: response_schema }),
  } as OpenInterrupt; // the kind was read off the value
}

/** H7: what goes on without an answer is refused unless the caller says so. */
export function threadInterrupted(threadId: string, open: readonly Question[], hint: string): PerdureError {
  const ids = open.map(({ interrupt }) => interrupt.id).join(", ");
  return new PerdureError("THREAD_INTERRUPTED", `Thread "${threadId}" waits for ${ids}.`, { hint });
}
