import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { Checkpointer } from "../checkpoint/index.ts";
import type { Engine } from "./engine.ts";
import { namespaceOf } from "./nested-questions.ts";
import type { NestedQuestions } from "./nested-questions.ts";
import { writesByTask } from "./pending-writes.ts";
import type { ThreadView } from "./thread-view.ts";

/** The nodes where subgraphs go next and which they do not have, by their namespaces: what is asked there is asked by none. */
export function missingBelow(
  engine: Engine,
  { head, writes }: Pick<ThreadView, "head" | "writes">,
  nested: ReadonlyMap<string, NestedQuestions>,
): ReadonlyMap<string, readonly string[]> {
  const heads = new Map([["", head]]);
  for (const [taskId, below] of nested) {
    if (writes.get(taskId)?.errorHandled === true) continue; // its handler asks, and goes on without the subgraph
    for (const inner of below.heads) heads.set(namespaceOf(inner), inner);
  }
  const missing = new Map<string, readonly string[]>();
  for (const [namespace, inner] of heads) {
    const nodes = namespace !== "" && isGoneOnWith(namespace, heads) ? engine.missingNodes(inner) : [];
    if (nodes.length > 0) missing.set(namespace, nodes);
  }
  return missing;
}

/**
 * The same of subgraphs at work: those whose driver died, or in which something failed. That takes a read of them, so a
 * drive looks at each when it comes to it.
 */
export async function missingAtWork(
  engine: Engine,
  checkpointer: Checkpointer,
  { threadId, head, writes, tasks }: ThreadView,
): Promise<readonly string[]> {
  const atWork = tasks.filter(
    ({ id, phase }) => (phase === "ready" || phase === "failed") && writes.get(id)?.errorHandled !== true,
  );
  if (atWork.length === 0) return [];
  const wanted = [...atWork.map(({ id, node }) => `${node}:${id}`), ...new Set(atWork.map(({ node }) => node))];
  const heads = new Map([["", head]]);
  for (const inner of await checkpointer.newestBelow(threadId, wanted)) heads.set(namespaceOf(inner), inner);
  const inner = [...heads].filter(([namespace]) => namespace !== "" && isAtWork(namespace, heads));
  return inner.flatMap(([, tuple]) => engine.missingNodes(tuple));
}

/** Whether this subgraph was begun in the present superstep of the one above it, and is not at its end. */
function isAtWork(namespace: string, heads: ReadonlyMap<string, CheckpointTuple>): boolean {
  if (namespace === "") return true;
  const { above, task, isOfPresentStep } = placeOf(namespace, heads);
  return isOfPresentStep && task?.finished !== true && task?.errorHandled !== true && isAtWork(above, heads);
}

/** Whether the thread goes on in this subgraph. One that was left, such as by a `Command` to its parent, stays behind where it stood. */
function isGoneOnWith(namespace: string, heads: ReadonlyMap<string, CheckpointTuple>): boolean {
  if (namespace === "") return true;
  const { above, taskId, task, isOfPresentStep } = placeOf(namespace, heads);
  if (!heads.has(above) || !isGoneOnWith(above, heads)) return false;
  if (taskId === undefined) return isOfPresentStep;
  return task?.interrupt !== undefined && !task.finished && !task.errorHandled;
}

/** Where a subgraph stands in the one above it. */
function placeOf(namespace: string, heads: ReadonlyMap<string, CheckpointTuple>) {
  const cut = namespace.lastIndexOf("|");
  const above = namespace.slice(0, Math.max(cut, 0));
  const parent = heads.get(above);
  // one with a memory of its own is no task's
  const taskId = namespace.slice(cut + 1).split(":")[1];
  const task = taskId === undefined ? undefined : writesByTask(parent?.pendingWrites ?? []).get(taskId);
  const isOfPresentStep = heads.get(namespace)?.metadata?.parents?.[above] === parent?.checkpoint.id;
  return { above, taskId, task, isOfPresentStep };
}
