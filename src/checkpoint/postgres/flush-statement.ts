import type { StoredBytes } from "./value-codec.ts";
import type { SaverTables } from "./saver-tables.ts";

/** What must hold for a commit to be made, all of it judged against the thread's locked row. */
export interface CommitCondition {
  /** The thread as it was when the commit was prepared; undefined when nothing depends on it. */
  readonly basis: { readonly thread: number; readonly generation: number } | undefined;
  readonly epoch: number | undefined;
  /** The new checkpoint must stand on the root's head, and be newer. */
  readonly onHead: boolean;
}

/** One row of a list or another value of a channel. */
export interface BlobRow {
  readonly lineage: number;
  readonly start: number;
  readonly stored: StoredBytes;
}

/** A checkpoint as a row. */
export interface CheckpointRow {
  readonly ns: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly body: StoredBytes;
  readonly lineages: readonly number[];
  readonly upTos: readonly number[];
}

/** The index of the row of a task's result, which stays once it is there. */
export const RESULT_IDX = 0;

/** Writes of a task as a row: its whole result, or one special write. */
export interface WritesRow {
  readonly ns: string;
  readonly checkpointId: string;
  readonly taskId: string;
  /** {@link RESULT_IDX}, or that of a special write, which is replaced. */
  readonly idx: number;
  readonly stored: StoredBytes;
  /** Set when the task asks a question: how many answers it had before, if that is known. */
  readonly asks?: { readonly answersBefore: number | undefined };
  /** Set when the row ends the task's question: by its result, or by answers, so many. */
  readonly ends?: { readonly answers: number };
}

/** One `put` or `putWrites`. */
export interface Commit {
  readonly threadId: string;
  readonly condition: CommitCondition;
  readonly checkpoint?: CheckpointRow;
  readonly blobs: readonly BlobRow[];
  readonly writes: readonly WritesRow[];
}

/** What was found of the thread, and so whether the commit was made. */
export interface Verdict {
  readonly made: boolean;
  readonly thread: number;
  readonly generation: number;
  readonly epoch: number;
  /** The root's newest checkpoint before. */
  readonly head: string | undefined;
}

/**
 * Stands in a task's stored result for a part that is stored as items of a list: JSON has no such character.
 * In SQL; see {@link wholeResult}.
 */
const PART_MARK = "chr(1)";

/** The text of a row of `writes` (w), put together with the items it refers to: those of the row of `blobs` (part). */
export const wholeResult = `CASE WHEN w.lineage IS NULL THEN w.text ELSE replace(w.text, ${PART_MARK}, part.text) END`;

/** Parts smaller than this are not looked for. */
const MIN_PART_BYTES = 200;

/** A verdict as a row of the statement. */
export interface VerdictRow {
  /** Which commit, from 1. */
  readonly n: unknown;
  readonly ok: boolean;
  readonly thread: unknown;
  readonly generation: unknown;
  readonly epoch: unknown;
  readonly head: string | null;
}

/**
 * The statement that stores any number of commits to any number of threads, each whole or not at all.
 *
 * It first locks the rows of the threads. What decides is in the locked row and nowhere else: a statement
 * locks the newest version of the row, but sees of every other table what was there when it began. There is
 * no verdict for a thread whose row somebody else has locked; it waits only for who is making the same thread.
 */
export function flushStatement({ threads, checkpoints, blobs, writes, interrupts }: SaverTables): string {
  // The stored values come as one parameter, which travels as it is; each row cuts its own out of it.
  const textAt = (place: string): string => `convert_from(substr($1::bytea, ${place}), 'UTF8')`;
  const stored = `x.type,
      CASE WHEN x.type IS NULL THEN ${textAt("x.at, x.length")} END,
      CASE WHEN x.type IS NOT NULL THEN substr($1::bytea, x.at, x.length) END`;
  return `
WITH op AS (
  SELECT * FROM unnest($2::text[], $3::int8[], $4::int4[], $5::int8[], $6::bool[], $7::text[], $8::text[])
    WITH ORDINALITY AS o(thread_id, thread, generation, epoch, on_head, parent_id, head, n)
), locked AS MATERIALIZED (
  SELECT thread_id, thread, generation, epoch, head FROM ${threads}
   WHERE thread_id = ANY ($2::text[]) ORDER BY thread_id FOR NO KEY UPDATE SKIP LOCKED
), missing AS MATERIALIZED (
  SELECT o.*, o.thread IS NULL AND coalesce(o.epoch, 0) = 0 AND NOT (o.on_head AND o.parent_id IS NOT NULL) AS may_begin
    FROM op o WHERE NOT EXISTS (SELECT FROM ${threads} t WHERE t.thread_id = o.thread_id)
), made AS (
  INSERT INTO ${threads} (thread_id, head)
  SELECT thread_id, max(head COLLATE "C") FROM missing WHERE may_begin GROUP BY thread_id ORDER BY thread_id COLLATE "C"
  ON CONFLICT DO NOTHING RETURNING thread_id, thread, generation, epoch
), judged AS MATERIALIZED (
  SELECT o.n, l.thread, l.generation, l.epoch, l.head, o.head AS next,
         (o.thread IS NULL OR (o.thread = l.thread AND o.generation = l.generation))
     AND (o.epoch IS NULL OR o.epoch = l.epoch)
     AND (NOT o.on_head OR (o.parent_id IS NOT DISTINCT FROM l.head AND (l.head IS NULL OR o.head > l.head))) AS ok
    FROM op o JOIN locked l ON l.thread_id = o.thread_id
   UNION ALL
  SELECT o.n, m.thread, m.generation, m.epoch, NULL, NULL, true
    FROM missing o JOIN made m ON m.thread_id = o.thread_id WHERE o.may_begin
   UNION ALL
  SELECT n, 0, 0, 0, NULL, NULL, false FROM missing WHERE NOT may_begin
), advanced AS (
  UPDATE ${threads} t SET head = a.head
    FROM (SELECT thread, max(next COLLATE "C") AS head FROM judged WHERE ok AND next IS NOT NULL GROUP BY thread) a
   WHERE t.thread = a.thread AND (t.head IS NULL OR t.head < a.head)
), stored_checkpoints AS (
  INSERT INTO ${checkpoints} AS c (thread, ns, id, parent_id, lineages, up_tos, type, text, bytes)
  SELECT j.thread, x.ns, x.id, nullif(x.parent_id, x.id), x.lineages::int8[], x.up_tos::int4[], ${stored}
    FROM unnest($9::int4[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::int4[], $17::int4[])
      AS x(n, ns, id, parent_id, lineages, up_tos, type, at, length)
    JOIN judged j ON j.n = x.n AND j.ok
  ON CONFLICT (thread, ns, id) DO UPDATE SET parent_id = coalesce(EXCLUDED.parent_id, c.parent_id), lineages = EXCLUDED.lineages,
    up_tos = EXCLUDED.up_tos, type = EXCLUDED.type, text = EXCLUDED.text, bytes = EXCLUDED.bytes
), stored_blobs AS (
  INSERT INTO ${blobs} (thread, lineage, start, type, text, bytes)
  SELECT j.thread, x.lineage, x.start, ${stored}
    FROM unnest($18::int4[], $19::int8[], $20::int4[], $21::text[], $22::int4[], $23::int4[])
      AS x(n, lineage, start, type, at, length)
    JOIN judged j ON j.n = x.n AND j.ok
), stored_writes AS (
  INSERT INTO ${writes} (thread, ns, checkpoint_id, task_id, idx, lineage, start, type, text, bytes)
  SELECT j.thread, x.ns, x.checkpoint_id, x.task_id, x.idx,
      CASE WHEN p.ok THEN x.lineage END, CASE WHEN p.ok THEN x.start END, x.type,
      CASE WHEN x.type IS NULL AND p.ok
        THEN replace(${textAt("x.at, x.length")}, ${textAt("x.part_at, x.part_length")}, ${PART_MARK})
        WHEN x.type IS NULL THEN ${textAt("x.at, x.length")} END,
      CASE WHEN x.type IS NOT NULL THEN substr($1::bytea, x.at, x.length) END
    FROM unnest($24::int4[], $25::text[], $26::text[], $27::text[], $28::int2[], $29::text[], $30::int4[], $31::int4[],
                $42::int4[], $43::int8[], $44::int4[], $45::int4[], $46::int4[])
      AS x(n, ns, checkpoint_id, task_id, idx, type, at, length, part_n, lineage, start, part_at, part_length)
    JOIN judged j ON j.n = x.n AND j.ok
    LEFT JOIN judged p ON p.n = x.part_n AND p.ok
  ON CONFLICT (thread, ns, checkpoint_id, task_id, idx) DO UPDATE
    SET lineage = NULL, start = NULL, type = EXCLUDED.type, text = EXCLUDED.text, bytes = EXCLUDED.bytes
    WHERE EXCLUDED.idx <> 0
), asked AS (
  SELECT j.thread, x.ns, x.checkpoint_id, x.task_id, x.answers
    FROM unnest($32::int4[], $33::text[], $34::text[], $35::text[], $36::int4[]) AS x(n, ns, checkpoint_id, task_id, answers)
    JOIN judged j ON j.n = x.n AND j.ok
), opened AS (
  INSERT INTO ${interrupts} (thread, ns, checkpoint_id, task_id, answers) SELECT * FROM asked
  ON CONFLICT (thread, ns, checkpoint_id, task_id) DO UPDATE SET answers = EXCLUDED.answers, asked_at = EXCLUDED.asked_at
), closed AS (
  DELETE FROM ${interrupts} i
   WHERE i.thread = ANY (SELECT thread FROM judged)
     AND (EXISTS (SELECT FROM unnest($9::int4[], $10::text[], $11::text[]) AS x(n, ns, id) JOIN judged j ON j.n = x.n AND j.ok
                   WHERE j.thread = i.thread AND i.checkpoint_id < x.id AND (x.ns = '' OR i.ns = x.ns OR starts_with(i.ns, x.ns || '|')))
       OR EXISTS (SELECT FROM unnest($37::int4[], $38::text[], $39::text[], $40::text[], $41::int4[])
                           AS x(n, ns, checkpoint_id, task_id, answers)
                    JOIN judged j ON j.n = x.n AND j.ok
                   WHERE j.thread = i.thread AND x.ns = i.ns AND x.checkpoint_id = i.checkpoint_id AND x.task_id = i.task_id
                     AND x.answers > coalesce(i.answers, -1)))
     AND NOT EXISTS (SELECT FROM asked a WHERE a.thread = i.thread AND a.ns = i.ns
                        AND a.checkpoint_id = i.checkpoint_id AND a.task_id = i.task_id)
)
SELECT n, ok, thread, generation, epoch, head FROM judged`;
}

/** The parameters of {@link flushStatement}. */
export function flushValues(commits: readonly Commit[]): unknown[] {
  const bytes: Uint8Array[] = [];
  let length = 0;
  /** Type, position from 1, and length. */
  const place = ({ type, bytes: value }: StoredBytes): [string | null, number, number] => {
    bytes.push(value);
    length += value.byteLength;
    return [type, length - value.byteLength + 1, value.byteLength];
  };
  const ops = new Columns(7);
  const checkpoints = new Columns(9);
  const blobs = new Columns(6);
  const writes = new Columns(8);
  const asked = new Columns(5);
  const ended = new Columns(5);
  const parts = new Columns(5);
  const blobsOf = new Map<string, PlacedBlob[]>();
  for (const [index, { threadId, condition, checkpoint, blobs: rows }] of commits.entries()) {
    const n = index + 1;
    const { basis, epoch, onHead } = condition;
    const head = checkpoint?.ns === "" ? checkpoint.id : null;
    ops.add(threadId, basis?.thread, basis?.generation, epoch, onHead, checkpoint?.parentId, head);
    if (checkpoint !== undefined) {
      const { ns, id, parentId, lineages, upTos, body } = checkpoint;
      checkpoints.add(n, ns, id, parentId, `{${lineages.join()}}`, `{${upTos.join()}}`, ...place(body));
    }
    for (const row of rows) {
      const placed = place(row.stored);
      blobs.add(n, row.lineage, row.start, ...placed);
      blobsOf.set(threadId, [...(blobsOf.get(threadId) ?? []), { n, row, at: placed[1] }]);
    }
  }
  for (const [index, { threadId, writes: rows }] of commits.entries()) {
    const n = index + 1;
    for (const row of rows) {
      const { ns, checkpointId, taskId, idx, stored, asks, ends } = row;
      writes.add(n, ns, checkpointId, taskId, idx, ...place(stored));
      const part = partOf(row, blobsOf.get(threadId) ?? []);
      parts.add(part?.n, part?.row.lineage, part?.row.start, part?.at, part?.row.stored.bytes.byteLength);
      if (asks !== undefined) asked.add(n, ns, checkpointId, taskId, asks.answersBefore);
      if (ends !== undefined) ended.add(n, ns, checkpointId, taskId, ends.answers);
    }
  }
  const tables = [ops, checkpoints, blobs, writes, asked, ended, parts];
  return [Buffer.concat(bytes), ...tables.flatMap(({ columns }) => columns)];
}

interface PlacedBlob {
  readonly n: number;
  readonly row: BlobRow;
  readonly at: number;
}

/** The blob that a task's result holds as it is: what a node returns for a list is what the list grows by. */
function partOf({ idx, stored }: WritesRow, blobs: readonly PlacedBlob[]): PlacedBlob | undefined {
  if (idx !== RESULT_IDX || stored.type !== null) return undefined;
  const whole = bufferOf(stored);
  return blobs.find(({ row }) => {
    const { type, bytes } = row.stored;
    return type === null && bytes.byteLength >= MIN_PART_BYTES && whole.includes(bufferOf(row.stored));
  });
}

function bufferOf({ bytes }: StoredBytes): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads the verdicts; undefined for a commit to a thread that somebody else has locked, makes or deletes at the same moment. */
export function verdicts(count: number, rows: readonly VerdictRow[]): (Verdict | undefined)[] {
  const found = Array.from<Verdict | undefined>({ length: count });
  for (const { n, ok, thread, generation, epoch, head } of rows) {
    found[Number(n) - 1] = {
      made: ok,
      thread: Number(thread),
      generation: Number(generation),
      epoch: Number(epoch),
      head: head ?? undefined,
    };
  }
  return found;
}

/** Rows turned into one array per column, as `unnest` takes them. */
class Columns {
  readonly columns: unknown[][];

  constructor(count: number) {
    this.columns = Array.from({ length: count }, () => []);
  }

  add(...row: unknown[]): void {
    for (const [index, column] of this.columns.entries()) column.push(row[index] ?? null);
  }
}
