import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
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

/** Whether the thread goes on in this subgraph. One that was left, such as by a `Command` to its parent, stays behind where it stood. */
function isGoneOnWith(namespace: string, heads: ReadonlyMap<string, CheckpointTuple>): boolean {
  if (namespace === "") return true;
  const cut = namespace.lastIndexOf("|");
  const above = namespace.slice(0, Math.max(cut, 0));
  const parent = heads.get(above);
  if (parent === undefined || !isGoneOnWith(above, heads)) return false;
  const taskId = namespace.slice(cut + 1).split(":")[1];
  if (taskId === undefined) return heads.get(namespace)?.metadata?.parents?.[above] === parent.checkpoint.id;
  const task = writesByTask(parent.pendingWrites ?? []).get(taskId);
  return task?.interrupt !== undefined && !task.finished && !task.errorHandled;
}
