import { TASKS } from "@langchain/langgraph-checkpoint";
import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { PerdureError } from "../errors/index.ts";
import { namespaceOf } from "./nested-questions.ts";
import { writesByTask } from "./pending-writes.ts";

/** The names that a graph has, as far as they tell what it can run. */
export interface GraphNames {
  readonly nodes: ReadonlySet<string>;
  readonly channels: ReadonlySet<string>;
  /** Those of the nodes that are graphs themselves. */
  readonly below: ReadonlyMap<string, GraphNames>;
}

/** The channel by which LangGraph has a node run after one other, or after several. */
const TRIGGER = /^(?:branch:to:(?<after>.*)|join:(?<several>.*):(?<then>[^:]*))$/su;

/**
 * The nodes where a thread goes next and which its graph does not have, or not by that way: LangGraph passes over what it
 * does not know, and would take the thread for done. Looks at the newest checkpoint of the root, or of a subgraph, and at
 * what finished tasks of its superstep wrote. Of an edge from several nodes, only one whose nodes have all come counts.
 * @returns names of the root's nodes; of those below with the subgraph before them, as "review|ask". Of a graph that is called
 *   in a node's function nothing is known, so none.
 */
export function missingNodes(names: GraphNames, head: CheckpointTuple): string[] {
  const namespace = namespaceOf(head);
  const path = namespace === "" ? [] : namespace.split("|").map((part) => part.split(":", 1)[0] ?? "");
  let own: GraphNames | undefined = names;
  for (const node of path) own = own?.below.get(node);
  return own === undefined ? [] : missingIn(own, head).map((node) => [...path, node].join("|"));
}

function missingIn({ nodes, channels }: GraphNames, head: CheckpointTuple): string[] {
  const { channel_values: values, channel_versions: versions, versions_seen: seen } = head.checkpoint;
  const missing = new Set<string>();
  const joins = new Map<string, Set<unknown>>();

  const look = (channel: string, value: unknown, isSeenBy: (node: string) => boolean): void => {
    if (channel === TASKS) {
      for (const node of nodesSentTo(value)) if (!nodes.has(node)) missing.add(node);
      return;
    }
    const { after, several, then } = channels.has(channel) ? {} : (TRIGGER.exec(channel)?.groups ?? {});
    const node = after ?? then;
    if (node === undefined || isSeenBy(node)) return;
    if (after !== undefined) missing.add(after);
    if (several === undefined || then === undefined) return;
    const come = joins.get(channel) ?? new Set();
    joins.set(channel, come);
    for (const name of namesOf(value)) come.add(name);
    if ([...come].join("+").length === several.length) missing.add(then);
  };

  for (const [channel, value] of Object.entries(values)) {
    if (value === undefined) continue; // what an empty channel may leave behind
    look(channel, value, (node) => isAtLeast(seen[node]?.[channel], versions[channel]));
  }
  for (const { finished, result } of writesByTask(head.pendingWrites ?? []).values()) {
    if (finished) for (const [channel, value] of result) look(channel, value, () => false);
  }
  return [...missing].toSorted();
}

function isAtLeast(seen: string | number | undefined, version: string | number | undefined): boolean {
  return seen !== undefined && version !== undefined && seen >= version;
}

/** Where what is sent goes: in a checkpoint a list of Sends, in a task's writes one. */
function nodesSentTo(value: unknown): string[] {
  const packets: readonly unknown[] = Array.isArray(value) ? value : [value];
  return packets.flatMap((packet) => {
    const node: unknown = typeof packet === "object" && packet !== null && "node" in packet ? packet.node : undefined;
    return typeof node === "string" ? [node] : [];
  });
}

/** Who has come: in a checkpoint all of them, and of a node that waits for the end of all others also whether that has come. */
function namesOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) return [value];
  return Array.isArray(value[0]) ? (value[0] as unknown[]) : value;
}

/** The graph lacks nodes that a thread goes to next. */
export function graphChanged(threadId: string, nodes: readonly string[]): PerdureError {
  return new PerdureError("GRAPH_CHANGED", lacking(threadId, nodes), {
    hint: "Drive it with a graph that has them, or say how to go on: runner.update with asNode, runner.fork, or a start with supersede.",
  });
}

/** What is wrong with a thread that goes on at such nodes. */
export function lacking(threadId: string, nodes: readonly string[]): string {
  const names = nodes.map((node) => `"${node}"`).join(", ");
  return `Thread "${threadId}" goes on at ${names}, which its graph has not any more.`;
}
