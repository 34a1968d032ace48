import { isPerdureError } from "../../errors/index.ts";
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
    if (!isPerdureError(error, "THREAD_OWNED")) throw error;
    await becomeOwner(graph, scope, place);
  }
  return work();
}

async function becomeOwner(
  { runner, checkpointer }: HostedGraph,
  { threadId, owner }: ActivityScope,
  { previousRunId, checkpointId, turnId }: RunPlace,
): Promise<void> {
  const record = await checkpointer.readRecord(threadId);
  const state = await runner.claim(threadId, { owner });
  const before = record?.owner;
  if (before === undefined || before.runId === previousRunId || before.engine !== owner.engine) return;
  const isSameTurn = record?.run?.id === turnId;
  const seen = checkpointId ?? (isSameTurn ? await inputOf(runner, threadId, record.run?.inputStep) : undefined);
  if (seen === undefined || seen === state.checkpointId) return;
  await runner.fork(threadId, { checkpointId: seen, repeatFinished: true, owner });
}

/** The checkpoint that holds the input of a turn. */
async function inputOf(
  runner: HostedGraph["runner"],
  threadId: string,
  inputStep: number | undefined,
): Promise<string | undefined> {
  for await (const { checkpointId, step } of runner.history(threadId)) {
    if (step === inputStep) return checkpointId;
  }
  return undefined;
}
