import { setImmediate as turn } from "node:timers/promises";
import { ownedBy, tookPart } from "../../checkpoint/index.ts";
import type { ThreadOwner, ThreadRecord } from "../../checkpoint/index.ts";
import { PerdureError, isPerdureError } from "../../errors/index.ts";
import type { RunPlace } from "../shared/protocol.ts";
import type { ActivityScope } from "./activity-scope.ts";
import type { HostedGraph } from "./hosted-graph.ts";

/**
 * Does the work as the owner of the thread, and becomes it where it may: a new run, one that continues another as
 * new, or one that begins again in the middle of another (a Temporal reset). The last goes back to the checkpoint
 * at which its history saw the thread.
 */
export async function owning<T>(
  graph: HostedGraph,
  scope: ActivityScope,
  place: RunPlace,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // what keeps it busy may be what another run of the workflow has left under way, which nobody has told yet to stop
    const isBusy = isPerdureError(error, "THREAD_BUSY") && (await isOfAnotherRun(graph, scope));
    if (!isBusy && !isPerdureError(error, "THREAD_OWNED")) throw error;
    await becomeOwner(graph, scope, place);
  }
  return work();
}

async function isOfAnotherRun({ checkpointer }: HostedGraph, { threadId, owner }: ActivityScope): Promise<boolean> {
  const now = (await checkpointer.readRecord(threadId))?.owner;
  return now !== undefined && now.runId !== owner.runId;
}

/**
 * Gives back a thread that is done; it needs no owner any more. A run that had no part in it, which is one that a reset
 * began, is refused: it has to go back first.
 * @throws THREAD_OWNED
 */
export async function releaseAtEnd({ checkpointer }: HostedGraph, { threadId, owner }: ActivityScope): Promise<void> {
  await checkpointer.updateRecord(threadId, (record) => {
    if (!tookPart(record, owner)) throw strange(threadId, owner);
    return record.owner?.runId === owner.runId ? ownedBy(record, undefined) : record;
  });
}

/**
 * Refuses to take up a turn that another run has begun: a reset to before the first activity was done begins it anew.
 * Returns the thread's record.
 * @throws THREAD_OWNED
 */
export async function refuseTurnOfOthers(
  { checkpointer }: HostedGraph,
  { threadId, owner }: ActivityScope,
  turnId: string,
): Promise<ThreadRecord | undefined> {
  const record = await checkpointer.readRecord(threadId);
  if (record?.run?.id === turnId && !tookPart(record, owner)) throw strange(threadId, owner);
  return record;
}

async function becomeOwner(
  graph: HostedGraph,
  { threadId, owner, signal }: ActivityScope,
  place: RunPlace,
): Promise<void> {
  const { runner, checkpointer } = graph;
  await turn(); // a process that stood still notices it by its timers: another run may have begun meanwhile
  signal.throwIfAborted();
  const record = await checkpointer.readRecord(threadId);
  if (record?.owner?.runId === owner.runId) return; // another activity of the run was faster
  // what is left of a run that another one follows
  if (record !== undefined && tookPart(record, owner)) throw strange(threadId, owner);
  const seen = await seenBy(graph, threadId, record, place);
  if (seen === undefined) {
    await runner.claim(threadId, { owner });
    return;
  }
  // Until it is back there nobody owns the thread in the run's own name: who dies on the way, does it again.
  const onTheWay: ThreadOwner = { ...owner, runId: `${owner.runId} (going back)` };
  try {
    const { checkpointId } = await runner.claim(threadId, { owner: onTheWay });
    if (checkpointId !== seen) {
      await runner.fork(threadId, { checkpointId: seen, repeatFinished: true, owner: onTheWay });
    }
    await runner.claim(threadId, { owner });
  } catch (error) {
    const now = isPerdureError(error, "THREAD_OWNED") ? await checkpointer.readRecord(threadId) : undefined;
    if (now?.owner?.runId !== owner.runId) throw error;
  }
}

/** The checkpoint that a reset goes back to; undefined where the run goes on with the thread as it stands. */
async function seenBy(
  graph: HostedGraph,
  threadId: string,
  record: ThreadRecord | undefined,
  { previousRunId, checkpointId, turnId }: RunPlace,
): Promise<string | undefined> {
  if (previousRunId !== undefined && record?.owner?.runId === previousRunId) return undefined; // continued as new
  if (checkpointId !== undefined || record?.run?.id !== turnId) return checkpointId;
  for await (const { checkpointId: id, step } of graph.runner.history(threadId)) {
    if (step === record.run.inputStep) return id;
  }
  return undefined;
}

function strange(threadId: string, { name, runId }: ThreadOwner): PerdureError {
  return new PerdureError("THREAD_OWNED", `Thread "${threadId}" is not driven by run "${runId}" of "${name}".`, {
    hint: "Another run of the workflow drives it, or has brought it to its end.",
  });
}
