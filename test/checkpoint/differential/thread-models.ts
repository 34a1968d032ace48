import type { Choices } from "./choices.ts";
import type { Place, PutStep } from "./step.ts";

/** What is known of a checkpoint without its values: enough to choose what to do next. */
export interface CheckpointModel {
  readonly id: string;
  readonly ns: string;
  readonly parent: string | undefined;
  readonly step: number;
  readonly versions: Readonly<Record<string, number>>;
  /** The tasks that have stored a result. */
  readonly tasks: string[];
  /** How it was put, if it can be put once more just so. */
  put: PutStep | undefined;
}

/** A thread, its checkpoints by {@link checkpointKey}. */
export interface ThreadModel {
  readonly id: string;
  readonly checkpoints: Map<string, CheckpointModel>;
  /** Ids of checkpoints that were deleted with the thread. */
  readonly deleted: string[];
  /** After so many checkpoints nothing more is done to it. */
  readonly most: number;
  /** Holds texts of 1 MB, so it stays short. */
  readonly huge: boolean;
}

/** A checkpoint and its thread. */
export interface Found {
  readonly thread: ThreadModel;
  readonly checkpoint: CheckpointModel;
}

/** How many threads there are. */
export interface ThreadModelsOptions {
  /** How many are used side by side. @default 5 */
  readonly threads?: number;
  /** How many of 1,000 new ones get texts of 1 MB. @default 30 */
  readonly hugeThreads?: number;
}

/** All threads, as the operations that were chosen leave them. */
export class ThreadModels {
  readonly #options: Required<ThreadModelsOptions>;
  readonly #inUse: ThreadModel[] = [];
  readonly #all = new Map<string, ThreadModel>();

  constructor({ threads = 5, hugeThreads = 30 }: ThreadModelsOptions) {
    this.#options = { threads, hugeThreads };
  }

  /** Every thread there ever was. */
  get all(): readonly ThreadModel[] {
    return [...this.#all.values()];
  }

  /** Those that are used now. */
  get inUse(): readonly ThreadModel[] {
    return this.#inUse;
  }

  /** Leaves threads alone that are long enough, and begins others. */
  replaceFull(choices: Choices, index: number): void {
    for (const [position, thread] of [...this.#inUse.entries()].toReversed()) {
      if (thread.checkpoints.size >= thread.most) this.#inUse.splice(position, 1);
    }
    while (this.#inUse.length < this.#options.threads) {
      const huge = choices.between(0, 1000) < this.#options.hugeThreads;
      const thread: ThreadModel = {
        id: `thread ${index} "${this.#inUse.length}" ü`,
        checkpoints: new Map(),
        deleted: [],
        most: huge ? 8 : choices.between(10, 80),
        huge,
      };
      this.#inUse.push(thread);
      this.#all.set(thread.id, thread);
    }
  }

  /** Takes note of a put, and returns it. */
  put(thread: ThreadModel, step: PutStep): PutStep {
    const { id, ns, parent, changes, mutation } = step;
    const base = step.base === undefined ? undefined : thread.checkpoints.get(checkpointKey(ns, step.base));
    const versions = { ...base?.versions };
    for (const { channel, version } of changes) versions[channel] = version;
    if (mutation !== undefined) versions[mutation.channel] = mutation.version;
    const former = thread.checkpoints.get(checkpointKey(ns, id));
    // Puts that were made from its former values cannot be made again.
    for (const other of thread.checkpoints.values()) {
      if (former !== undefined && other.ns === ns && other.put?.base === id) other.put = undefined;
    }
    thread.checkpoints.set(checkpointKey(ns, id), {
      id,
      ns,
      parent: parent === id ? former?.parent : parent,
      step: step.metadata.step,
      versions,
      tasks: former?.tasks ?? [],
      put: former === undefined && isRepeatable(step) ? step : undefined,
    });
    const tasks = [mutation?.task, step.result?.task].filter((task) => task !== undefined);
    if (parent !== undefined) thread.checkpoints.get(checkpointKey(ns, parent))?.tasks.push(...tasks);
    return step;
  }

  /** Takes note that a thread was deleted. */
  delete(thread: ThreadModel): void {
    thread.deleted.push(...[...thread.checkpoints.values()].map(({ id }) => id));
    thread.checkpoints.clear();
  }
}

/** The key of a checkpoint in its thread: ids are unique in a namespace only. */
export function checkpointKey(ns: string, id: string): string {
  return `${ns} ${id}`;
}

/** The newest checkpoint of a namespace. */
export function headOf(thread: ThreadModel, ns: string): CheckpointModel | undefined {
  let head: CheckpointModel | undefined;
  for (const checkpoint of thread.checkpoints.values()) {
    if (checkpoint.ns === ns && (head === undefined || checkpoint.id > head.id)) head = checkpoint;
  }
  return head;
}

/** Where a checkpoint is, for a step. */
export function placeOf({ thread, checkpoint }: Found): Place {
  return { thread: thread.id, ns: checkpoint.ns };
}

/** What comes out of a pool, and what was changed behind the saver's back, is not the same another time. */
function isRepeatable({ mutation, disturb, guarded, changes }: PutStep): boolean {
  return mutation === undefined && !disturb && !guarded && changes.every(({ how }) => how !== "pool");
}
