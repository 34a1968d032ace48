import type { Item } from "@langchain/langgraph-checkpoint";
import type { Condition } from "./filter.ts";

/** Where an item is. */
export interface ItemKey {
  readonly namespace: readonly string[];
  readonly key: string;
}

/** A new value of an item, or its end. */
export interface ItemWrite extends ItemKey {
  /** An object as JSON; undefined deletes the item. */
  readonly json: string | undefined;
  /** The embeddings of its texts, none when it is not indexed. */
  readonly vectors: readonly Float32Array[];
}

/** Which items are wanted, newest write first. */
export interface ItemQuery {
  readonly prefix: readonly string[];
  readonly conditions: readonly Condition[];
  /** May be Infinity. */
  readonly limit: number;
  readonly offset: number;
}

/** Which namespaces are wanted, in the order of their labels. A label `*` in a path stands for any one. */
export interface NamespaceQuery {
  readonly prefixes: readonly (readonly string[])[];
  readonly suffixes: readonly (readonly string[])[];
  /** Longer ones are cut to this many labels. */
  readonly maxDepth: number | undefined;
  /** May be Infinity. */
  readonly limit: number;
  readonly offset: number;
}

/** An item that may be ranked. */
export interface RankCandidate {
  /** Names the item as it is now, for {@link StoreBackend.readRanked}. */
  readonly id: number;
  /** The embeddings of its texts, one after the other; undefined when it has none. */
  readonly vectors: Float32Array | undefined;
}

/**
 * Where a store keeps its items. What it is given has been checked, and an item that has expired is
 * not there. Errors are PerdureErrors where it can be said what to do.
 */
export interface StoreBackend {
  /** The items in the order of the keys; undefined where there is none. */
  read(keys: readonly ItemKey[]): Promise<(Item | undefined)[]>;
  search(query: ItemQuery): Promise<Item[]>;
  /** All that fit, newest write first. */
  rankCandidates(query: Pick<ItemQuery, "prefix" | "conditions">): Promise<RankCandidate[]>;
  /** Those that are still as they were, in the order of the ids. */
  readRanked(ids: readonly number[]): Promise<(Item | undefined)[]>;
  listNamespaces(query: NamespaceQuery): Promise<string[][]>;
  /** All of them or none; no two have the same key. The last one counts as the newest. */
  write(writes: readonly ItemWrite[]): Promise<void>;
  /** Removes what has expired, and returns how many items that were. */
  deleteExpired(): Promise<number>;
  /** Ends what was opened for the store alone. */
  close(): Promise<void>;
}
