import { PerdureError } from "../../errors/index.ts";
import type { StartRequest } from "../shared/protocol.ts";
import { GRAPH_CHANGED } from "../shared/names.ts";
import { GONE } from "../shared/wire-codec.ts";
import type { ActivityScope } from "./activity-scope.ts";
import type { AttemptCount } from "./attempt-count.ts";
import type { HostedGraph, HostedState } from "./hosted-graph.ts";
import { refuseTurnOfOthers } from "./owning.ts";
import { burstDeadline, callOptions, runTasks } from "./run-tasks.ts";

/** Commits the input of a turn, or takes the thread as it stands; a burst goes on from there. */
export async function startThread(
  graph: HostedGraph,
  scope: ActivityScope,
  request: StartRequest,
  count: AttemptCount,
): Promise<HostedState> {
  const { input, supersede, maxSteps, turnId } = request;
  const { runner, codec, settings } = graph;
  const { threadId, owner, signal } = scope;
  const isBurst = mayBurstAtOnce(graph, scope);
  const value = input === undefined ? undefined : await codec.decode(input);
  if (input === undefined || value === GONE) {
    const state = await takeThread(graph, scope, request);
    if (!isBurst || state.status !== "ready") return state;
    const tasks = state.tasks.map(({ id }) => id);
    return runTasks(graph, scope, { ...request, tasks, burst: true, step: state.step }, count);
  }
  if (isBurst) scope.askWhetherAlive();
  const how = isBurst
    ? {
        ...(await callOptions(graph, scope, request, count)),
        maxStepsOfCall: settings.burst.maxSteps,
        deadline: burstDeadline(graph, scope),
      }
    : { owner, signal, onFailure: count.judge, values: false, drive: false };
  const state = await runner.start(threadId, value, {
    ...how,
    runId: turnId,
    ...(supersede === undefined ? {} : { supersede }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
  });
  await codec.drop([input]);
  return state;
}

/** A burst goes on in the activity that begins the turn, unless its nodes may stand still for longer than that one. */
function mayBurstAtOnce({ settings }: HostedGraph, scope: ActivityScope): boolean {
  return settings.granularity === "burst" && settings.heartbeatTimeoutMs <= scope.heartbeatTimeoutMs;
}

/** The thread as it stands, where there is no input, or an attempt before has committed it. */
async function takeThread(
  graph: HostedGraph,
  scope: ActivityScope,
  { input, turnId }: StartRequest,
): Promise<HostedState> {
  const { threadId, owner, signal } = scope;
  const { runner } = graph;
  const record = await refuseTurnOfOthers(graph, scope, turnId);
  if (input === undefined) return withFailedAgain(await runner.continue(threadId, { owner, drive: false, signal }));
  // a kept input is dropped when an attempt before has committed it, and when the run ended before one could
  if (record?.run?.id !== turnId) throw inputGone(threadId, turnId);
  return runner.inspect(threadId);
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
