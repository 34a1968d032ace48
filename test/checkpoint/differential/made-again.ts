import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import type { BaseCheckpointSaver, Checkpoint } from "@langchain/langgraph-checkpoint";

const values = { list: [{ text: "x".repeat(300) }], note: { text: "y".repeat(300) } };
const versions = { list: 1.5, note: 1.25 };

/**
 * A thread that one saver remembers; another one deletes it and makes it again just so, as an import does. What is
 * remembered of it lies nowhere any more when the first one goes on.
 *
 * @returns the values that are read, and those that were put
 */
export async function goOnWhenMadeAgain(one: BaseCheckpointSaver, other: BaseCheckpointSaver) {
  const id = uuid6(0);
  const at = (checkpoint_id?: string) => ({ configurable: { thread_id: "again", checkpoint_ns: "", checkpoint_id } });
  const make = (by: BaseCheckpointSaver) =>
    by.put(at(), checkpointOf(id, structuredClone(values), versions), metadata, versions);
  await make(one);
  await other.deleteThread("again");
  await make(other);
  const { checkpoint } = (await other.getTuple(at(id)))!;
  const next = checkpointOf(uuid6(1), { ...checkpoint.channel_values, count: 1 }, { ...versions, count: 1.125 });
  await one.put(at(id), next, metadata, { count: 1.125 });
  return { read: (await other.getTuple(at()))?.checkpoint.channel_values, put: { ...values, count: 1 } };
}

const metadata = { source: "loop", step: 0, parents: {} } as const;

function checkpointOf(
  id: string,
  channel_values: Record<string, unknown>,
  channel_versions: Record<string, number>,
): Checkpoint {
  return { ...emptyCheckpoint(), id, channel_values, channel_versions };
}
