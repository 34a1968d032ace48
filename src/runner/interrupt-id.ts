import { createHash } from "node:crypto";

/**
 * The id of a question: the same over restarts, another one for each question (H4). A task's id
 * already stands for its checkpoint and namespace. It has the form of LangGraph's own ids (32 hex
 * digits), so its clients send it back as they would theirs.
 */
export function interruptId(taskId: string, answersBefore: number): string {
  return digest(`${taskId}:${answersBefore}`);
}

/** The id of the breakpoint at a checkpoint: one, however many nodes stop there. */
export function breakpointId(checkpointId: string): string {
  return digest(`${checkpointId}:breakpoint`);
}

/** The id of a breakpoint inside a task: one, however many subgraphs of it stop; another one for the next stop. */
export function breakpointInsideId(taskId: string, checkpointIds: readonly string[]): string {
  return digest(`${taskId}:${checkpointIds.toSorted().join()}:breakpoint`);
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
