import { RESULT_IDX } from "./commit.ts";
import type { BlobRow, Commit, WritesRow } from "./commit.ts";
import type { StoredBytes } from "./value-codec.ts";

/** Parts smaller than this are not looked for. */
const MIN_PART_BYTES = 200;

/** A row of a channel's value, and where its bytes are. */
interface PlacedBlob {
  readonly n: number;
  readonly threadId: string;
  readonly row: BlobRow;
  readonly place: Place;
}

/** Where a stored value lies in the parameter that holds them all: its position from 1. */
interface Place {
  readonly type: string | null;
  readonly at: number;
  readonly length: number;
}

/**
 * The parameters of `flushStatement`: all stored values as one, and the rows of each kind as JSON,
 * where `n` says which commit a row belongs to, from 1.
 */
export function flushValues(commits: readonly Commit[]): unknown[] {
  const values = new Values();
  const numbered = commits.map((commit, index) => ({ ...commit, n: index + 1 }));
  const placed = numbered.flatMap(({ n, threadId, blobs }) =>
    blobs.map((row) => ({ n, threadId, row, place: values.add(row.stored) })),
  );
  const byThread = Map.groupBy(placed, ({ threadId }) => threadId);
  const threads = numbered.map(({ n, threadId, condition: { basis, epoch, onHead }, checkpoint, record }) => ({
    n,
    thread_id: threadId,
    thread: basis?.thread,
    generation: basis?.generation,
    epoch,
    on_head: onHead,
    parent_id: checkpoint?.parentId,
    head: checkpoint?.ns === "" ? checkpoint.id : undefined,
    ...(record === undefined ? {} : recordAt(record.epoch, values.add(record.stored))),
  }));
  const checkpoints = numbered.flatMap(({ n, checkpoint }) => {
    if (checkpoint === undefined) return [];
    const { ns, id, parentId: parent_id, lineages, upTos: up_tos, body } = checkpoint;
    return { n, ns, id, parent_id, lineages, up_tos, ...values.add(body) };
  });
  const blobs = placed.map(({ n, row: { lineage, start }, place }) => ({ n, lineage, start, ...place }));
  const writes = numbered.flatMap(({ n, threadId, writes: rows }) =>
    rows.map((row) => {
      const { ns, checkpointId: checkpoint_id, taskId: task_id, idx, stored, asks, ends } = row;
      return {
        n,
        ns,
        checkpoint_id,
        task_id,
        idx,
        ...values.add(stored),
        asks: asks !== undefined,
        answers: asks?.answersBefore,
        interrupt_id: asks?.interruptId,
        asked_at: asks?.askedAt,
        ends: ends?.answers,
        ...partOf(row, byThread.get(threadId) ?? []),
      };
    }),
  );
  return [values.bytes(), ...[threads, checkpoints, blobs, writes].map((rows) => JSON.stringify(rows))];
}

function recordAt(record_epoch: number, { type: record_type, at: record_at, length: record_length }: Place): object {
  return { record_epoch, record_type, record_at, record_length };
}

/** The blob that a task's result holds as it is: what a node returns for a list is what the list grows by. */
function partOf({ idx, stored }: WritesRow, blobs: readonly PlacedBlob[]): object {
  if (idx !== RESULT_IDX || stored.type !== null) return {};
  const whole = bufferOf(stored.bytes);
  const part = blobs.find(
    ({
      row: {
        stored: { type, bytes },
      },
    }) => type === null && bytes.byteLength >= MIN_PART_BYTES && whole.includes(bufferOf(bytes)),
  );
  if (part === undefined) return {};
  const {
    n,
    row: { lineage, start },
    place: { at, length },
  } = part;
  return { part_n: n, lineage, start, part_at: at, part_length: length };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Stored values one behind the other: they travel as they are, without being escaped. */
class Values {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  add({ type, bytes }: StoredBytes): Place {
    this.#parts.push(bytes);
    this.#length += bytes.byteLength;
    return { type, at: this.#length - bytes.byteLength + 1, length: bytes.byteLength };
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
