import type { ThreadOwner } from "../../checkpoint/index.ts";
import { isPerdureError } from "../../errors/index.ts";
import { NODE_FAILED } from "../shared/names.ts";
import type { GraphActivities, Report, RunPlace, StartReport, StartRequest } from "../shared/protocol.ts";
import { inActivity } from "./activity-scope.ts";
import type { ActivityScope } from "./activity-scope.ts";
import { AttemptCount } from "./attempt-count.ts";
import { commitAnswers } from "./commit-answers.ts";
import { hostGraphs } from "./hosted-graph.ts";
import type { HostOptions, HostedGraph, HostedState } from "./hosted-graph.ts";
import { nodeFailed } from "./node-failed.ts";
import { OwnWorkers } from "./own-workers.ts";
import { owning, releaseAtEnd } from "./owning.ts";
import { runTasks } from "./run-tasks.ts";
import { startThread } from "./start-thread.ts";
import { batchReport, threadReport } from "./thread-report.ts";

/** The activities by which workflows drive graphs, on these workers. */
export function graphActivities(options: HostOptions, workers = new OwnWorkers()): GraphActivities {
  const graphOf = hostGraphs(options);

  /** Does the work of an activity on its thread, as its owner. */
  function onThread<T>(
    request: RunPlace & Pick<StartRequest, "scheduledAt">,
    work: (graph: HostedGraph, scope: ActivityScope) => Promise<T>,
  ): Promise<T> {
    return inActivity(
      (scope) => {
        const graph = graphOf(request.graph);
        return owning(graph, scope, request, () => work(graph, scope));
      },
      { scheduledAt: request.scheduledAt, workers },
    );
  }

  return {
    graphStart: (request) =>
      onThread(request, async (graph, scope) => {
        const count = new AttemptCount(scope.left ?? request.left);
        const state = await startThread(graph, scope, request, count);
        const { granularity, maxParallelActivities, heartbeatTimeoutMs, startToCloseTimeoutMs } = graph.settings;
        const settings = { granularity, maxParallelActivities, heartbeatTimeoutMs, startToCloseTimeoutMs };
        return settled(scope, count, async (): Promise<StartReport> => ({
          report: await finalReport(graph, scope, state),
          settings,
        }));
      }),

    graphTasks: (request) =>
      onThread(request, async (graph, scope) => {
        const count = new AttemptCount(scope.left);
        const state = await runTasks(graph, scope, request, count);
        const isSame = request.beside === true && state.checkpointId === request.checkpointId;
        return settled(scope, count, async (): Promise<Report> =>
          isSame ? batchReport(state) : { kind: "thread", ...(await finalReport(graph, scope, state)) },
        );
      }),

    graphAnswers: (request) =>
      onThread(request, async (graph, scope) => {
        const state = await commitAnswers(graph, scope, request);
        return { kind: "thread", ...(await finalReport(graph, scope, state)) };
      }),

    graphClose: (request) =>
      inActivity(async ({ threadId, owner }) => {
        const { runner, checkpointer, codec } = graphOf(request.graph);
        await codec.drop(request.unused ?? []);
        if (!(await mayClose({ runner, checkpointer }, threadId, owner))) return;
        if (request.cancel !== undefined) await runner.cancel(threadId, request.cancel, { owner });
        await runner.release(threadId, { owner });
      }),
  };
}

/** Ends an activity that ran tasks: with its report, or as one that failed, for now or for good. */
async function settled<R extends Report | StartReport>(
  scope: ActivityScope,
  count: AttemptCount,
  reported: () => Promise<R>,
): Promise<R> {
  const again = count.again();
  if (again !== undefined) {
    scope.leave(count.left());
    throw again;
  }
  const report = await reported();
  if (count.failed.length > 0) throw nodeFailed(count.failed, NODE_FAILED, report);
  return report;
}

/** Where the thread stands; one that is done needs no owner any more. */
async function finalReport(graph: HostedGraph, scope: ActivityScope, state: HostedState) {
  const report = await threadReport(graph, state);
  if (state.status === "done") await releaseAtEnd(graph, scope);
  return report;
}

/** Whether the thread is the run's, or was left to it by a run that it follows: one that continued as new has not claimed it before it does something. */
async function mayClose(
  { runner, checkpointer }: Pick<HostedGraph, "runner" | "checkpointer">,
  threadId: string,
  owner: ThreadOwner,
): Promise<boolean> {
  const now = (await checkpointer.readRecord(threadId))?.owner;
  if (now === undefined || now.runId === owner.runId) return now !== undefined;
  try {
    await runner.claim(threadId, { owner });
    return true;
  } catch (error) {
    if (isPerdureError(error, "THREAD_OWNED")) return false;
    throw error;
  }
}
