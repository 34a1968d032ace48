import { PerdureError } from "../../errors/index.ts";
import type { StartRequest } from "../shared/protocol.ts";
import { GRAPH_CHANGED } from "../shared/names.ts";
import { GONE } from "../shared/wire-codec.ts";
import type { ActivityScope } from "./activity-scope.ts";
import type { HostedGraph, HostedState } from "./hosted-graph.ts";
import { refuseTurnOfOthers } from "./owning.ts";

/** Commits the input of a turn, or takes the thread as it stands; runs nothing. */
export async function startThread(
  graph: HostedGraph,
  scope: ActivityScope,
  { input, supersede, maxSteps, turnId }: StartRequest,
): Promise<HostedState> {
  const { runner, codec } = graph;
  const { threadId, owner, signal } = scope;
  const value = input === undefined ? undefined : await codec.decode(input);
  if (input === undefined || value === GONE) {
    const record = await refuseTurnOfOthers(graph, scope, turnId);
    if (input === undefined) return withFailedAgain(await runner.continue(threadId, { owner, drive: false, signal }));
    // a kept input is dropped when an attempt before has committed it, and when the run ended before one could
    if (record?.run?.id !== turnId) throw inputGone(threadId, turnId);
    return runner.inspect(threadId);
  }
  const state = await runner.start(threadId, value, {
    owner,
    drive: false,
    runId: turnId,
    signal,
    values: false,
    ...(supersede === undefined ? {} : { supersede }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
  });
  await codec.drop([input]);
  return state;
}

function inputGone(threadId: string, turnId: string): PerdureError {
  const message = `The input of run "${turnId}" of thread "${threadId}" is not kept any more.`;
  return new PerdureError("CHECKPOINT_NOT_FOUND", message, {
    hint: "The run ended before its input was stored, and was reset. Execute it again, with its input.",
  });
}

/** Who goes on with a thread tries again what failed. */
function withFailedAgain(state: HostedState): HostedState {
  if (state.status !== "error" || state.error.code === GRAPH_CHANGED) return state;
  const { error: _error, failures, ...rest } = state;
  return { ...rest, status: "ready", tasks: failures.map(({ taskId, node }) => ({ id: taskId, node })) };
}
