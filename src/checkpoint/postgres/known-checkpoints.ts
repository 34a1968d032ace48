import type { ChannelVersions } from "@langchain/langgraph-checkpoint";
import type { Primitives } from "./known-items.ts";
import type { ListRef } from "./list-ref.ts";

/** Where the value of a channel is stored: in the checkpoint's own row, in a row, or as a list. */
export type ValueRef =
  | { readonly kind: "inline"; readonly value: unknown }
  | { readonly kind: "blob"; readonly lineage: number }
  | { readonly kind: "list"; readonly ref: ListRef };

/** What is remembered of a stored checkpoint, so that the next one stores only what is new. */
export interface KnownCheckpoint {
  /** The thread's key and generation, which change when parts of the thread are deleted. */
  readonly thread: number;
  readonly generation: number;
  readonly versions: ChannelVersions;
  readonly refs: ReadonlyMap<string, ValueRef>;
  readonly primitives: ReadonlyMap<string, Primitives>;
}

/** The newest checkpoints this process stored, the least recently used forgotten first. */
export class KnownCheckpoints {
  readonly #most: number;
  readonly #known = new Map<string, KnownCheckpoint>();

  /** @param most How many are kept; with 0 each commit reads its parent back. */
  constructor(most: number) {
    this.#most = most;
  }

  get(threadId: string, ns: string, checkpointId: string): KnownCheckpoint | undefined {
    const key = JSON.stringify([threadId, ns, checkpointId]);
    const found = this.#known.get(key);
    if (found !== undefined) {
      this.#known.delete(key);
      this.#known.set(key, found);
    }
    return found;
  }

  set(threadId: string, ns: string, checkpointId: string, known: KnownCheckpoint): void {
    if (this.#most === 0) return;
    const key = JSON.stringify([threadId, ns, checkpointId]);
    this.#known.delete(key);
    this.#known.set(key, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#most) break;
      this.#known.delete(oldest);
    }
  }

  delete(threadId: string, ns: string, checkpointId: string): void {
    this.#known.delete(JSON.stringify([threadId, ns, checkpointId]));
  }
}
