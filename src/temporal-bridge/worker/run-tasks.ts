import { isPerdureError } from "../../errors/index.ts";
import type { StepOptions } from "../../runner/index.ts";
import type { RunPlace, TasksRequest } from "../shared/protocol.ts";
import { activityNow } from "./activity-scope.ts";
import type { ActivityScope } from "./activity-scope.ts";
import type { AttemptCount } from "./attempt-count.ts";
import type { HostedGraph, HostedState } from "./hosted-graph.ts";

/** Runs the tasks of a request, and in a burst what comes after them. */
export async function runTasks(
  graph: HostedGraph,
  scope: ActivityScope,
  { tasks, burst, step: from = -1, ...place }: TasksRequest,
  count: AttemptCount,
): Promise<HostedState> {
  const { runner, settings } = graph;
  const { threadId } = scope;
  const options = await callOptions(graph, scope, place, count);
  const named = tasks.filter((id) => !count.isOver(id));
  if (burst !== true) return stepReady(runner, threadId, { ...options, tasks: named });
  scope.askWhetherAlive();
  const deadline = burstDeadline(graph, scope);
  const leftAt = ({ step }: Pick<HostedState, "step">): number => settings.burst.maxSteps - (step - from);
  const maxSteps = settings.burst.maxSteps;
  let state = await stepReady(runner, threadId, { ...options, tasks: named, maxSteps, deadline });
  // what was named is past where an attempt before got further
  while (state.status === "ready" && !count.hasFailures && leftAt(state) > 0 && activityNow() < deadline) {
    const { checkpointId } = state;
    const ready = state.tasks.map(({ id }) => id);
    state = await runner.step(threadId, { ...options, tasks: ready, maxSteps: leftAt(state), deadline });
    if (state.checkpointId === checkpointId) break;
  }
  return state;
}

/** What every call is made with that runs nodes. */
export async function callOptions(
  { codec }: HostedGraph,
  { owner, signal }: ActivityScope,
  { metadata, context }: Pick<RunPlace, "metadata" | "context">,
  { judge }: AttemptCount,
) {
  return {
    owner,
    signal,
    onFailure: judge,
    values: false,
    ...(metadata === undefined ? {} : { metadata }),
    ...(context === undefined ? {} : { context: (await codec.decode(context)) as Record<string, unknown> }),
  };
}

/** When a burst that begins now begins nothing more. */
export function burstDeadline({ settings }: HostedGraph, { mostMs }: ActivityScope): number {
  return activityNow() + Math.min(settings.burst.maxMs, mostMs);
}

/** Runs those of the tasks that an attempt before, which nobody heard of, has not brought to a question. */
async function stepReady(
  runner: HostedGraph["runner"],
  threadId: string,
  options: StepOptions & { readonly tasks: readonly string[] },
): Promise<HostedState> {
  try {
    return await runner.step(threadId, options);
  } catch (error) {
    if (!isPerdureError(error, "TASK_NOT_READY")) throw error;
  }
  const ready = new Set((await runner.inspect(threadId)).tasks.map(({ id }) => id));
  return runner.step(threadId, { ...options, tasks: options.tasks.filter((id) => ready.has(id)) });
}
