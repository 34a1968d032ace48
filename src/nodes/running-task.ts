/**
 * The one file of this folder that knows what LangGraph keeps in a running task's config. Everything
 * else here reads it through these functions, so a LangGraph that renames a key is a change of this file.
 */
import { task } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { AsyncLocalStorageProviderSingleton } from "@langchain/core/singletons";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { PerdureError } from "../errors/index.ts";

/** LangGraph's notes on a running task: how many questions, calls and subgraphs it has met so far. */
export interface Scratchpad {
  interruptCounter: number;
  callCounter: number;
  subgraphCounter: number;
}

/** Which task is running: the same after a retry, a crash and a resume. */
export interface TaskIdentity {
  /** Absent when the graph has no checkpointer. */
  readonly threadId: string | undefined;
  /** Made by LangGraph of the checkpoint the task started from, its node and its place. */
  readonly taskId: string;
}

/**
 * The config of the running node, as `interrupt` finds it.
 * @throws PerdureError `OUTSIDE_GRAPH` when no node is running; `caller` stands in the message
 */
export function currentConfig(caller: string): LangGraphRunnableConfig {
  const config: LangGraphRunnableConfig | undefined = AsyncLocalStorageProviderSingleton.getRunnableConfig();
  if (config === undefined || scratchpadOf(config) === undefined) {
    throw new PerdureError("OUTSIDE_GRAPH", `${caller} was called where no node of a graph is running.`, {
      hint: "Call it inside a node or a tool, before that returns.",
    });
  }
  return config;
}

/** Runs `fn` with `config` as the one that `interrupt`, `once` and LangChain's runnables find. */
export function runWithConfig<T>(config: LangGraphRunnableConfig, fn: () => T): T {
  return AsyncLocalStorageProviderSingleton.runWithConfig(config, fn);
}

/** Where a runner's clock stands in `configurable`: a function that tells the time by which timers are due. */
export const CLOCK_KEY = "__perdure_clock";

/** The time of whoever drives the task, in milliseconds since the epoch. */
export function clockOf(config: LangGraphRunnableConfig): number {
  const now: unknown = config.configurable?.[CLOCK_KEY];
  return typeof now === "function" ? (now as () => number)() : Date.now();
}

/** The running task, read off its config. */
export function taskIdentity(config: LangGraphRunnableConfig): TaskIdentity {
  const configurable: Record<string, unknown> = config.configurable ?? {};
  const threadId = config.executionInfo?.threadId ?? configurable["thread_id"];
  const taskId = config.executionInfo?.taskId ?? configurable["__pregel_task_id"];
  return { threadId: threadId === undefined ? undefined : String(threadId), taskId: String(taskId ?? "") };
}

/** The task's scratchpad; undefined outside of a graph. */
export function scratchpadOf(config: LangGraphRunnableConfig): Scratchpad | undefined {
  const configurable: Record<string, unknown> = config.configurable ?? {};
  return configurable["__pregel_scratchpad"] as Scratchpad | undefined;
}

/** A copy of the config with another scratchpad in it. */
export function withScratchpad(config: LangGraphRunnableConfig, scratchpad: Scratchpad): LangGraphRunnableConfig {
  return { ...config, configurable: { ...config.configurable, __pregel_scratchpad: scratchpad } };
}

/**
 * A copy of the config in which LangGraph can neither ask nor begin anything that it would keep a record of: a
 * question, a task, a graph. Whoever tries gets what `refused` makes.
 */
export function withoutCalls(config: LangGraphRunnableConfig, refused: () => Error): LangGraphRunnableConfig {
  const refuse = (): never => {
    throw refused();
  };
  const closed: PropertyDescriptor = { get: refuse, set: refuse };
  const counters = { interruptCounter: closed, callCounter: closed, subgraphCounter: closed };
  const scratchpad = Object.create(scratchpadOf(config) as Scratchpad, counters) as Scratchpad;
  const { configurable, ...rest } = withScratchpad(config, scratchpad);
  return { ...rest, configurable: { ...configurable, __pregel_call: refuse } };
}

/** Throws what {@link withoutCalls} was given where nothing may be begun. */
export function assertMayCall(config: LangGraphRunnableConfig): void {
  void scratchpadOf(config)?.callCounter;
}

/** Where the task's graph stores its checkpoints; undefined without a checkpointer. */
export function checkpointerOf(config: LangGraphRunnableConfig): BaseCheckpointSaver | undefined {
  const configurable: Record<string, unknown> = config.configurable ?? {};
  return configurable["__pregel_checkpointer"] as BaseCheckpointSaver | undefined;
}

/** A channel of the state as it was when the superstep began; undefined for one that is not there or empty. */
export function readChannel(config: LangGraphRunnableConfig, channel: string): unknown {
  const configurable: Record<string, unknown> = config.configurable ?? {};
  const read = configurable["__pregel_read"];
  if (typeof read !== "function") return undefined;
  const values: unknown = (read as (select: string[]) => unknown)([channel]);
  return typeof values === "object" && values !== null ? (values as Record<string, unknown>)[channel] : undefined;
}

/**
 * Calls `fn` as a LangGraph task of the running one. LangGraph knows a call by its name and by how many
 * calls came before it; here that count is always `index`, so a call keeps its record however the
 * code around it runs. The call hears of no signal: LangChain would drop what `fn` returns after it, and the
 * failed call would take the superstep with it, though a next attempt of the node may do better.
 * @param scratchpad the one that LangGraph made
 */
export async function callTask<T>(
  config: LangGraphRunnableConfig,
  scratchpad: Scratchpad,
  name: string,
  index: number,
  fn: () => Promise<T>,
): Promise<T | undefined> {
  const { signal, ...deaf } = config;
  const call = task(name, () => {
    const own = currentConfig(name);
    return signal === undefined ? fn() : runWithConfig({ ...own, signal }, fn);
  });
  const calls = scratchpad.callCounter;
  let returned: Promise<unknown>;
  scratchpad.callCounter = index;
  try {
    returned = runWithConfig(deaf, call); // reads the counter before it first waits
  } finally {
    scratchpad.callCounter = calls;
  }
  const result = await returned;
  return (isSettledTask(result) ? result.result : result) as T | undefined;
}

/** What LangGraph returns in place of the result for a call that it has not yet put aside as finished. */
function isSettledTask(value: unknown): value is { readonly result: unknown } {
  return typeof value === "object" && value !== null && "task" in value && "signalAborted" in value;
}

/**
 * Stores what a LangGraph task returned, and waits until it is stored. LangGraph stores the same again
 * by itself, but lets the caller go on before that is done. Called inside of the task.
 */
export async function storeReturn(caller: string, value: unknown): Promise<void> {
  const config = currentConfig(caller);
  const checkpointer = checkpointerOf(config);
  const info = config.executionInfo;
  if (checkpointer === undefined || info?.threadId === undefined) return;
  await checkpointer.putWrites(
    {
      configurable: {
        ...config.configurable,
        checkpoint_ns: graphNamespace(config, info.checkpointId),
        checkpoint_id: info.checkpointId,
      },
    },
    [["__return__", value]],
    info.taskId,
  );
}

/** A checkpoint that a task builds on. */
export interface TaskCheckpoint {
  /** The namespace of the graph it is of. */
  readonly namespace: string;
  readonly id: string;
}

/**
 * The checkpoints that the running task builds on: that of its own graph, and those of the graphs around it.
 * A node, and each call inside of it, has a longer namespace of its own, in which nothing is stored.
 */
export function taskCheckpoints(config: LangGraphRunnableConfig): TaskCheckpoint[] {
  const heads = (config.configurable?.["checkpoint_map"] ?? {}) as Readonly<Record<string, string>>;
  const namespaces = new Map<string, string>();
  for (const [namespace, id] of Object.entries(heads)) {
    if (namespace.length < (namespaces.get(id)?.length ?? Infinity)) namespaces.set(id, namespace);
  }
  return [...namespaces].map(([id, namespace]) => ({ namespace, id }));
}

/** The namespace of the graph that is at this checkpoint. */
function graphNamespace(config: LangGraphRunnableConfig, checkpointId: string): string {
  return taskCheckpoints(config).find(({ id }) => id === checkpointId)?.namespace ?? "";
}
