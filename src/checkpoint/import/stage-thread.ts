import { isDeepStrictEqual } from "node:util";
import type { ChannelVersions, Checkpoint, CheckpointTuple, PendingWrite } from "@langchain/langgraph-checkpoint";
import { PerdureError } from "../../errors/index.ts";
import type { Checkpointer } from "../checkpointer.ts";
import { ASKED_AT_KEY } from "../commit-guard.ts";
import { differenceOf, itemsOnce } from "./difference-of.ts";
import type { LangGraphKey, LangGraphTables } from "./langgraph-tables.ts";

/** How many checkpoints are compared at once. */
const BATCH = 100;

/** Which checkpoints, oldest first, and where they are put. */
export interface Stage {
  readonly keys: readonly LangGraphKey[];
  readonly staging: string;
  /** Called when a batch was copied and compared, but for the last. */
  readonly onBatch: (copied: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Copies a thread from LangGraph's tables to the thread `staging`, oldest first, and compares each checkpoint as it is
 * read back.
 * @throws IMPORT_DIFFERS
 */
export async function stageThread(
  tables: LangGraphTables,
  checkpointer: Checkpointer,
  { keys, staging, onBatch, signal }: Stage,
): Promise<void> {
  const last = new Map<string, CheckpointTuple>();
  const stored: Stored[] = [];
  let next = keys[0] && read(tables, keys[0]);
  for (const [index, key] of keys.entries()) {
    signal?.throwIfAborted();
    const tuple = await next;
    const following = keys[index + 1];
    next = following && read(tables, following);
    if (tuple === undefined) throw differs(key, "it is gone from LangGraph's tables");
    const parent = last.get(key.ns);
    const shared = parent === undefined ? tuple : sharingItems(parent, tuple);
    await put(checkpointer, staging, key, shared, parent);
    last.set(key.ns, shared);
    stored.push({ key, tuple });
    if (stored.length < BATCH && following !== undefined) continue;
    await compare(checkpointer, staging, stored.splice(0));
    if (following !== undefined) onBatch(index + 1, keys.length);
  }
}

interface Stored {
  readonly key: LangGraphKey;
  readonly tuple: CheckpointTuple;
}

/** Reads the newest checkpoints back, as many as there are, and compares them. */
async function compare(checkpointer: Checkpointer, staging: string, stored: readonly Stored[]): Promise<void> {
  const listed = new Map<string, CheckpointTuple>();
  const thread = { configurable: { thread_id: staging } };
  for await (const tuple of checkpointer.list(thread, { limit: stored.length })) {
    listed.set(JSON.stringify([tuple.config.configurable?.["checkpoint_ns"], tuple.checkpoint.id]), tuple);
  }
  const isEqual = itemsOnce();
  for (const { key, tuple } of stored) {
    const configurable = { thread_id: staging, checkpoint_ns: key.ns, checkpoint_id: key.id };
    // Not every checkpointer lists the newest of all namespaces first.
    const found = listed.get(JSON.stringify([key.ns, key.id])) ?? (await checkpointer.getTuple({ configurable }));
    const difference = differenceOf(tuple, found, isEqual);
    if (difference !== undefined) throw differs(key, difference);
  }
}

/** Begins to read; an error is for whoever awaits it. */
function read(tables: LangGraphTables, key: LangGraphKey): Promise<CheckpointTuple | undefined> {
  const reading = tables.tuple(key);
  reading.catch(() => {});
  return reading;
}

async function put(
  checkpointer: Checkpointer,
  staging: string,
  { ns, id }: LangGraphKey,
  { checkpoint, metadata, parentConfig, pendingWrites = [] }: CheckpointTuple,
  before: CheckpointTuple | undefined,
): Promise<void> {
  const parentId: unknown = parentConfig?.configurable?.["checkpoint_id"];
  const at = (checkpointId: unknown) => ({
    configurable: { thread_id: staging, checkpoint_ns: ns, checkpoint_id: checkpointId },
  });
  const versions = before?.checkpoint.id === parentId ? newVersions(before?.checkpoint, checkpoint) : undefined;
  await checkpointer.put(
    at(parentId),
    checkpoint,
    metadata ?? { source: "loop", step: -1, parents: {} },
    versions ?? checkpoint.channel_versions,
  );
  const byTask = new Map<string, PendingWrite[]>();
  for (const [taskId, channel, value] of pendingWrites) {
    const writes = byTask.get(taskId);
    if (writes === undefined) byTask.set(taskId, [[channel, value]]);
    else writes.push([channel, value]);
  }
  const asked = Date.parse(checkpoint.ts);
  const config = {
    configurable: {
      ...at(id).configurable,
      ...(Number.isNaN(asked) ? {} : { [ASKED_AT_KEY]: new Date(asked).toISOString() }),
    },
  };
  await Promise.all([...byTask].map(([taskId, writes]) => checkpointer.putWrites(config, writes, taskId)));
}

function newVersions(before: Checkpoint | undefined, checkpoint: Checkpoint): ChannelVersions {
  const changed = Object.entries(checkpoint.channel_versions).filter(
    ([channel, version]) => before?.channel_versions[channel] !== version,
  );
  return Object.fromEntries(changed);
}

/**
 * The tuple with the very items of the one before where lists begin alike: by that the checkpointer sees that they
 * are stored, and stores and compares only what is new.
 */
function sharingItems(before: CheckpointTuple, tuple: CheckpointTuple): CheckpointTuple {
  const values = Object.entries(tuple.checkpoint.channel_values).map(([channel, value]) => {
    const old = before.checkpoint.channel_values[channel];
    if (!Array.isArray(value) || !Array.isArray(old)) return [channel, value] as const;
    const differing = value.findIndex((item, index) => index >= old.length || !isDeepStrictEqual(item, old[index]));
    const common = differing === -1 ? value.length : differing;
    return [channel, [...(old as unknown[]).slice(0, common), ...(value as unknown[]).slice(common)]] as const;
  });
  return { ...tuple, checkpoint: { ...tuple.checkpoint, channel_values: Object.fromEntries(values) } };
}

function differs({ threadId, ns, id }: LangGraphKey, what: string): PerdureError {
  const where = ns === "" ? "" : ` of namespace "${ns}"`;
  return new PerdureError(
    "IMPORT_DIFFERS",
    `checkpoint ${id}${where} of thread "${threadId}" was not imported as it is: ${what}.`,
    {
      hint: "Nothing of the thread was imported. See that nobody writes to it, and import it again.",
    },
  );
}
