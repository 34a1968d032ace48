import type { Checkpointer } from "../../checkpoint/index.ts";
import { PerdureError } from "../../errors/index.ts";
import { createRunner } from "../../runner/index.ts";
import type { Runner, ThreadState } from "../../runner/index.ts";
import { NODE_FAILED } from "../shared/names.ts";
import type { GraphActivities, Report, RunPlace, TasksRequest } from "../shared/protocol.ts";
import { fromWire } from "../shared/wire-value.ts";
import { activityNow, inActivity } from "./activity-scope.ts";
import type { ActivityScope } from "./activity-scope.ts";
import { AttemptCount } from "./attempt-count.ts";
import { nodeFailed } from "./node-failed.ts";
import { parseSettings } from "./graph-settings.ts";
import type { GraphMap, GraphSettings, ParsedSettings } from "./graph-settings.ts";
import { owning } from "./owning.ts";
import { threadReport } from "./thread-report.ts";

/** What activities of graphs are made of. */
export interface GraphActivitiesOptions {
  readonly graphs: GraphMap;
  readonly checkpointer: Checkpointer;
  readonly settings?: Readonly<Record<string, GraphSettings>>;
}

/** A graph on this worker. */
export interface HostedGraph {
  readonly runner: Runner<unknown, Record<string, unknown>>;
  readonly settings: ParsedSettings;
}

/** The activities by which workflows drive graphs. */
export function graphActivities({ graphs, checkpointer, settings = {} }: GraphActivitiesOptions): GraphActivities {
  const hosted = new Map<string, HostedGraph>();
  for (const [name, graph] of Object.entries(graphs)) {
    const runner = createRunner(graph, { name, checkpointer, now: activityNow }) as unknown as HostedGraph["runner"];
    hosted.set(name, { runner, settings: parseSettings(`the settings of graph "${name}"`, settings[name]) });
  }

  /** Does the work of an activity on its thread, as its owner. */
  function onThread<T>(request: RunPlace, work: (graph: HostedGraph, scope: ActivityScope) => Promise<T>): Promise<T> {
    return inActivity((scope) => {
      const graph = hosted.get(request.graph);
      if (graph === undefined) throw unknownGraph(request.graph, hosted.keys());
      return owning({ ...graph, checkpointer }, scope, request, () => work(graph, scope));
    });
  }

  return {
    graphStart: (request) =>
      onThread(request, async ({ runner, settings: own }, { threadId, owner, signal }) => {
        const { input, supersede, maxSteps, turnId } = request;
        const state =
          input === undefined
            ? await runner.continue(threadId, { owner, drive: false })
            : await runner.start(threadId, await fromWire(input), {
                owner,
                drive: false,
                runId: turnId,
                signal,
                ...(supersede === undefined ? {} : { supersede }),
                ...(maxSteps === undefined ? {} : { maxSteps }),
              });
        const { granularity, maxParallelActivities, heartbeatTimeoutMs, startToCloseTimeoutMs } = own;
        return {
          report: await threadReport(input === undefined ? withFailedAgain(state) : state, own),
          settings: { granularity, maxParallelActivities, heartbeatTimeoutMs, startToCloseTimeoutMs },
        };
      }),

    graphTasks: (request) =>
      onThread(request, async (graph, scope) => {
        const count = new AttemptCount(scope.left);
        const state = await run(graph, scope, request, count);
        const again = count.again();
        if (again !== undefined) {
          scope.leave(count.left());
          throw again;
        }
        const isSame = request.beside === true && state.checkpointId === request.checkpointId;
        const report: Report = isSame
          ? { kind: "same", checkpointId: state.checkpointId }
          : { kind: "thread", ...(await threadReport(state, graph.settings)) };
        if (count.failed.length > 0) throw nodeFailed(count.failed, NODE_FAILED, report);
        return report;
      }),

    graphAnswers: (request) =>
      onThread(request, async ({ runner, settings: own }, { threadId, owner, signal }) => {
        const { answers, due, signals = [] } = request;
        const options = { owner, drive: false, signal };
        for (const { id, name, payload } of signals) {
          await runner.signal(threadId, { id, name, payload: await fromWire(payload) }, options);
        }
        if (answers !== undefined) await runner.resume(threadId, await decoded(answers), options);
        if (due !== undefined) await runner.continue(threadId, { ...options, due });
        return { kind: "thread", ...(await threadReport(await runner.inspect(threadId), own)) };
      }),

    graphClose: (request) =>
      inActivity(async ({ threadId, owner }) => {
        const runner = hosted.get(request.graph)?.runner;
        if (runner === undefined || (await checkpointer.readRecord(threadId))?.owner?.runId !== owner.runId) return;
        if (request.cancel !== undefined) await runner.cancel(threadId, request.cancel, { owner });
        await runner.release(threadId, { owner });
      }),
  };
}

/** Runs the tasks of a request, and in a burst what comes after them. */
async function run(
  { runner, settings }: HostedGraph,
  { threadId, owner, signal }: ActivityScope,
  { tasks, burst, metadata, context }: TasksRequest,
  count: AttemptCount,
): Promise<ThreadState> {
  const options = {
    owner,
    signal,
    onFailure: count.judge,
    ...(metadata === undefined ? {} : { metadata }),
    ...(context === undefined ? {} : { context: (await fromWire(context)) as Record<string, unknown> }),
  };
  const named = tasks.filter((id) => !count.isOver(id));
  if (burst !== true) return runner.step(threadId, { ...options, tasks: named });
  const deadline = activityNow() + settings.burst.maxMs;
  let left = settings.burst.maxSteps;
  let state = await runner.step(threadId, { ...options, tasks: named, maxSteps: left, deadline });
  // what was named is past where an attempt before got further
  while (state.status === "ready" && !count.hasFailures && left > 0 && activityNow() < deadline) {
    const { step, checkpointId } = state;
    const ready = state.tasks.map(({ id }) => id);
    state = await runner.step(threadId, { ...options, tasks: ready, maxSteps: left, deadline });
    if (state.checkpointId === checkpointId) break;
    left -= Math.max(1, state.step - step);
  }
  return state;
}

/** Who goes on with a thread tries again what failed. */
function withFailedAgain(state: ThreadState): ThreadState {
  if (state.status !== "error") return state;
  const { error: _error, failures, ...rest } = state;
  return { ...rest, status: "ready", tasks: failures.map(({ taskId, node }) => ({ id: taskId, node })) };
}

async function decoded(answers: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  const entries = Object.entries(answers).map(async ([id, answer]) => [id, await fromWire(answer)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

function unknownGraph(name: string, known: Iterable<string>): PerdureError {
  return new PerdureError("GRAPH_NOT_FOUND", `This worker has no graph "${name}"; it has: ${[...known].join(", ")}.`, {
    hint: "Pass the graph to createGraphWorker on every worker of the task queue.",
  });
}
