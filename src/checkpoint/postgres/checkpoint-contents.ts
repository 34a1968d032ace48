import { PerdureError } from "../../errors/index.ts";
import type { ValueRef } from "./known-checkpoints.ts";
import type { StoredRow, ValueCodec } from "./value-codec.ts";

/** All rows of a lineage: their texts joined where all are text, else each with its type. */
export interface BlobsRow {
  readonly thread: unknown;
  readonly lineage: unknown;
  /** The index of the first item. */
  readonly start: number;
  readonly text: string | null;
  readonly types: readonly (string | null)[] | null;
  readonly parts: readonly Uint8Array[] | null;
}

/** A row of `writes`, of which one holds a task's whole result. */
export interface WritesRow extends StoredRow {
  readonly thread: unknown;
  readonly ns: string;
  readonly id: string;
  readonly task_id: string;
}

/** The values and writes that were read for some checkpoints. */
export class CheckpointContents {
  readonly #codec: ValueCodec;
  readonly #blobs = new Map<string, { readonly start: number; readonly rows: readonly StoredRow[] }>();
  readonly #items = new Map<string, Promise<unknown[]>>();
  readonly #writes = new Map<string, WritesRow[]>();

  constructor(codec: ValueCodec) {
    this.#codec = codec;
  }

  addBlobs({ thread, lineage, start, text, types, parts }: BlobsRow): void {
    const rows: StoredRow[] =
      types === null || parts === null
        ? [{ type: null, text, bytes: null }]
        : types.map((type, index) => {
            const bytes = parts[index] as Uint8Array;
            return type === null
              ? { type, text: Buffer.from(bytes).toString(), bytes: null }
              : { type, text: null, bytes };
          });
    this.#blobs.set(`${Number(thread)} ${Number(lineage)}`, { start, rows });
  }

  addWrites(row: WritesRow): void {
    const key = JSON.stringify([Number(row.thread), row.ns, row.id]);
    const rows = this.#writes.get(key);
    if (rows === undefined) this.#writes.set(key, [row]);
    else rows.push(row);
  }

  async value(thread: number, ref: ValueRef): Promise<unknown> {
    if (ref.kind === "inline") return ref.value;
    if (ref.kind === "blob") return this.#codec.load(this.#found(thread, ref.lineage).rows[0] as StoredRow);
    const list: unknown[] = [];
    for (const { lineage, upTo } of ref.ref.segments) {
      const { start } = this.#found(thread, lineage.id);
      const items = await this.#itemsOf(thread, lineage.id);
      if (start > list.length || start + items.length < upTo) throw damaged(`lineage ${lineage.id}`, thread);
      for (let index = list.length; index < upTo; index += 1) list.push(items[index - start]);
    }
    return list;
  }

  async writesOf(thread: number, ns: string, id: string): Promise<[string, string, unknown][]> {
    const rows = this.#writes.get(JSON.stringify([thread, ns, id])) ?? [];
    const loaded = await Promise.all(
      rows.map(async (row) => {
        // What it refers to is not there.
        if (row.text === null && row.bytes === null) throw damaged(`the result of task ${row.task_id}`, thread);
        const pairs = (await this.#codec.load(row)) as [channel: string, value: unknown, taskPath?: string][];
        return {
          path: pairs[0]?.[2] ?? "",
          writes: pairs.map(([channel, value]): [string, string, unknown] => [row.task_id, channel, value]),
        };
      }),
    );
    // The rows come by task; LangGraph since 1.5 applies, and replays, them by path first.
    if (loaded.some(({ path }) => path !== "")) loaded.sort((one, other) => inBytes(one.path, other.path));
    return loaded.flatMap(({ writes }) => writes);
  }

  #itemsOf(thread: number, lineage: number): Promise<unknown[]> {
    const key = `${thread} ${lineage}`;
    let items = this.#items.get(key);
    if (items === undefined) this.#items.set(key, (items = this.#codec.loadItems(this.#found(thread, lineage).rows)));
    return items;
  }

  #found(thread: number, lineage: number): { readonly start: number; readonly rows: readonly StoredRow[] } {
    const found = this.#blobs.get(`${thread} ${lineage}`);
    if (found === undefined) throw damaged(`lineage ${lineage}`, thread);
    return found;
  }
}

/** By their code points, as LangGraph sorts them. */
function inBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function damaged(what: string, thread: number): PerdureError {
  return new PerdureError("CHECKPOINT_DAMAGED", `rows of ${what} of thread key ${thread} are missing.`, {
    hint: "Somebody deleted rows of perdure_blobs by hand, or a failover lost some. Restore them from a backup, or fork an older checkpoint.",
  });
}
