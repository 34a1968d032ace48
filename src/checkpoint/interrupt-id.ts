import { createHash } from "node:crypto";

/**
 * The id of a question: the same over restarts, another one for each question (H4). A task's id already
 * stands for its checkpoint and namespace. It has the form of LangGraph's own ids (32 hex digits), so its
 * clients send it back as they would theirs.
 */
export function interruptId(taskId: string, answersBefore: number): string {
  return createHash("sha256").update(`${taskId}:${answersBefore}`).digest("hex").slice(0, 32);
}

/** An interrupt as it is stored: LangGraph's, with the mark of a runner if one drove the thread. */
export interface InterruptWrite {
  readonly id?: string;
  readonly value?: unknown;
  readonly perdure?: { readonly answers?: number; readonly nested?: boolean };
}

/** The id under which a stored interrupt is answered. */
export function idOfInterrupt(taskId: string, { id, perdure }: InterruptWrite): string {
  return perdure?.answers === undefined ? (id ?? taskId) : interruptId(taskId, perdure.answers);
}
