import { interruptId } from "../checkpoint/index.ts";
import type { Checkpointer } from "../checkpoint/index.ts";
import type { TaskWrites } from "./pending-writes.ts";

/**
 * Tasks whose question LangGraph stored alone, without our mark, and which was answered through a runner since: they
 * run, and what they ask next is marked. Shown as open it would take a second answer, meant for it, for the next one.
 */
export async function answeredWithoutMark(
  checkpointer: Checkpointer,
  threadId: string,
  writes: ReadonlyMap<string, TaskWrites>,
): Promise<ReadonlySet<string>> {
  const answered = new Set<string>();
  for (const [id, { interrupt, answers, finished }] of writes) {
    if (finished || interrupt === undefined || interrupt.perdure !== undefined || answers.length === 0) continue;
    const last = await checkpointer.readAnswer(threadId, interruptId(id, answers.length - 1));
    if (last !== undefined) answered.add(id);
  }
  return answered;
}
