/**
 * The one file that knows Pregel's shape and its private keys. Nothing else in the library touches
 * them, so a second engine, or a LangGraph that renames one, is a change of this file.
 */
import type { BaseCheckpointSaver, CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { copyCheckpoint } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { z } from "zod";
import { PerdureError } from "../errors/index.ts";
import type { GraphNames } from "./missing-nodes.ts";
import { withPlainWriters } from "./plain-writers.ts";
import { TupleSaver } from "./tuple-saver.ts";

/** Keys LangGraph uses inside `configurable`. */
export const PREGEL_KEY = {
  checkpointer: "__pregel_checkpointer",
  resuming: "__pregel_resuming",
  send: "__pregel_send",
  taskId: "__pregel_task_id",
} as const;

/** Channels of pending writes that LangGraph reserves; see its constants.ts. */
export const CHANNEL = {
  error: "__error__",
  errorSource: "__error_source_node__",
  interrupt: "__interrupt__",
  noWrites: "__no_writes__",
  resume: "__resume__",
  scheduled: "__scheduled__",
} as const;

const NOT_A_RESULT = new Set<string>([
  CHANNEL.error,
  CHANNEL.errorSource,
  CHANNEL.interrupt,
  CHANNEL.resume,
  CHANNEL.scheduled,
]);

/** Whether a pending write on this channel is part of a task's result: one that has any is finished. */
export function isResult(channel: string): boolean {
  return !NOT_A_RESULT.has(channel);
}

/** The node that maps a StateGraph's input to its channels; it runs as a superstep of its own. */
export const START_NODE = "__start__";

/** A LangChain config with what LangGraph adds for a task. */
export interface TaskConfig extends RunnableConfig {
  readonly executionInfo?: { readonly taskId: string; readonly checkpointId: string; readonly checkpointNs: string };
  readonly heartbeat?: () => void;
}

/** What runs a task's node: anything with an `invoke`. */
export interface TaskRunnable {
  invoke(input: unknown, config: TaskConfig): Promise<unknown>;
}

/** A PregelNode, as far as we use it. */
export interface PregelNodeLike {
  readonly isErrorHandler?: boolean;
  /** The channels it reads, by the keys of its input. */
  readonly channels?: Readonly<Record<string, string>> | readonly string[];
  /** Its time limit. */
  readonly timeout?: unknown;
  /** The node that gets this one's failures. */
  readonly errorHandlerNode?: string;
  readonly retryPolicy?: {
    readonly maxAttempts?: number;
    readonly initialInterval?: number;
    readonly backoffFactor?: number;
    readonly maxInterval?: number;
    readonly jitter?: boolean;
    readonly retryOn?: (error: unknown) => boolean;
  };
  readonly subgraphs?: readonly unknown[];
  /** What it was made of: for a subgraph, that graph. */
  readonly bound?: unknown;
  /** What writes its result to the channels. */
  readonly writers?: readonly unknown[];
  getNode(): TaskRunnable | undefined;
}

/** A compiled graph or entrypoint, as far as we use it. */
export interface PregelLike {
  readonly lg_is_pregel: true;
  readonly name?: string;
  readonly nodes: Readonly<Record<string, PregelNodeLike>>;
  readonly channels: Readonly<Record<string, unknown>>;
  readonly autoValidate: boolean;
  /** The limit for a superstep, in milliseconds. */
  readonly stepTimeout?: number;
  readonly outputChannels: string | readonly string[];
  /** Long-term memory that it was compiled with. */
  readonly store?: unknown;
  /** What a StateGraph was compiled from: conditional edges by the node that they lead from. */
  readonly builder?: { readonly branches?: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
  /** From `withConfig`. */
  readonly config?: RunnableConfig;
  readonly interruptBefore?: readonly string[] | "*";
  readonly interruptAfter?: readonly string[] | "*";
  stream(input: unknown, options: Readonly<Record<string, unknown>>): Promise<AsyncIterable<StreamChunk | FlatChunk>>;
  getState(config: RunnableConfig): Promise<SnapshotLike>;
  updateState(config: RunnableConfig, values: unknown, asNode?: string): Promise<RunnableConfig>;
}

/** One piece of a stream with `subgraphs: true` and a list of modes. */
export type StreamChunk = readonly [namespace: readonly string[], mode: string, payload: unknown];

/** The same without `subgraphs`. */
export type FlatChunk = readonly [mode: string, payload: unknown];

/**
 * The namespace of the graph that a message was streamed in. Before 1.7 LangGraph counted the task itself to it, in
 * this mode only.
 */
export function graphOfMessage(
  namespace: readonly string[],
  metadata: Readonly<Record<string, unknown>>,
): readonly string[] {
  const ofTask = metadata["langgraph_checkpoint_ns"] ?? metadata["checkpoint_ns"];
  return namespace.join("|") === ofTask ? namespace.slice(0, -1) : namespace;
}

interface SnapshotLike {
  readonly values: unknown;
  readonly tasks: readonly { readonly id: string; readonly name: string }[];
}

/** Takes the compiled graph out of what people have: a builder, a compiled graph, an agent, an entrypoint. */
export function toPregel(graph: unknown): PregelLike {
  if (isPregel(graph)) return graph;
  if (typeof graph === "object" && graph !== null) {
    if ("graph" in graph && isPregel(graph.graph)) return graph.graph; // createAgent's ReactAgent
    if ("compile" in graph && typeof graph.compile === "function") {
      const compiled: unknown = graph.compile();
      if (isPregel(compiled)) return compiled;
    }
  }
  throw new PerdureError("GRAPH_UNSUPPORTED", `A runner can't drive ${describe(graph)}.`, {
    hint: "Pass a StateGraph, a compiled graph, an agent made by createAgent, or a functional entrypoint.",
  });
}

/** The names of a graph's nodes and channels, and of its subgraphs'. */
export function namesOf({ nodes, channels }: PregelLike): GraphNames {
  const below = new Map<string, GraphNames>();
  for (const [name, { bound }] of Object.entries(nodes)) if (isLocal(bound)) below.set(name, namesOf(bound));
  return { nodes: new Set(Object.keys(nodes)), channels: new Set(Object.keys(channels)), below };
}

/**
 * A copy of the graph in which `wrap` replaces what runs each node; the graph itself stays as it is.
 * @param checkpointer where `getState` reads the history of delta channels, whatever saver it is given
 */
export function withNodes(
  pregel: PregelLike,
  checkpointer: BaseCheckpointSaver,
  wrap: (name: string, node: PregelNodeLike, run: TaskRunnable) => TaskRunnable,
): PregelLike {
  const nodes: Record<string, PregelNodeLike> = {};
  for (const [name, node] of Object.entries(pregel.nodes)) {
    nodes[name] =
      name === START_NODE
        ? node
        : withRun(withSubgraph(node), hasRouters(pregel, name), (run) => wrap(name, node, run));
  }
  const construct = pregel.constructor as new (fields: object) => PregelLike & Validating;
  return refusingBadInput(
    new construct({
      ...pregel,
      nodes,
      checkpointer,
      ...ownIndex(pregel),
    }),
  );
}

/** A copy of the graph that makes one attempt at each of its nodes; subgraphs are as they were. */
export function withoutRetries(pregel: PregelLike): PregelLike {
  const nodes = Object.fromEntries(
    Object.entries(pregel.nodes).map(([name, node]) => {
      const copy = Object.assign(Object.create(Object.getPrototypeOf(node)) as PregelNodeLike, node);
      return [name, Object.assign(copy, { retryPolicy: undefined })];
    }),
  );
  const construct = pregel.constructor as new (fields: object) => PregelLike & Validating;
  return refusingBadInput(new construct({ ...pregel, nodes, retryPolicy: undefined, ...ownIndex(pregel) }));
}

/** validate() fills this index again where the constructor calls it, and would double a shared one */
function ownIndex({ autoValidate }: PregelLike): object {
  return autoValidate ? { triggerToNodes: {} } : {};
}

/** What Pregel calls before it stores anything; both throw the schema's own errors. */
interface Validating {
  _validateInput(input: unknown): Promise<unknown>;
  _validateContext(context: unknown): Promise<unknown>;
}

/** Has a graph refuse what it can't begin with while the thread is still as it was. */
function refusingBadInput<T extends PregelLike & Validating>(pregel: T): T {
  const validate = async (what: string, by: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await by();
    } catch (cause) {
      const problem = cause instanceof z.core.$ZodError ? z.prettifyError(cause).replaceAll("\n", "; ") : String(cause);
      throw invalidInput(`The ${what} does not fit the graph's schema: ${problem}.`, cause);
    }
  };
  const [checkInput, checkContext] = [pregel._validateInput.bind(pregel), pregel._validateContext.bind(pregel)];
  pregel._validateInput = async (input) => {
    const isUpdate = typeof input === "object" && !Array.isArray(input);
    if (START_NODE in pregel.nodes && !isUpdate) throw invalidInput(`An input is an object, not ${describe(input)}.`);
    return validate("input", () => checkInput(input));
  };
  pregel._validateContext = (context) => validate("context", () => checkContext(context));
  return pregel;
}

function invalidInput(message: string, cause?: unknown): PerdureError {
  return new PerdureError("OPTIONS_INVALID", message, { hint: "Nothing was stored.", cause });
}

/**
 * A node that is a subgraph, with nodes whose own subgraphs go on where they stood; any other node as it
 * is. Not reached are subgraphs two deep of which a function calls the outer one: nothing names them.
 */
function withSubgraph(node: PregelNodeLike): PregelNodeLike {
  const { bound } = node;
  if (!isLocal(bound)) return node;
  const nodes: Record<string, PregelNodeLike> = {};
  for (const [name, inner] of Object.entries(bound.nodes)) {
    nodes[name] = withRun(withSubgraph(inner), hasRouters(bound, name), (run) => ({
      invoke: (input, config) => run.invoke(input, goingOn(config)),
    }));
  }
  const construct = bound.constructor as new (fields: object) => PregelLike;
  const subgraph = new construct({ ...bound, nodes, ...ownIndex(bound) });
  return Object.assign(Object.create(Object.getPrototypeOf(node)) as PregelNodeLike, node, { bound: subgraph });
}

/** Whether conditional edges lead from the node; who attached some to the compiled graph is not known here. */
function hasRouters({ builder }: PregelLike, name: string): boolean {
  return builder?.branches === undefined || Object.keys(builder.branches[name] ?? {}).length > 0;
}

function withRun(node: PregelNodeLike, hasRouters: boolean, wrap: (run: TaskRunnable) => TaskRunnable): PregelNodeLike {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(node)) as PregelNodeLike, node);
  let wrapped: TaskRunnable | undefined;
  copy.getNode = () => {
    if (wrapped === undefined) {
      const run = node.getNode();
      if (run === undefined) return undefined;
      wrapped = wrap(node.writers?.length ? withPlainWriters(run, hasRouters) : run);
    }
    return wrapped;
  };
  return copy;
}

/** The tasks of a checkpoint and its state; `applyFinished` adds what finished tasks wrote to the state. */
export async function snapshot(
  pregel: PregelLike,
  tuple: CheckpointTuple,
  options: { readonly saver: BaseCheckpointSaver; readonly applyFinished: boolean },
): Promise<{ values: unknown; tasks: { id: string; node: string }[] }> {
  // getState applies writes to the checkpoint it is given
  const copy: CheckpointTuple = { ...tuple, checkpoint: copyCheckpoint(tuple.checkpoint) };
  const { thread_id, checkpoint_id } = tuple.config.configurable ?? {};
  const { values, tasks } = await pregel.getState({
    configurable: {
      thread_id,
      ...(options.applyFinished ? {} : { checkpoint_id }),
      [PREGEL_KEY.checkpointer]: new TupleSaver(copy, options.saver),
    },
  });
  return { values, tasks: tasks.map(({ id, name }) => ({ id, node: name })) };
}

/** A RemoteGraph has no nodes. */
function isLocal(value: unknown): value is PregelLike {
  return isPregel(value) && typeof value.nodes === "object";
}

function isPregel(value: unknown): value is PregelLike {
  return typeof value === "object" && value !== null && "lg_is_pregel" in value && value.lg_is_pregel === true;
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return `a value of type ${value === null ? "null" : typeof value}`;
  return `an object of class ${value.constructor?.name ?? "Object"}`;
}

/**
 * The config for a task whose subgraph is to go on where it stood. LangGraph hands every task a
 * `checkpoint_id` of undefined, and a subgraph takes the mere key as the wish to run its finished
 * tasks, and the calls inside of them, again (as H16).
 */
export function goingOn(config: TaskConfig): TaskConfig {
  if (config.configurable === undefined || config.configurable["checkpoint_id"] !== undefined) return config;
  const { checkpoint_id: _, ...configurable } = config.configurable;
  return { ...config, configurable };
}

/**
 * Has a subgraph with a memory of its own (`checkpointer: true`) take its input where what it remembers is of an earlier
 * task. A drive without an input lets LangGraph take every subgraph for begun, and such a one would give back what it
 * had made the turn before. The config is changed in place: it is the one that LangGraph goes on with.
 * @param found what the subgraph is about to go on from
 */
export function beginAnew({ configurable }: RunnableConfig, found: CheckpointTuple): void {
  const ns = String(configurable?.["checkpoint_ns"] ?? "");
  if (configurable?.[PREGEL_KEY.resuming] !== true || ns === "") return;
  if (ns.slice(ns.lastIndexOf("|") + 1).includes(":")) return; // made for this very task
  const parents = Object.entries((configurable["checkpoint_map"] ?? {}) as Record<string, string>);
  if (parents.every(([above, id]) => above === ns || found.metadata?.parents?.[above] === id)) return;
  configurable[PREGEL_KEY.resuming] = false;
}

/** Whether a config comes from inside a running graph. */
export function isInsideGraph(config: RunnableConfig): boolean {
  return config.configurable !== undefined && "__pregel_read" in config.configurable;
}
