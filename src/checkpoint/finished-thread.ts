import { TASKS } from "@langchain/langgraph-checkpoint";
import type { Checkpoint } from "@langchain/langgraph-checkpoint";

/** The newest checkpoint of a thread's root, as far as it tells whether the thread is done. */
export interface ThreadHead {
  readonly checkpoint: Pick<Checkpoint, "channel_values" | "channel_versions" | "versions_seen">;
  /** Results, questions and errors of its tasks. */
  readonly pendingWrites?: readonly unknown[] | undefined;
}

/** What LangGraph keeps among the nodes' versions that is no node. */
const NO_NODES = new Set(["__interrupt__", "__input__", "__snapshot_bumps__"]);

/** A channel that LangGraph makes to run a node: after another one, or after several. */
const TRIGGER = /^(?:__start__$|branch:|join:)/u;

/**
 * Whether nothing is left to run, as far as that can be told without the graph: no task of the newest checkpoint
 * has written anything, and no channel that runs a node has a value that the node has not seen. Where it cannot
 * be told, as with a channel of somebody's own that runs a node for the first time, the thread counts as done.
 */
export function isFinished({ checkpoint, pendingWrites = [] }: ThreadHead): boolean {
  if (pendingWrites.length > 0) return false;
  const { channel_values: values, channel_versions: versions, versions_seen: seen } = checkpoint;
  const nodes = Object.entries(seen).filter(([node]) => !NO_NODES.has(node));
  return Object.entries(values).every(([channel, value]) => {
    // What an empty channel may leave behind.
    if (value === undefined) return true;
    if (channel === TASKS) return Array.isArray(value) && value.length === 0;
    if (channel.startsWith("join:") && !isComplete(channel, value)) return true;
    const version = versions[channel] ?? 0;
    const seenBy = nodes.flatMap(([, channels]) => channels[channel] ?? []);
    if (seenBy.length === 0) return !TRIGGER.test(channel);
    return seenBy.every((last) => last >= version);
  });
}

/** Whether all nodes have come that a channel waits for: `join:first+second:then` holds the names of those that came. */
function isComplete(channel: string, value: unknown): boolean {
  if (!Array.isArray(value)) return true;
  // A node that waits for the end of all others has the names and whether that has come.
  const names: readonly unknown[] = Array.isArray(value[0]) ? value[0] : value;
  const wanted = channel.slice("join:".length, channel.lastIndexOf(":"));
  return names.join("+").length === wanted.length;
}
