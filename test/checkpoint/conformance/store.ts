import { randomUUID } from "node:crypto";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import type { Checkpoint, CheckpointTuple, PendingWrite } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { COMMIT_KEY } from "perdure/checkpoint";
import type { Checkpointer, CommitGuard } from "perdure/checkpoint";

/** A store of one backend, empty at first. */
export interface Store {
  /** Opens it: once more beside those that are open where the backend is shared, else after they closed. */
  open(): Promise<Checkpointer>;
  /** Called once when everything is closed. */
  remove?(): Promise<void>;
}

/** What the suite must know of a backend. */
export interface Backend {
  fresh(): Promise<Store>;
  /** Whether threads are still there when the store is opened again. */
  readonly durable: boolean;
  /** Whether several checkpointers, as of several processes, may have one store open. */
  readonly shared: boolean;
  /** Whether a channel is stored once for each version, and not with each checkpoint as MemorySaver does. */
  readonly storesChannelsApart: boolean;
  /** How many random runs a property is tried with. */
  readonly propertyRuns: number;
}

/** A thread nobody used before. */
export function newThread(): string {
  return `thread-${randomUUID()}`;
}

/** What one checkpoint to put is made of. */
export interface PutOptions {
  readonly threadId: string;
  readonly checkpointNs?: string;
  /** The parent that the config names. */
  readonly parent?: string | undefined;
  readonly values?: Record<string, unknown>;
  readonly guard?: CommitGuard | undefined;
  readonly id?: string;
}

/** Puts a checkpoint and returns its id. */
export async function put(checkpointer: Checkpointer, options: PutOptions): Promise<string> {
  const { threadId, checkpointNs = "", parent, values = {}, guard, id = uuid6(0) } = options;
  const versions = Object.fromEntries(
    Object.keys(values).map((name) => [name, checkpointer.getNextVersion(undefined)]),
  );
  const checkpoint: Checkpoint = { ...emptyCheckpoint(), id, channel_values: values, channel_versions: versions };
  const config = configOf({ threadId, checkpointNs, checkpointId: parent, guard });
  const stored = await checkpointer.put(config, checkpoint, { source: "loop", step: 0, parents: {} }, versions);
  return stored.configurable?.["checkpoint_id"] as string;
}

/** Puts the writes of a task. */
export function putWrites(
  checkpointer: Checkpointer,
  at: { threadId: string; checkpointNs?: string; checkpointId: string; guard?: CommitGuard },
  writes: PendingWrite[],
  taskId = "task",
): Promise<void> {
  return checkpointer.putWrites(configOf({ checkpointNs: "", ...at }), writes, taskId);
}

/** The newest checkpoint of a namespace, or the given one. */
export function read(
  checkpointer: Checkpointer,
  threadId: string,
  at: { checkpointNs?: string; checkpointId?: string } = {},
): Promise<CheckpointTuple | undefined> {
  return checkpointer.getTuple(configOf({ threadId, checkpointNs: "", ...at }));
}

/** Everything that is stored of a thread. */
export async function everything(checkpointer: Checkpointer, threadId: string): Promise<unknown> {
  const checkpoints = await collect(checkpointer.list({ configurable: { thread_id: threadId } }));
  return { checkpoints, record: await checkpointer.readRecord(threadId) };
}

/** All that an iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function configOf(at: {
  threadId: string;
  checkpointNs: string;
  checkpointId?: string | undefined;
  guard?: CommitGuard | undefined;
}): RunnableConfig {
  return {
    configurable: {
      thread_id: at.threadId,
      checkpoint_ns: at.checkpointNs,
      ...(at.checkpointId === undefined ? {} : { checkpoint_id: at.checkpointId }),
      ...(at.guard === undefined ? {} : { [COMMIT_KEY]: at.guard }),
    },
  };
}
