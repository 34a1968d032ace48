import type { Checkpointer, ThreadRecord } from "../checkpoint/index.ts";
import { again, mayGoOn } from "./drive-plan.ts";
import type { DrivePlan } from "./drive-plan.ts";
import { isOwner } from "./thread-owner.ts";
import type { ThreadView } from "./thread-view.ts";

/** Looks at a thread and says what to do with it; undefined leaves it as it is. */
export type Begin = (view: ThreadView | undefined, record: ThreadRecord) => DrivePlan | undefined;

/**
 * What one call is to do with a thread and what became of it, kept over the loss of a drive: the connection is gone,
 * and whether the last commits were stored is not known before the thread is read again.
 */
export class DriveCall {
  readonly #begin: Begin;
  #plan: DrivePlan | undefined;
  /** Checkpoints that were to take the input in. */
  readonly #inputs: string[] = [];
  /** What ran, so that it is not taken for new; see {@link markTried}. */
  readonly tried = new Set<string>();

  constructor(begin: Begin) {
    this.#begin = begin;
  }

  /** Notes the checkpoint with which a drive tried to take the input in. */
  triedInput(checkpointId: string | undefined): void {
    if (checkpointId !== undefined) this.#inputs.push(checkpointId);
  }

  /** A drive was lost: what it ran and did not store is to run again. */
  lost(): void {
    this.tried.clear();
  }

  /** The first plan, or, after a loss, what is left of it; undefined when there is nothing to do, or not any more. */
  async plan(
    checkpointer: Checkpointer,
    view: ThreadView | undefined,
    record: ThreadRecord,
  ): Promise<DrivePlan | undefined> {
    const plan = this.#plan;
    if (plan === undefined || !(await this.isTaken(checkpointer, view))) {
      this.#plan = this.#begin(view, record);
      return this.#plan;
    }
    const isOurs = view !== undefined && record.run?.id === plan.runId && isOwner(record, plan.owner);
    if (!isOurs || view.step >= plan.lastStep || !mayGoOn(view, plan.retryFailed)) return undefined;
    return { ...again(plan), retryFailed: plan.retryFailed };
  }

  /** Whether the call came to do what it is for: its input, if it has one, is stored (I1). */
  async isTaken(checkpointer: Checkpointer, view: ThreadView | undefined): Promise<boolean> {
    const plan = this.#plan;
    if (plan === undefined || view === undefined) return false;
    if (plan.input === undefined || view.record.run?.id === plan.runId) return true;
    // somebody may have finished our run and begun another one
    for (const checkpoint_id of this.#inputs) {
      const configurable = { thread_id: view.threadId, checkpoint_ns: "", checkpoint_id };
      if ((await checkpointer.getTuple({ configurable })) !== undefined) return true;
    }
    return false;
  }
}
