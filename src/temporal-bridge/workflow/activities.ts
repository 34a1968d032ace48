import { ActivityCancellationType, scheduleActivity, scheduleLocalActivity } from "@temporalio/workflow";
import type { ActivityOptions } from "@temporalio/workflow";
import { ACTIVITY } from "../shared/names.ts";
import type {
  AnswersRequest,
  CloseRequest,
  NodeSettings,
  Report,
  RunSettings,
  StartReport,
  StartRequest,
  TasksRequest,
} from "../shared/protocol.ts";

/** Before the worker has said how it is configured. */
const FIRST_HEARTBEAT_TIMEOUT_MS = 10_000;
const SHORT_TIMEOUT_MS = 120_000;
/** The first burst goes on in the activity that starts. */
const BURST_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Crashed workers and databases that are away: no attempt is the last one. What a node's own rules say about its failures is
 * decided in the activity, which says when to come again, or that it is over.
 */
const RETRY = { initialInterval: 200, backoffCoefficient: 2, maximumInterval: 10_000 };

const SHORT: ActivityOptions = {
  startToCloseTimeout: SHORT_TIMEOUT_MS,
  heartbeatTimeout: FIRST_HEARTBEAT_TIMEOUT_MS,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: RETRY,
};

/** Begins the turn, or takes the thread over. */
export function start(request: StartRequest): Promise<StartReport> {
  return scheduleActivity(ACTIVITY.start, [request], {
    ...SHORT,
    startToCloseTimeout: BURST_TIMEOUT_MS,
    summary: request.graph,
  });
}

/**
 * The same as part of the workflow's first task, in one attempt. What it does not get to its end an ordinary activity
 * goes on with: in an outage a local one would have the server write down every few seconds that it is still trying.
 */
export function startLocally(request: StartRequest): Promise<StartReport> {
  return scheduleLocalActivity(ACTIVITY.start, [request], {
    startToCloseTimeout: BURST_TIMEOUT_MS,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { maximumAttempts: 1 },
    summary: request.graph,
  });
}

/** Runs tasks of one node, and looks what comes next. */
export function runTasks(
  request: TasksRequest,
  summary: string,
  settings: RunSettings,
  own: NodeSettings = {},
): Promise<Report> {
  const { heartbeatTimeoutMs, startToCloseTimeoutMs } = { ...settings, ...own };
  return scheduleActivity(ACTIVITY.tasks, [request], {
    startToCloseTimeout: startToCloseTimeoutMs,
    heartbeatTimeout: heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    summary,
    ...(own.taskQueue === undefined ? {} : { taskQueue: own.taskQueue }),
  });
}

/** Commits answers, signals and what is due. */
export function commitAnswers(
  request: AnswersRequest,
  summary: string,
  { heartbeatTimeoutMs = FIRST_HEARTBEAT_TIMEOUT_MS }: Partial<RunSettings> = {},
): Promise<Report> {
  return scheduleActivity(ACTIVITY.answers, [request], { ...SHORT, heartbeatTimeout: heartbeatTimeoutMs, summary });
}

/** Gives the thread back, cancelled or not. */
export function close(request: CloseRequest): Promise<void> {
  return scheduleActivity(ACTIVITY.close, [request], {
    ...SHORT,
    summary: request.cancel === undefined ? "release" : "cancel",
  });
}
