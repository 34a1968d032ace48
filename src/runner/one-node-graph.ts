import { Annotation, START, StateGraph, isCommand, messagesStateReducer } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { PerdureError } from "../errors/index.ts";
import type { DrivableGraph } from "./graph-types.ts";
import { START_NODE, toPregel } from "./pregel.ts";
import type { PregelLike, PregelNodeLike, TaskConfig, TaskRunnable } from "./pregel.ts";

const OneNode = Annotation.Root({ state: Annotation<unknown>, update: Annotation<unknown> });

/** The names of a graph's nodes: those that somebody added, without error handlers. @throws GRAPH_UNSUPPORTED */
export function nodeNames(graph: DrivableGraph): string[] {
  const nodes = Object.entries(toPregel(graph).nodes);
  return nodes.flatMap(([name, { isErrorHandler }]) => (name === START_NODE || isErrorHandler === true ? [] : [name]));
}

/**
 * A graph around one node of another, for who wants to run that node by itself: it begins with a `state`, and ends with
 * what the node makes of it as its `update`. The node keeps its retry policy and its time limit, and finds the state where
 * it looks for it. It has no edges and no error handler any more; what a Command says besides its update is dropped.
 * @throws GRAPH_UNSUPPORTED
 */
export function oneNodeGraph(graph: DrivableGraph, name: string) {
  const pregel = toPregel(graph);
  const node = pregel.nodes[name];
  const bound = node?.bound as TaskRunnable | undefined;
  if (node === undefined || typeof bound?.invoke !== "function") {
    throw new PerdureError("GRAPH_UNSUPPORTED", `The graph has no node "${name}" that can be run by itself.`, {
      hint: `Its nodes are: ${nodeNames(graph).join(", ")}.`,
    });
  }
  const run = async ({ state }: typeof OneNode.State, config: LangGraphRunnableConfig) => {
    const input = stateOf(pregel, node, state);
    const update = updateOf(await bound.invoke(input, reading(input, config)));
    return { update: withLists(pregel, update) };
  };
  const options = {
    ...(node.retryPolicy === undefined ? {} : { retryPolicy: node.retryPolicy }),
    ...(node.timeout === undefined ? {} : { timeout: node.timeout }),
  };
  const alone = new StateGraph(OneNode)
    .addNode(name, run as () => object, options as object)
    .addEdge(START, name as typeof START);
  return alone.compile({ ...(pregel.store === undefined ? {} : { store: pregel.store as never }) });
}

/** The state as the node gets it: messages as messages, and what is not given as the graph begins with it. */
function stateOf({ channels }: PregelLike, node: PregelNodeLike, given: unknown): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given; // as something was sent to it
  const state: Record<string, unknown> = {};
  for (const key of Object.values(node.channels ?? {})) {
    const value = initialValue(channels[key]);
    if (value !== undefined) state[key] = value;
  }
  for (const [key, value] of Object.entries(given)) {
    state[key] = holdsMessages(channels[key]) ? messagesStateReducer([], value as never) : (value as unknown);
  }
  return state;
}

function holdsMessages(channel: unknown): boolean {
  return (channel as { readonly operator?: unknown } | undefined)?.operator === messagesStateReducer;
}

/** A single message is a list of one. */
function withLists({ channels }: PregelLike, update: Readonly<Record<string, unknown>>) {
  const lists = Object.entries(update).filter(([key, value]) => holdsMessages(channels[key]) && !Array.isArray(value));
  return { ...update, ...Object.fromEntries(lists.map(([key, value]) => [key, [value]])) };
}

function initialValue(channel: unknown): unknown {
  const { fromCheckpoint } = (channel ?? {}) as { fromCheckpoint?: (value?: unknown) => ChannelLike };
  const fresh = fromCheckpoint?.call(channel, undefined);
  return fresh?.isAvailable() === true ? fresh.get() : undefined;
}

interface ChannelLike {
  isAvailable(): boolean;
  get(): unknown;
}

/** Whoever reads the state in the middle of the node, as tools do, reads the node's and not that of the graph around it. */
function reading(input: unknown, config: LangGraphRunnableConfig): TaskConfig {
  const configurable: Record<string, unknown> = config.configurable ?? {};
  const scratchpad = configurable["__pregel_scratchpad"] as { currentTaskInput?: unknown };
  scratchpad.currentTaskInput = input;
  const values = (typeof input === "object" ? (input ?? {}) : {}) as Readonly<Record<string, unknown>>;
  const read = (select: string | readonly string[]): unknown =>
    typeof select === "string" ? values[select] : Object.fromEntries(select.map((key) => [key, values[key]]));
  return { ...config, configurable: { ...configurable, __pregel_read: read } } as TaskConfig;
}

/** A node may return nothing, an update, a Command, or several of them. */
function updateOf(returned: unknown): Readonly<Record<string, unknown>> {
  if (isCommand(returned)) return updateOf(returned.update);
  if (!Array.isArray(returned)) return (returned ?? {}) as Record<string, unknown>;
  if (returned.every((part) => Array.isArray(part) && typeof part[0] === "string")) {
    return Object.fromEntries(returned as [string, unknown][]); // a Command's update as pairs
  }
  const merged: Record<string, unknown> = {};
  for (const [key, value] of returned.flatMap((part) => Object.entries(updateOf(part)))) {
    const before = merged[key];
    merged[key] = Array.isArray(before) ? before.concat(value) : value;
  }
  return merged;
}
