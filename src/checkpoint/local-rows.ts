import type { ChannelVersions } from "@langchain/langgraph-checkpoint";
import type { CommitPlace } from "./commit-guard.ts";
import type { StoredValue } from "./stored-value.ts";

/** A thread's record as it is stored; the epoch is readable without a serializer. */
export interface StoredRecord {
  readonly epoch: number;
  readonly value: StoredValue;
}

/** An answer as it is stored. */
export interface StoredAnswer {
  readonly value: StoredValue;
  readonly at: string;
}

/** One write of a task, as it is stored. */
export interface StoredWrite {
  /** Its position in the task's writes, or LangGraph's negative one of a special channel. */
  readonly index: number;
  readonly channel: string;
  readonly value: StoredValue;
  /** Where its task stands in the superstep, if LangGraph said so; see `Checkpointer.putWrites`. */
  readonly taskPath?: string;
}

/** A checkpoint that stays when others are removed, and the versions that it has of its channels. */
export interface KeptCheckpoint {
  readonly ns: string;
  readonly versions: ChannelVersions;
}

/** A checkpoint of a thread: where writes belong. */
export type WritesPlace = Pick<CommitPlace, "threadId" | "checkpointNs"> & { readonly checkpointId: string };
