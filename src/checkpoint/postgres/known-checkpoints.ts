import type { ChannelVersions } from "@langchain/langgraph-checkpoint";
import type { ItemMarks } from "./known-items.ts";
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
  /** By channel that is a list. */
  readonly marks: ReadonlyMap<string, ItemMarks>;
}

/** So many characters of strings that are items of lists are kept alive at most: some 64 to 128 MB. */
const MOST_TEXT = 64 * 1024 * 1024;

/** The newest checkpoints this process stored, the least recently used forgotten first. */
export class KnownCheckpoints {
  readonly #most: number;
  readonly #mostText: number;
  readonly #known = new Map<string, KnownCheckpoint>();
  readonly #text = new WeakMap<KnownCheckpoint, number>();
  #textInAll = 0;

  /** @param most How many are kept; with 0 each commit reads its parent back. */
  constructor(most: number, mostText: number = MOST_TEXT) {
    this.#most = most;
    this.#mostText = mostText;
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
    this.#forget(key);
    this.#known.set(key, known);
    const text = textOf(known);
    this.#text.set(known, text);
    this.#textInAll += text;
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#most && (this.#textInAll <= this.#mostText || this.#known.size === 1)) break;
      this.#forget(oldest);
    }
  }

  delete(threadId: string, ns: string, checkpointId: string): void {
    this.#forget(JSON.stringify([threadId, ns, checkpointId]));
  }

  clear(): void {
    this.#known.clear();
    this.#textInAll = 0;
  }

  #forget(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#textInAll -= this.#text.get(known) ?? 0;
  }
}

function textOf({ marks }: KnownCheckpoint): number {
  let text = 0;
  for (const list of marks.values()) for (const mark of list) if (typeof mark === "string") text += mark.length;
  return text;
}
