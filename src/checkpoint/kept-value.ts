import { randomUUID } from "node:crypto";
import { emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { stagingId } from "./staging-thread.ts";

const CHANNEL = "value";

/**
 * Keeps a value by itself, for whoever gets its key: what is too large for a message. In no list of threads, and not pruned:
 * {@link dropKeptValue} removes it.
 * @returns its key
 */
export async function keepValue(checkpointer: BaseCheckpointSaver, value: unknown): Promise<string> {
  const key = randomUUID();
  const version = checkpointer.getNextVersion(undefined);
  await checkpointer.put(
    { configurable: { thread_id: stagingId(key), checkpoint_ns: "" } },
    { ...emptyCheckpoint(), channel_values: { [CHANNEL]: value }, channel_versions: { [CHANNEL]: version } },
    { source: "input", step: -1, parents: {} },
    { [CHANNEL]: version },
  );
  return key;
}

/** Reads a value that is kept; undefined once it was dropped. */
export async function readKeptValue(
  checkpointer: BaseCheckpointSaver,
  key: string,
): Promise<{ readonly value: unknown } | undefined> {
  const configurable = { thread_id: stagingId(key), checkpoint_ns: "" };
  const tuple = await checkpointer.getTuple({ configurable });
  return tuple && { value: tuple.checkpoint.channel_values[CHANNEL] };
}

/** Removes a value that was kept. */
export async function dropKeptValue(checkpointer: BaseCheckpointSaver, key: string): Promise<void> {
  await checkpointer.deleteThread(stagingId(key));
}
