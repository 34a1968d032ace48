import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { CheckpointView } from "./engine.ts";
import type { ThreadView } from "./thread-view.ts";

/** Of so many threads; who steps through more at the same time looks at each head twice. */
const THREADS_KEPT = 1_000;

/**
 * The tasks of heads that calls of this process left behind, for the call that goes on from there: a checkpoint never changes,
 * and neither does the graph. What is stored since, beside it, is not taken from here.
 */
export class KnownTasks {
  readonly #byThread = new Map<string, { readonly checkpointId: string; readonly tasks: CheckpointView["tasks"] }>();

  /** Notes what a call has seen. */
  note({ threadId, checkpointId, writes, tasks, missing }: ThreadView): void {
    this.#byThread.delete(threadId);
    if (tasks.length === 0 || writes.size > 0 || missing.length > 0) return;
    this.#byThread.set(threadId, { checkpointId, tasks: tasks.map(({ id, node }) => ({ id, node })) });
    const [oldest] = this.#byThread.keys();
    if (this.#byThread.size > THREADS_KEPT && oldest !== undefined) this.#byThread.delete(oldest);
  }

  /** The tasks of a head with which nothing else is stored; undefined where they have to be found out. */
  of(threadId: string, { checkpoint, pendingWrites = [] }: CheckpointTuple): CheckpointView["tasks"] | undefined {
    const known = this.#byThread.get(threadId);
    return known?.checkpointId === checkpoint.id && pendingWrites.length === 0 ? known.tasks : undefined;
  }
}
