import type { ThreadRecord } from "../thread-record.ts";
import type { StoredRow, ValueCodec } from "./value-codec.ts";

/** The columns of a thread's row that hold its record. It lies in one column, whatever it is: it is always read whole. */
export interface RecordColumns {
  readonly record_type: string | null;
  readonly record: Uint8Array | null;
}

/** The record of a thread's row; undefined where it has none. */
export async function recordOf(
  codec: ValueCodec,
  { record_type: type, record: bytes }: RecordColumns,
): Promise<ThreadRecord | undefined> {
  if (bytes === null) return undefined;
  const row: StoredRow =
    type === null ? { type, text: Buffer.from(bytes).toString(), bytes: null } : { type, text: null, bytes };
  return (await codec.load(row)) as ThreadRecord;
}
