import { INTERRUPT, RESUME } from "@langchain/langgraph-checkpoint";
import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { isOutputChannel } from "./answers.ts";
import { idOfInterrupt } from "./interrupt-id.ts";
import type { InterruptWrite } from "./interrupt-id.ts";
import { ownInterrupt, storedInterrupts } from "./stored-interrupts.ts";
import type { ListedInterrupt } from "./thread-lists.ts";

/**
 * The questions that are open in a thread, by the newest checkpoints of its namespaces. What a subgraph asks is
 * stored there; the task of the root that it belongs to only repeats it.
 */
export function openInterruptsOf(threadId: string, tuples: readonly CheckpointTuple[]): ListedInterrupt[] {
  const head = tuples.find((tuple) => namespaceOf(tuple) === "");
  const found = new Map<string, ListedInterrupt>();
  for (const tuple of tuples.toSorted((one, other) => namespaceOf(other).length - namespaceOf(one).length)) {
    // Older than the head: of a superstep that is past.
    if (head !== undefined && tuple.checkpoint.id < head.checkpoint.id) continue;
    for (const [taskId, channel, value] of tuple.pendingWrites ?? []) {
      const write = channel === INTERRUPT ? ownInterrupt<InterruptWrite>(value) : undefined;
      if (write === undefined || write.perdure?.nested === true || !isOpen(tuple, taskId, write)) continue;
      const id = idOfInterrupt(taskId, write);
      if (storedInterrupts<InterruptWrite>(value).some((one) => found.has(idOfInterrupt(taskId, one)))) continue;
      found.set(id, {
        id,
        threadId,
        checkpointNs: namespaceOf(tuple),
        taskId,
        value: write.value,
        askedAt: tuple.checkpoint.ts,
      });
    }
  }
  return [...found.values()];
}

function isOpen(tuple: CheckpointTuple, taskId: string, { perdure }: InterruptWrite): boolean {
  const own = (tuple.pendingWrites ?? []).filter(([task]) => task === taskId);
  if (own.some(([, channel]) => isOutputChannel(channel))) return false;
  const answers = own.find(([, channel]) => channel === RESUME)?.[2];
  return perdure?.answers === undefined || !Array.isArray(answers) || answers.length <= perdure.answers;
}

function namespaceOf(tuple: CheckpointTuple): string {
  return String(tuple.config.configurable?.["checkpoint_ns"] ?? "");
}
