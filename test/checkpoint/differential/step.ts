import type { CheckpointListOptions, CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import type { ListEditName } from "./list-edit.ts";
import type { Flavour } from "./random-value.ts";

/**
 * One call, or two that belong together, to a saver. It is plain data: values are made from its seeds, so the
 * reference, the saver under test and another process each make their own, equal ones.
 */
export type Step = PutStep | WritesStep | ReadStep | ListStep | HistoryStep | NewestStep | DeleteStep;

/** A namespace of a thread. */
export interface Place {
  readonly thread: string;
  readonly ns: string;
}

/** Puts a checkpoint, as a graph does after a superstep: the values of another one, with some changed. */
export interface PutStep extends Place {
  readonly kind: "put";
  readonly id: string;
  readonly parent: string | undefined;
  /** Whose values it starts from: its parent, or itself when it is put again, or the one it is a copy of. */
  readonly base: string | undefined;
  /** Read the base from the store (`head`: as the newest one), or go on with the values that are held? */
  readonly from: "held" | "stored" | "head";
  readonly changes: readonly ChannelChange[];
  readonly metadata: CheckpointMetadata;
  /** The node that has seen the present versions. */
  readonly seenBy: string | undefined;
  /** Change the lists in place as soon as the call was made: what counts is how they were. */
  readonly disturb: boolean;
  /** A node changed an item of a list in place and returned it, so it is written too. */
  readonly mutation: ItemMutation | undefined;
  /** The result of a task that led here, made of the very objects that the lists got; stored before, or meanwhile. */
  readonly result: { readonly task: string; readonly first: boolean; readonly shape: "items" | "lists" } | undefined;
  readonly guarded: boolean;
  /** Does not put it, and stores the result only: for the reference of a put that is refused. */
  readonly resultOnly?: true;
  /** Whether its lists may turn up in other checkpoints later. */
  readonly pooled: boolean;
}

/** A change of one channel. */
export interface ChannelChange {
  readonly channel: string;
  readonly version: number;
  /**
   * - `absent`: no value any more, or a DeltaChannel's, which is in the writes
   * - `value`: any value; `huge`: 1 MB of text
   * - `otherChannel`, `pool`: the very list of another channel, or of another checkpoint or thread
   * - `snapshot`: of a DeltaChannel
   */
  readonly how: ListEditName | "absent" | "value" | "huge" | "otherChannel" | "pool" | "snapshot";
  readonly flavour: Flavour;
  readonly seed: number;
}

/** See {@link PutStep.mutation}. */
export interface ItemMutation {
  readonly channel: string;
  readonly version: number;
  readonly seed: number;
  readonly task: string;
  /** What the node returned: the item, a list of it, or something that holds it, for a reducer to take out. */
  readonly wrapped: "not" | "in a list" | "deep";
  /** The list that is put: the same one, a copy, or a copy with the item at its end. */
  readonly list: "same" | "copy" | "moved";
}

/** Puts the writes of a task. */
export interface WritesStep extends Place {
  readonly kind: "writes";
  readonly id: string;
  readonly task: string;
  readonly writes: readonly {
    readonly channel: string;
    /** `given`: what the checkpoint has in that channel, as a node returns messages that it was given. */
    readonly what: "value" | "item" | "items" | "given" | "send" | "error" | "resume" | "interrupt";
    readonly seed: number;
  }[];
  readonly disturb: boolean;
  readonly guarded: boolean;
}

/** Reads one checkpoint, or the newest. */
export interface ReadStep extends Place {
  readonly kind: "read";
  readonly id: string | undefined;
}

/** Lists checkpoints: of a namespace, of all, or of all threads. */
export interface ListStep {
  readonly kind: "list";
  readonly thread: string | undefined;
  readonly ns: string | undefined;
  readonly id: string | undefined;
  readonly options: CheckpointListOptions;
  /** Stop reading after so many. */
  readonly take: number | undefined;
}

/** Reads what DeltaChannels are made of. */
export interface HistoryStep extends Place {
  readonly kind: "history";
  readonly id: string;
  readonly channels: readonly string[];
}

/** Reads the newest checkpoints of namespaces and of what is below them; not a method of LangGraph's savers. */
export interface NewestStep {
  readonly kind: "newest";
  readonly thread: string;
  readonly namespaces: readonly string[];
}

/** Deletes a thread. */
export interface DeleteStep {
  readonly kind: "delete";
  readonly thread: string;
}
