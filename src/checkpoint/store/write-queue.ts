import { isPerdureError } from "../../errors/index.ts";
import type { ItemWrite } from "./store-backend.ts";

interface Waiting {
  readonly writes: readonly ItemWrite[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What one statement stores at most. */
const MAX_WRITES = 500;
const MAX_CHARACTERS = 4 * 1024 * 1024;

/**
 * Stores batches of writes one flush after the other; what comes meanwhile shares the next one. A batch
 * is never split. Of two writes to one item in a flush only the later one is stored.
 */
export class WriteQueue {
  readonly #flush: (writes: readonly ItemWrite[]) => Promise<void>;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  /** @param flush Stores all of them or none; no two have the same key. */
  constructor(flush: (writes: readonly ItemWrite[]) => Promise<void>) {
    this.#flush = flush;
  }

  /** Resolves when the batch is stored. */
  add(writes: readonly ItemWrite[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ writes, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // What is added in the same turn of the event loop goes together.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#flushTogether(this.#take());
    this.#running = undefined;
  }

  #take(): Waiting[] {
    let writes = 0;
    let characters = 0;
    const isFull = (next: Waiting): boolean => {
      writes += next.writes.length;
      characters += next.writes.reduce((sum, { json, vectors }) => sum + (json?.length ?? 0) + sizeOf(vectors), 0);
      return writes > MAX_WRITES || characters > MAX_CHARACTERS;
    };
    const end = this.#waiting.findIndex(isFull);
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : Math.max(end, 1));
  }

  async #flushTogether(batches: readonly Waiting[]): Promise<void> {
    try {
      await this.#flush(lastWrites(batches.flatMap(({ writes }) => writes)));
      for (const { resolve } of batches) resolve();
    } catch (error) {
      // What the database says of a value is due to one batch, for which the others must not suffer.
      if (batches.length > 1 && !isPerdureError(error)) {
        for (const batch of batches) await this.#flushTogether([batch]);
      } else for (const { reject } of batches) reject(error);
    }
  }
}

/** Of several writes to one item the last, in the order in which these came. */
export function lastWrites<Write extends Pick<ItemWrite, "namespace" | "key">>(writes: readonly Write[]): Write[] {
  const last = new Map<string, Write>();
  for (const write of writes) {
    const id = JSON.stringify([write.namespace, write.key]);
    last.delete(id);
    last.set(id, write);
  }
  return [...last.values()];
}

function sizeOf(vectors: readonly Float32Array[]): number {
  return vectors.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
