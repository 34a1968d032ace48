import { createHash } from "node:crypto";

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
