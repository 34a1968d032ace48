import type { StartRequest } from "../shared/protocol.ts";
import { GRAPH_CHANGED } from "../shared/names.ts";
import { GONE } from "../shared/wire-codec.ts";
import type { ActivityScope } from "./activity-scope.ts";
import type { HostedGraph, HostedState } from "./hosted-graph.ts";

/** Commits the input of a turn, or takes the thread as it stands; runs nothing. */
export async function startThread(
  { runner, codec }: HostedGraph,
  { threadId, owner, signal }: ActivityScope,
  { input, supersede, maxSteps, turnId }: StartRequest,
): Promise<HostedState> {
  if (input === undefined) return withFailedAgain(await runner.continue(threadId, { owner, drive: false, signal }));
  const value = await codec.decode(input);
  if (value === GONE) return runner.inspect(threadId); // an attempt before has committed it
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

/** Who goes on with a thread tries again what failed. */
function withFailedAgain(state: HostedState): HostedState {
  if (state.status !== "error" || state.error.code === GRAPH_CHANGED) return state;
  const { error: _error, failures, ...rest } = state;
  return { ...rest, status: "ready", tasks: failures.map(({ taskId, node }) => ({ id: taskId, node })) };
}
