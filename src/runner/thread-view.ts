import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { Checkpointer, ThreadRecord } from "../checkpoint/index.ts";
import { EMPTY_RECORD, interruptId } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import { answeredWithoutMark } from "./answered-without-mark.ts";
import type { CheckpointView, Engine } from "./engine.ts";
import { breakpointId, breakpointInsideId } from "./breakpoint-id.ts";
import type { KnownTasks } from "./known-tasks.ts";
import { missingBelow } from "./missing-below.ts";
import { lacking } from "./missing-nodes.ts";
import { NOTHING_BELOW, nestedQuestions } from "./nested-questions.ts";
import type { NestedQuestions } from "./nested-questions.ts";
import { openInterrupt } from "./open-question.ts";
import type { Question } from "./open-question.ts";
import { NO_TASK_WRITES, asksItself, writesByTask } from "./pending-writes.ts";
import type { StoredError, StoredInterrupt, TaskWrites } from "./pending-writes.ts";
import type { TaskFailure, ThreadState } from "./thread-state.ts";

/** A task of the present superstep. */
export interface TaskView {
  readonly id: string;
  readonly node: string;
  readonly phase: "ready" | "waiting" | "finished" | "failed";
  /** How often it was answered, in its subgraphs too: it can go on when this has grown. */
  readonly answers: number;
  readonly failure?: TaskFailure;
}

/** All that is stored of a thread, read at one time. */
export interface ThreadView {
  readonly threadId: string;
  readonly head: CheckpointTuple;
  readonly checkpointId: string;
  readonly step: number;
  readonly values: unknown;
  readonly record: ThreadRecord;
  readonly writes: ReadonlyMap<string, TaskWrites>;
  readonly tasks: readonly TaskView[];
  readonly questions: readonly Question[];
  /** Why the superstep can't be committed: a reducer throws, or two nodes wrote what only one may. */
  readonly problem?: StoredError;
  /**
   * Nodes where it goes next and which the graph does not have: it can't be driven by this graph, or it would lose them. Of
   * subgraphs those that wait are looked into; see DriveSaver for others.
   */
  readonly missing: readonly string[];
}

/**
 * Reads where a thread stands; runs nothing. Undefined for a thread without checkpoints.
 * @param known spares finding out the tasks of a head it knows; the view is then without `values`
 */
export async function readThread(
  engine: Engine,
  checkpointer: Checkpointer,
  threadId: string,
  known?: KnownTasks,
): Promise<ThreadView | undefined> {
  return (await readThreadAndRecord(engine, checkpointer, threadId, known)).view;
}

/** As {@link readThread}, with the record, which a thread may have before its first checkpoint. */
export async function readThreadAndRecord(
  engine: Engine,
  checkpointer: Checkpointer,
  threadId: string,
  known?: KnownTasks,
): Promise<{ readonly view: ThreadView | undefined; readonly record: ThreadRecord }> {
  const { tuple: head, record = EMPTY_RECORD } = await checkpointer.readThread(threadId);
  const view = head && (await viewOf(engine, checkpointer, { threadId, head, record }, known));
  return { view, record };
}

/** Where a thread stands that has this head. */
export async function viewOf(
  engine: Engine,
  checkpointer: Checkpointer,
  { threadId, head, record }: Pick<ThreadView, "threadId" | "head" | "record">,
  known?: KnownTasks,
): Promise<ThreadView> {
  const writes = writesByTask(head.pendingWrites ?? []);
  const knownTasks = known?.of(threadId, head);
  const {
    values,
    tasks: found,
    problem,
  }: SeenHead = knownTasks === undefined ? await look(engine, head) : { values: undefined, tasks: knownTasks };
  const base = {
    threadId,
    head,
    checkpointId: head.checkpoint.id,
    step: head.metadata?.step ?? -1,
    values,
    record,
    writes,
    missing: engine.missingNodes(head),
    ...(problem === undefined ? {} : { problem }),
  };

  const stop = await openBreakpoint(engine, checkpointer, base, found);
  if (stop !== undefined) {
    const tasks = found.map(({ id, node }): TaskView => ({ id, node, phase: "waiting", answers: 0 }));
    return { ...base, tasks: [...tasks, ...missingTasks(base)], questions: [stop] };
  }
  const answeredUnmarked = await answeredWithoutMark(checkpointer, threadId, writes);
  const nested = await nestedQuestions(checkpointer, threadId, found, writes, answeredUnmarked, base.checkpointId);
  const stops = await breakpointsInside(checkpointer, threadId, found, writes, nested);
  const questions: Question[] = [];
  const tasks = found.map(({ id, node }): TaskView => {
    const own = writes.get(id) ?? NO_TASK_WRITES;
    const below = nested.get(id) ?? NOTHING_BELOW;
    const inside = stops.get(id);
    const open = own.finished ? [] : [...below.open, ...(inside?.open ?? [])];
    const asks = asksItself(own) && !answeredUnmarked.has(id);
    if (open.length === 0 && below.answered === 0 && asks && own.interrupt !== undefined) {
      open.push(ownQuestion(base.checkpointId, id, node, own, own.interrupt));
    }
    questions.push(...open);
    const error = own.finished ? problem : own.error;
    const ended = problem === undefined ? "finished" : "failed";
    const phase = own.finished ? ended : phaseOf(own, open.length > 0, below.answered > 0);
    return {
      id,
      node,
      phase,
      answers: own.answers.length + below.answers + (inside?.open.length === 0 ? 1 : 0),
      ...(phase === "failed" && error !== undefined ? { failure: failureOf(id, node, error) } : {}),
    };
  });
  const gone = missingBelow(engine, base, nested);
  const missing = [...base.missing, ...[...gone.values()].flat()];
  return {
    ...base,
    missing,
    tasks: [...tasks, ...missingTasks({ threadId, missing })],
    questions: questions.filter(({ interrupt: { namespace } }) => namespace === undefined || !gone.has(namespace)),
  };
}

/** Nodes that are to run next, and are none of the graph's: LangGraph would pass over them, and drop what led to them. */
function missingTasks({ threadId, missing }: Pick<ThreadView, "threadId" | "missing">): TaskView[] {
  return missing.map((node) => {
    const failure = {
      taskId: "",
      node,
      name: "PerdureError",
      message: lacking(threadId, [node]),
      code: "GRAPH_CHANGED",
    };
    return { id: "", node, phase: "failed", answers: 0, failure };
  });
}

/** As {@link readThread}, where there must be one. @throws THREAD_NOT_FOUND */
export async function readExistingThread(
  engine: Engine,
  checkpointer: Checkpointer,
  threadId: string,
  known?: KnownTasks,
): Promise<ThreadView> {
  const view = await readThread(engine, checkpointer, threadId, known);
  if (view !== undefined) return view;
  throw new PerdureError("THREAD_NOT_FOUND", `There is no thread "${threadId}" in ${checkpointer.description}.`, {
    hint: "Check the thread_id and the checkpointer, or begin it with runner.start.",
  });
}

/** What is seen of a head. */
type SeenHead = CheckpointView & { readonly problem?: StoredError };

/** Looks at the head. Where the writes of finished tasks can't be applied, it tells why, and the state is without them. */
async function look(engine: Engine, head: CheckpointTuple): Promise<SeenHead> {
  try {
    return await engine.view(head, { applyFinished: true });
  } catch (thrown) {
    const before = await engine.view(head, { applyFinished: false });
    const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
    return { ...before, problem: { name, message } };
  }
}

/** The view as callers see it. */
export function toThreadState(view: ThreadView): ThreadState<unknown> {
  const { threadId, checkpointId, step, values, tasks } = view;
  const ready = tasks.filter(({ phase }) => phase === "ready");
  const failures = tasks.flatMap(({ failure }) => failure ?? []);
  const fields = {
    threadId,
    checkpointId,
    step,
    next: tasks.filter(({ phase }) => phase !== "finished").map(({ node }) => node),
    tasks: ready.map(({ id, node }) => ({ id, node })),
    interrupts: view.questions.map(({ interrupt }) => interrupt),
    values,
  };
  if (tasks.length === 0) return { ...fields, status: "done" }; // H17
  if (view.record.cancelled !== null) return { ...fields, status: "cancelled", reason: view.record.cancelled.reason };
  if (view.missing.length > 0)
    return { ...fields, ...failed(failures.filter(({ code }) => code === "GRAPH_CHANGED")), tasks: [] };
  if (ready.length > 0 || isUncommitted(view)) return { ...fields, status: "ready" };
  if (failures.length > 0) return { ...fields, ...failed(failures) };
  return { ...fields, status: "interrupted" };
}

function failed(failures: readonly TaskFailure[]) {
  return { status: "error" as const, error: failures[0] as TaskFailure, failures };
}

/** Whether every task of the superstep is finished, and only its commit is missing. */
export function isUncommitted(view: ThreadView): boolean {
  return view.tasks.length > 0 && view.tasks.every(({ phase }) => phase === "finished");
}

function ownQuestion(
  checkpointId: string,
  taskId: string,
  node: string,
  writes: TaskWrites,
  interrupt: StoredInterrupt,
): Question {
  return {
    interrupt: openInterrupt(interruptId(taskId, writes.answers.length), node, interrupt),
    task: { checkpointNs: "", checkpointId, taskId, earlier: writes.answers },
  };
}

function failureOf(taskId: string, node: string, { perdure, ...error }: StoredError): TaskFailure {
  const { name, message, code } = perdure?.handler ?? error;
  return { taskId, node, name, message, ...(code === undefined ? {} : { code }) };
}

function phaseOf(writes: TaskWrites, hasOpen: boolean, wasAnsweredBelow: boolean): TaskView["phase"] {
  const isHandled = writes.errorHandled && writes.error?.perdure === undefined;
  if (writes.error !== undefined && !isHandled) return "failed";
  return hasOpen && !wasAnsweredBelow ? "waiting" : "ready";
}

/** Where subgraphs stopped before or after a node of theirs; `open` is empty where somebody said to go on. */
async function breakpointsInside(
  checkpointer: Checkpointer,
  threadId: string,
  tasks: readonly { id: string; node: string }[],
  writes: ReadonlyMap<string, TaskWrites>,
  nested: ReadonlyMap<string, NestedQuestions>,
): Promise<ReadonlyMap<string, { readonly open: readonly Question[] }>> {
  const stops = new Map<string, { open: Question[] }>();
  for (const { id: taskId, node } of tasks) {
    const { finished, interrupt, error } = writes.get(taskId) ?? NO_TASK_WRITES;
    if (finished || error !== undefined || interrupt?.perdure?.breakpoint !== true) continue;
    const id = breakpointInsideId(
      taskId,
      (nested.get(taskId)?.heads ?? []).map(({ checkpoint }) => checkpoint.id),
    );
    const isPassed = (await checkpointer.readAnswer(threadId, id)) !== undefined;
    stops.set(taskId, {
      open: isPassed ? [] : [{ interrupt: { id, kind: "breakpoint", node, value: { inside: [node] } } }],
    });
  }
  return stops;
}

/** Where the graph was compiled to stop before or after a node, and nobody said to go on. */
async function openBreakpoint(
  engine: Engine,
  checkpointer: Checkpointer,
  thread: { threadId: string; head: CheckpointTuple; checkpointId: string; writes: ReadonlyMap<string, TaskWrites> },
  tasks: readonly { id: string; node: string }[],
): Promise<Question | undefined> {
  if (tasks.length === 0 || tasks.some(({ id }) => thread.writes.has(id))) return undefined; // passed before
  const before = tasks.map(({ node }) => node).filter((node) => engine.interruptBefore(node));
  const after = before.length > 0 ? [] : await nodesBefore(engine, checkpointer, thread.head);
  const node = before[0] ?? after[0];
  if (node === undefined) return undefined;
  const id = breakpointId(thread.checkpointId);
  if ((await checkpointer.readAnswer(thread.threadId, id)) !== undefined) return undefined;
  return { interrupt: { id, kind: "breakpoint", node, value: before.length > 0 ? { before } : { after } } };
}

/** The nodes with a breakpoint after them that the superstep of this checkpoint ran. */
async function nodesBefore(engine: Engine, checkpointer: Checkpointer, head: CheckpointTuple): Promise<string[]> {
  const { interruptAfter } = engine;
  if (interruptAfter === undefined || head.parentConfig === undefined || head.metadata?.source !== "loop") return [];
  const parent = await checkpointer.getTuple(head.parentConfig);
  if (parent === undefined) return [];
  const { tasks } = await engine.view(parent, { applyFinished: false });
  return tasks.map(({ node }) => node).filter((node) => interruptAfter(node));
}
