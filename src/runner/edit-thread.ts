import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { ThreadRecord, ThreadOwner } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import { DriveSaver } from "./drive-saver.ts";
import type { Driver } from "./driver.ts";
import { writesByTask } from "./pending-writes.ts";
import { threadInterrupted } from "./open-question.ts";
import { assertOwner } from "./thread-owner.ts";
import type { ThreadView } from "./thread-view.ts";
import { waitForClock } from "./wait-for-clock.ts";

/** Where `runner.fork` goes back to. */
export interface ForkOptions {
  /** The checkpoint to go on from. */
  readonly checkpointId: string;
  /**
   * Fork a superstep of which only some tasks are finished: those run again, with all their effects.
   * @default false
   */
  readonly repeatFinished?: boolean;
  /** As in the calls that run nodes. @default nobody */
  readonly owner?: ThreadOwner;
}

/** How `runner.update` changes the state. */
export interface UpdateOptions<Node extends string = string> {
  /**
   * The node the change counts as made by, which decides what comes next. Needed while a question is open, which the
   * change drops: the asking node's name puts the change in place of its answer. @default the last node that ran
   */
  readonly asNode?: Node;
  /** As in the calls that run nodes. @default nobody */
  readonly owner?: ThreadOwner;
}

/** Makes a copy of an older checkpoint the head of the thread. What came after it stays in the history. */
export async function forkThread(driver: Driver, threadId: string, options: ForkOptions): Promise<ThreadView> {
  const { checkpointId, repeatFinished = false, owner } = options;
  return driver.alone(threadId, async () => {
    const view = await driver.readExisting(threadId);
    assertOwner(threadId, view.record, owner);
    const tuple = await driver.checkpointer.getTuple({
      configurable: { thread_id: threadId, checkpoint_ns: "", checkpoint_id: checkpointId },
    });
    if (tuple === undefined) {
      throw new PerdureError("CHECKPOINT_NOT_FOUND", `Thread "${threadId}" has no checkpoint "${checkpointId}".`, {
        hint: "Pass a checkpointId from runner.history.",
      });
    }
    const { tasks } = await driver.engine.view(tuple, { applyFinished: false });
    const writes = writesByTask(tuple.pendingWrites ?? []);
    const finished = tasks.filter(({ id }) => writes.get(id)?.finished === true);
    if (finished.length > 0 && finished.length < tasks.length && !repeatFinished) {
      throw new PerdureError(
        "FORK_HALF_DONE",
        `At checkpoint "${checkpointId}" ${finished.length} of ${tasks.length} tasks are finished: ${finished.map(({ node }) => node).join(", ")}.`,
        { hint: "A fork runs them again, with their effects. Pass repeatFinished: true if that is right." }, // H16
      );
    }
    const inputStep = await inputStepBefore(driver, tuple);
    const toTurn = ({ run, ...record }: ThreadRecord): ThreadRecord => ({
      ...record,
      run: run && { ...run, inputStep },
    });
    const copyId = await edit(driver, view, false, toTurn, (saver) =>
      driver.engine.copy(saver, threadId, checkpointId),
    );
    const forked = await driver.readExisting(threadId);
    if (forked.checkpointId === copyId) return forked;
    throw new PerdureError(
      "CHECKPOINT_CONFLICT",
      `Thread "${threadId}" was moved on to "${forked.checkpointId}" while it was forked at "${checkpointId}".`,
      { hint: "Somebody else took the lock. The thread goes on from there; fork it again if that is still right." },
    ); // I4: a copy that is not the newest checkpoint is not the head
  });
}

/** Changes the state of a thread that nobody drives, as if a node had. */
export async function updateThread(
  driver: Driver,
  threadId: string,
  values: unknown,
  { asNode, owner }: UpdateOptions,
): Promise<ThreadView> {
  return driver.alone(threadId, async () => {
    const view = await driver.read(threadId);
    const open = view?.questions.filter(({ interrupt }) => interrupt.kind !== "breakpoint") ?? [];
    if (view !== undefined) assertOwner(threadId, view.record, owner);
    if (view !== undefined) refuseHalfDone(view);
    if (open.length > 0 && asNode === undefined) {
      throw threadInterrupted(
        threadId,
        open,
        "Answer with runner.resume, or say by asNode where to go on without an answer.",
      );
    }
    await edit(
      driver,
      view ?? { threadId },
      true,
      (record) => record,
      (saver) => driver.engine.update(saver, threadId, values, asNode),
    );
    return driver.readExisting(threadId);
  });
}

/** LangGraph's updateState drops what finished tasks lead to, and on Postgres what they wrote as well (I2). */
function refuseHalfDone({ threadId, tasks }: ThreadView): void {
  const finished = tasks.filter(({ phase }) => phase === "finished");
  if (finished.length === 0) return;
  throw new PerdureError(
    "THREAD_UNFINISHED",
    `${finished.length} of ${tasks.length} tasks of thread "${threadId}" are finished and not committed: ${finished.map(({ node }) => node).join(", ")}.`,
    {
      hint: "A change now would lose their results. Answer or continue the others first, or go back with runner.fork.",
    },
  );
}

/** Makes a checkpoint out of turn; returns its id. */
async function edit(
  { checkpointer, now }: Driver,
  view: ThreadView | { readonly threadId: string },
  onHead: boolean,
  recordOf: (record: ThreadRecord) => ThreadRecord,
  change: (saver: DriveSaver) => Promise<void>,
): Promise<string | undefined> {
  if ("head" in view) await waitForClock(view);
  const open = "questions" in view ? view.questions.map(({ interrupt }) => interrupt.id) : [];
  const at = new Date(now()).toISOString();
  const record = (stored: ThreadRecord): ThreadRecord => ({
    ...recordOf(stored),
    cancelled: null,
    superseded: open.length === 0 ? stored.superseded : [...stored.superseded, { interruptIds: open, at }],
  });
  const saver = new DriveSaver({
    checkpointer,
    threadId: view.threadId,
    epoch: "record" in view ? view.record.epoch : ((await checkpointer.readRecord(view.threadId))?.epoch ?? 0),
    head: onHead && "head" in view ? view.head : undefined, // not a later one, which may hold results
    tasks: new Map(),
    record,
    onHead,
    plannedOn: "checkpointId" in view ? view.checkpointId : undefined,
    ranToEnd: () => true,
    onInterrupt: () => {},
    onFailure: () => {},
  });
  await change(saver);
  await saver.stored();
  return saver.recordedWith;
}

/** The step of the input of the turn that a checkpoint belongs to; of the oldest one left where that was pruned. */
async function inputStepBefore({ checkpointer }: Driver, checkpoint: CheckpointTuple): Promise<number> {
  let oldest = checkpoint;
  while (oldest.metadata?.source !== "input" && oldest.parentConfig !== undefined) {
    const parent = await checkpointer.getTuple(oldest.parentConfig);
    if (parent === undefined) break;
    oldest = parent;
  }
  return oldest.metadata?.step ?? -1;
}
