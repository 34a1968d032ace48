import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { Checkpointer, ThreadRecord } from "perdure/checkpoint";
import type { Names } from "./names.ts";

/** A checkpoint as it is stored, with names in place of ids. */
export interface StoredCheckpoint {
  readonly name: string;
  readonly namespace: string;
  readonly parent: string | undefined;
  readonly source: string;
  /** The checkpoint and its metadata. */
  readonly content: string;
  /** What tasks wrote on top of it, in the order in which the store gives it. */
  readonly writes: readonly StoredWrite[];
}

/** One write of a task. */
export interface StoredWrite {
  readonly task: string;
  readonly channel: string;
  readonly value: string;
}

/** All that is stored of a thread, with names in place of ids: two schedules that leave the same, leave an equal one. */
export interface StoredThread {
  /** Oldest first, by id. */
  readonly checkpoints: ReadonlyMap<string, StoredCheckpoint>;
  /** The newest checkpoint of the root. */
  readonly head: string | undefined;
  readonly record: ThreadRecord | undefined;
  /** The committed answers, as JSON, by the name of their interrupt. */
  readonly answers: ReadonlyMap<string, string>;
  /** The whole of it as text. */
  readonly text: string;
}

/** What is stored of a thread before anything is. */
export const NOTHING_STORED: StoredThread = {
  checkpoints: new Map(),
  head: undefined,
  record: undefined,
  answers: new Map(),
  text: "",
};

/** Channels of writes that wait, fail or answer: all others are a task's result. */
const NO_RESULT = new Set(["__error__", "__error_source_node__", "__interrupt__", "__resume__", "__scheduled__"]);

/** Whether a write on this channel is part of a task's result. */
export function isResult(channel: string): boolean {
  return !NO_RESULT.has(channel);
}

/** Reads all that is stored of a thread. */
export async function readStored(
  checkpointer: Checkpointer,
  threadId: string,
  names: Names,
  interruptIds: Iterable<string>,
): Promise<StoredThread> {
  const checkpoints: StoredCheckpoint[] = [];
  for await (const tuple of checkpointer.list({ configurable: { thread_id: threadId } })) {
    checkpoints.push(storedCheckpoint(tuple, names));
  }
  checkpoints.reverse();
  const record = await checkpointer.readRecord(threadId);
  const answers = new Map<string, string>();
  for (const id of [...interruptIds].toSorted((one, other) => (names.of(one) < names.of(other) ? -1 : 1))) {
    const found = await checkpointer.readAnswer(threadId, id);
    if (found !== undefined) answers.set(names.of(id), names.in(found.answer));
  }
  return {
    checkpoints: new Map(checkpoints.map((checkpoint) => [checkpoint.name, checkpoint])),
    head: checkpoints.findLast(({ namespace }) => namespace === "")?.name,
    record,
    answers,
    text: JSON.stringify([checkpoints, names.in(record), [...answers]]),
  };
}

function storedCheckpoint(tuple: CheckpointTuple, names: Names): StoredCheckpoint {
  const { configurable = {} } = tuple.config;
  const parent: unknown = tuple.parentConfig?.configurable?.["checkpoint_id"];
  return {
    name: names.of(tuple.checkpoint.id),
    namespace: names.in(configurable["checkpoint_ns"] ?? "").slice(1, -1),
    parent: typeof parent === "string" ? names.of(parent) : undefined,
    source: tuple.metadata?.source ?? "loop",
    content: names.in([tuple.checkpoint, tuple.metadata]),
    writes: (tuple.pendingWrites ?? []).map(([taskId, channel, value]) => ({
      task: names.of(taskId),
      channel,
      value: names.in(value),
    })),
  };
}
