import { ApplicationFailure } from "@temporalio/activity";
import type { BaseMessage, BaseMessageLike } from "@langchain/core/messages";
import { openCheckpointer } from "../../checkpoint/index.ts";
import type { Checkpointer } from "../../checkpoint/index.ts";
import { isPerdureError } from "../../errors/index.ts";
import { isDueAnswer } from "../../nodes/index.ts";
import { createRunner, nodeNames, oneNodeGraph } from "../../runner/index.ts";
import type {
  DrivableGraph,
  FailedTask,
  NodeOf,
  OpenInterrupt,
  ThreadState,
  UpdateOf,
  ValuesOf,
} from "../../runner/index.ts";
import { WireCodec } from "../shared/wire-codec.ts";
import { activityNow, inActivity } from "./activity-scope.ts";
import type { ActivityScope } from "./activity-scope.ts";

/** Nodes of a graph as activities, by their names; for `proxyActivities<ExportedActivities<typeof graph>>()` in a workflow. */
export type ExportedActivities<G extends DrivableGraph> = {
  readonly [Node in NodeOf<G>]: (
    state: NodeState<ValuesOf<G>>,
    options?: NodeCallOptions,
  ) => Promise<NodeResult<NodeUpdate<ValuesOf<G>, UpdateOf<G>>>>;
};

/** What a node is given: as much of the state as it looks at. Messages may be written short, such as `["user", "hi"]`. */
export type NodeState<Values> = {
  readonly [Key in keyof Values]?: Values[Key] extends BaseMessage[] ? readonly BaseMessageLike[] : Values[Key];
};

/** Options of an activity that runs a node. */
export interface NodeCallOptions {
  /**
   * Answers to all that the node has asked so far, in the order of its questions: it runs from its beginning, and its
   * questions are answered one after another. For one whose time is over, `{ perdure: "due", at }`. @default none
   */
  readonly answers?: readonly unknown[];
  /** Passed to the node as LangGraph's `runtime.context`. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Goes to the node and to tracing. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What a node writes, as JSON: messages are as LangChain writes them, and may go into the next state so. */
export type NodeUpdate<Values, Update> = {
  readonly [Key in keyof Update]: Key extends keyof Values
    ? Values[Key] extends BaseMessage[]
      ? readonly BaseMessageLike[]
      : Update[Key]
    : Update[Key];
};

/** What a node makes of a state: its update; or what it asks before it can go on. */
export type NodeResult<Update> =
  | (Update & { readonly interrupts?: never })
  | ({ readonly [Key in keyof Update]?: never } & { readonly interrupts: readonly NodeQuestion[] });

/** What a node asks. */
export type NodeQuestion = Pick<OpenInterrupt, "kind" | "value" | "dueAt" | "schema">;

/**
 * The nodes of a graph as ordinary activities, for workflows of your own: `Worker.create({ activities: exportActivities(graph) })`.
 * The workflow decides what runs, and when; it keeps the state itself. Of the graph's edges and error handlers nothing is
 * used, of a Command only its update.
 *
 * A node that asks, by `interrupt()`, an approval or a wait, comes back with `interrupts`; call it again with the
 * `answers`. What it does before it asks, it does again then.
 *
 * A node with a `retryPolicy`, or `withPolicies({ retry })`, is tried again by that rule, with Temporal's timers; any other one by
 * the retry policy of its activity. It heartbeats where the activity has a heartbeat timeout, which also lets a cancel abort
 * its signal.
 *
 * @throws GRAPH_UNSUPPORTED
 *
 * @example
 * // in the workflow, where only the type of the graph is imported
 * const { draft, review } = proxyActivities<ExportedActivities<typeof graph>>({ startToCloseTimeout: "5m", heartbeatTimeout: "10s" });
 * let reviewed = await review(state);
 * if (reviewed.interrupts !== undefined) reviewed = await review(state, { answers: [await answerOfSomebody()] });
 */
export function exportActivities<const G extends DrivableGraph>(graph: G): ExportedActivities<G> {
  const activities = nodeNames(graph).map((name) => {
    const alone = oneNodeGraph(graph, name);
    return [
      name,
      (state: unknown, options?: NodeCallOptions) => inActivity((scope) => call(name, alone, state, options, scope)),
    ];
  });
  return Object.fromEntries(activities) as ExportedActivities<G>;
}

async function call(
  name: string,
  graph: DrivableGraph,
  given: unknown,
  { answers = [], context, metadata }: NodeCallOptions = {},
  scope: ActivityScope,
): Promise<unknown> {
  const checkpointer = await openCheckpointer("memory:");
  try {
    const codec = new WireCodec(undefined); // what is kept there would be gone when this returns
    const [state, decoded] = await Promise.all([codec.decode(given), codec.decode(answers) as Promise<unknown[]>]);
    const options = { ...(context && { context }), ...(metadata && { metadata }) };
    const thread = await driven(name, graph, { state, answers: decoded }, options, checkpointer, scope);
    if (thread.status === "interrupted") {
      return { interrupts: await Promise.all(thread.interrupts.map((question) => wireQuestion(codec, question))) };
    }
    return await codec.encode((thread.values as { readonly update: unknown }).update);
  } finally {
    await checkpointer.close();
  }
}

/** Runs the node on a thread of its own until it is done, or asks what has no answer yet. */
async function driven(
  name: string,
  graph: DrivableGraph,
  { state, answers }: { readonly state: unknown; readonly answers: readonly unknown[] },
  options: Pick<NodeCallOptions, "context" | "metadata">,
  checkpointer: Checkpointer,
  scope: ActivityScope,
): Promise<ThreadState<unknown>> {
  const { threadId, signal } = scope;
  const runner = createRunner(graph, { name, checkpointer, now: activityNow });
  let failed: FailedTask | undefined;
  const onFailure = (failure: FailedTask) => {
    failed = failure;
    return "fail" as const;
  };
  const waiting = [...answers];
  let thread: ThreadState<unknown> = await runner.start(threadId, { state }, { drive: false, signal });
  for (;;) {
    while (thread.status === "ready") {
      const tasks = thread.tasks.map(({ id }) => id);
      thread = await runner.step(threadId, { ...options, tasks, signal, onFailure });
    }
    if (failed !== undefined) throw failureOf(failed, scope);
    const given = thread.interrupts.slice(0, waiting.length).map(({ id }) => [id, waiting.shift()] as const);
    if (given.length === 0) return thread;
    const due = given.flatMap(([id, answer]) => (isDueAnswer(answer) ? [id] : []));
    const said = given.filter(([, answer]) => !isDueAnswer(answer));
    if (due.length > 0) thread = await runner.continue(threadId, { drive: false, due, signal });
    if (said.length > 0) thread = await runner.resume(threadId, Object.fromEntries(said), { drive: false, signal });
  }
}

/** What has Temporal try again, where the node has a rule of its own; else what the node threw, and the activity's rule decides. */
function failureOf({ error, retry }: FailedTask, scope: ActivityScope): unknown {
  if (retry === undefined)
    return isPerdureError(error) ? ApplicationFailure.create({ type: error.code, message: error.message }) : error;
  const failures = (typeof scope.left === "number" ? scope.left : 0) + 1;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (failures >= retry.maxAttempts) return ApplicationFailure.create({ type: name, message, nonRetryable: true });
  scope.leave(failures);
  return ApplicationFailure.create({
    type: name,
    message,
    nextRetryDelay: Math.max(1, Math.round(retry.delayMs(failures))),
  });
}

async function wireQuestion(codec: WireCodec, { kind, value, dueAt, schema }: OpenInterrupt) {
  return {
    kind,
    value: await codec.encode(value),
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(schema === undefined ? {} : { schema }),
  };
}
