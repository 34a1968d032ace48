import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { interruptId } from "../checkpoint/index.ts";
import type { Checkpointer } from "../checkpoint/index.ts";
import { answeredWithoutMark } from "./answered-without-mark.ts";
import { openInterrupt } from "./open-question.ts";
import type { Question } from "./open-question.ts";
import { asksItself, writesByTask } from "./pending-writes.ts";
import type { TaskWrites } from "./pending-writes.ts";

/** What the subgraphs under one task of the root wait for. */
export interface NestedQuestions {
  readonly open: readonly Question[];
  /** Questions that were answered and not yet read by the node that asked. */
  readonly answered: number;
  /** Answers given in all. */
  readonly answers: number;
  /** The newest checkpoints of the subgraphs. */
  readonly heads: readonly CheckpointTuple[];
}

/** What waits below a task that has no subgraphs. */
export const NOTHING_BELOW: NestedQuestions = { open: [], answered: 0, answers: 0, heads: [] };

interface Below {
  readonly open: Question[];
  answered: number;
  answers: number;
  readonly heads: CheckpointTuple[];
}

/**
 * Looks into the subgraphs of tasks that were interrupted (H19): the root only repeats the questions asked
 * below it, before LangGraph 1.7 the last of them. Reads namespaces and not the graph, so a subgraph called inside a node's
 * function is seen as well. What a LangGraph `task()` or a node's error handler asks is stored at the root
 * itself, under an id that is none of the superstep's tasks.
 */
export async function nestedQuestions(
  checkpointer: Checkpointer,
  threadId: string,
  tasks: readonly { readonly id: string; readonly node: string }[],
  writes: ReadonlyMap<string, TaskWrites>,
  answeredAtRoot: ReadonlySet<string>,
  headCheckpointId: string,
): Promise<ReadonlyMap<string, NestedQuestions>> {
  const roots = tasks.filter(({ id }) => mayAskBelow(writes.get(id)));
  const found = new Map<string, Below>();
  if (roots.length === 0) return found;
  const belowOf = (id: string): Below => {
    let below = found.get(id);
    if (below === undefined) found.set(id, (below = { open: [], answered: 0, answers: 0, heads: [] }));
    return below;
  };

  const ids = new Set(tasks.map(({ id }) => id));
  for (const entry of inOrder(writes)) {
    const [taskId, task] = entry;
    if (ids.has(taskId)) continue;
    const root = roots.find(({ id }) => isSame(writes.get(id), task)) ?? roots[0];
    if (root !== undefined)
      addTask(belowOf(root.id), root.node, "", headCheckpointId, entry, answeredAtRoot.has(taskId));
  }

  // "node:task" for an ordinary subgraph, "node" for one with a memory of its own (`checkpointer: true`)
  const wanted = [...roots.map(({ id, node }) => `${node}:${id}`), ...new Set(roots.map(({ node }) => node))];
  const tuples = await checkpointer.newestBelow(threadId, wanted);
  const byNamespace = new Map(tuples.map((tuple) => [namespaceOf(tuple), writesByTask(tuple.pendingWrites ?? [])]));
  // checkpointers give namespaces and writes in different orders
  for (const tuple of tuples.toSorted((one, other) => (namespaceOf(one) < namespaceOf(other) ? -1 : 1))) {
    const namespace = namespaceOf(tuple);
    const root = roots.find(({ id, node }) => isBelow(namespace, `${node}:${id}`) || isBelow(namespace, node));
    if (root === undefined || !isCurrent(namespace, root.id, byNamespace)) continue;
    const below = belowOf(root.id);
    below.heads.push(tuple);
    const tasksBelow = byNamespace.get(namespace) ?? new Map<string, TaskWrites>();
    const answered = await answeredWithoutMark(checkpointer, threadId, tasksBelow);
    for (const entry of inOrder(tasksBelow)) {
      addTask(below, root.node, namespace, tuple.checkpoint.id, entry, answered.has(entry[0]));
    }
  }
  return found;
}

/** What one task below a root task waits for. */
function addTask(
  below: Below,
  node: string,
  namespace: string,
  checkpointId: string,
  [taskId, task]: readonly [string, TaskWrites],
  isAnswered: boolean,
): void {
  below.answers += task.answers.length; // of finished tasks too, or an answer that comes meanwhile leaves the sum as it was
  if (task.interrupt === undefined || task.finished) return;
  if (asksItself(task) && !isAnswered) {
    const open = openInterrupt(interruptId(taskId, task.answers.length), node, task.interrupt);
    below.open.push({
      interrupt: namespace === "" ? open : { ...open, namespace },
      task: { checkpointNs: namespace, checkpointId, taskId, earlier: task.answers },
    });
  } else if (task.interrupt.perdure?.nested !== true) below.answered += 1;
}

function inOrder(writes: ReadonlyMap<string, TaskWrites>): (readonly [string, TaskWrites])[] {
  return [...writes].toSorted(([one], [other]) => (one < other ? -1 : 1));
}

/** LangGraph stores what a `task()` asks once more with the task that called it, under the same id of its own. */
function isSame(root: TaskWrites | undefined, task: TaskWrites): boolean {
  return root?.interrupt?.id !== undefined && root.interrupt.id === task.interrupt?.id;
}

/** Which graph a checkpoint is of: "" is the root, and below it "review:task". */
export function namespaceOf({ config }: CheckpointTuple): string {
  return String(config.configurable?.["checkpoint_ns"] ?? "");
}

function mayAskBelow(writes: TaskWrites | undefined): boolean {
  if (writes === undefined || writes.finished) return false;
  if (writes.errorHandled) return true; // its handler may ask
  return writes.interrupt !== undefined && writes.interrupt.perdure?.nested !== false;
}

function isBelow(namespace: string, ancestor: string): boolean {
  return namespace === ancestor || namespace.startsWith(`${ancestor}|`);
}

/** Whether the task that a subgraph belongs to is still under way: an inner loop leaves finished ones behind. */
function isCurrent(namespace: string, rootTaskId: string, all: ReadonlyMap<string, Map<string, TaskWrites>>): boolean {
  const cut = namespace.lastIndexOf("|");
  const taskId = namespace.slice(cut + 1).split(":")[1];
  if (taskId === undefined) return true;
  if (cut === -1) return taskId === rootTaskId;
  const parent = all.get(namespace.slice(0, cut))?.get(taskId);
  return parent === undefined || !parent.finished;
}
