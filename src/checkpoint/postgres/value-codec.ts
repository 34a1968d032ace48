import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { loadJson, strictSerializer } from "../strict-serializer.ts";

/** A value as it is stored: JSON as text, which needs no type, or what a serializer of the caller wrote. */
export interface StoredBytes {
  /** The serializer's own tag; null for JSON that is stored as text. */
  readonly type: string | null;
  readonly bytes: Uint8Array;
}

/** The columns that hold a stored value, as the driver gives them. */
export interface StoredRow {
  readonly type: string | null;
  readonly text: string | null;
  readonly bytes: Uint8Array | null;
}

/**
 * Writes and reads values. With LangGraph's own serializer JSON is stored as text, several values can be
 * read as one, and texts can be compared; what a serializer of the caller writes is only kept.
 */
export class ValueCodec {
  readonly serde: SerializerProtocol;
  /** Whether values are JSON whose text may be looked into. */
  readonly isPlain: boolean;

  /** @param options.isPlain Whether `serde` is LangGraph's own. */
  constructor(serde: SerializerProtocol, options: { readonly isPlain: boolean }) {
    this.serde = options.isPlain ? strictSerializer(serde) : serde;
    this.isPlain = options.isPlain;
  }

  async dump(value: unknown): Promise<StoredBytes> {
    const [type, bytes] = await this.serde.dumpsTyped(value);
    return { type: this.isPlain && type === "json" ? null : type, bytes };
  }

  /** Items of a list, in a form that {@link loadItems} reads together with what comes before and after. */
  async dumpItems(items: readonly unknown[]): Promise<StoredBytes> {
    const stored = await this.dump(items);
    // Without the brackets, so that the texts of neighbours can be joined with a comma.
    return stored.type === null ? { type: null, bytes: stored.bytes.subarray(1, -1) } : stored;
  }

  async load({ type, text, bytes }: StoredRow): Promise<unknown> {
    if (text !== null) return loadJson(this.serde, text);
    // pg gives a Buffer; a value that is bytes must come back as the Uint8Array that it was.
    return this.serde.loadsTyped(type ?? "json", new Uint8Array(bytes as Uint8Array));
  }

  async loadItems(rows: readonly StoredRow[]): Promise<unknown[]> {
    const lists = await Promise.all(
      joinTexts(rows).map((row) => this.load(row.text === null ? row : { ...row, text: `[${row.text}]` })),
    );
    return lists.length === 1 ? (lists[0] as unknown[]) : (lists.flat() as unknown[]);
  }
}

function joinTexts(rows: readonly StoredRow[]): StoredRow[] {
  const joined: StoredRow[] = [];
  for (const row of rows) {
    const last = joined.at(-1);
    if (last?.text != null && row.text !== null) {
      joined[joined.length - 1] = { ...last, text: `${last.text},${row.text}` };
    } else joined.push(row);
  }
  return joined;
}
