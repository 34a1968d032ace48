import type { Verdict } from "./commit.ts";
import type { SaverTables } from "./saver-tables.ts";

/**
 * Stands in a task's stored result for a part that is stored as items of a list: JSON has no such character.
 * In SQL; see {@link wholeResult}.
 */
const PART_MARK = "chr(1)";

/** The text of a row of `writes` (w), put together with the items it refers to: those of the row of `blobs` (part). */
export const wholeResult = `CASE WHEN w.lineage IS NULL THEN w.text ELSE replace(w.text, ${PART_MARK}, part.text) END`;

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

/** The columns of the statement's parameters, each a list of objects as JSON; `n` says which commit a row is of. */
const OPS = `n int4, thread_id text, thread int8, generation int4, epoch int8, on_head bool, parent_id text, head text,
    record_epoch int8, record_type text, record_at int4, record_length int4`;
const PLACED = "type text, at int4, length int4";
const CHECKPOINTS = `n int4, ns text, id text, parent_id text, lineages int8[], up_tos int4[], ${PLACED}`;
const BLOBS = `n int4, lineage int8, start int4, ${PLACED}`;
const WRITES = `n int4, ns text, checkpoint_id text, task_id text, idx int2, ${PLACED},
      asks bool, answers int4, interrupt_id text, asked_at timestamptz, ends int4, part_n int4, lineage int8, start int4, part_at int4, part_length int4`;

/**
 * The statement that stores any number of commits to any number of threads, each whole or not at all.
 *
 * It first locks the rows of the threads. What decides is in the locked row and nowhere else: a statement
 * locks the newest version of the row, but sees of every other table what was there when it began. There is
 * no verdict for a thread whose row somebody else has locked; it waits only for who is making the same thread.
 *
 * @param options.begins Whether threads that are not there are made, or refused; without it they have no verdict,
 *   which most statements need not pay for
 */
export function flushStatement(
  { threads, checkpoints, blobs, writes, interrupts, answers }: SaverTables,
  options: { readonly begins: boolean },
): string {
  // The stored values come as one parameter, which travels as it is; each row cuts its own out of it.
  const textAt = (place: string): string => `convert_from(substr($1::bytea, ${place}), 'UTF8')`;
  const stored = `x.type,
      CASE WHEN x.type IS NULL THEN ${textAt("x.at, x.length")} END,
      CASE WHEN x.type IS NOT NULL THEN substr($1::bytea, x.at, x.length) END`;
  const begins = `), missing AS MATERIALIZED (
  SELECT o.*, o.thread IS NULL AND coalesce(o.epoch, 0) = 0 AND NOT (o.on_head AND o.parent_id IS NOT NULL) AS may_begin
    FROM op o LEFT JOIN LATERAL (SELECT true AS is_there FROM ${threads} WHERE thread_id = o.thread_id LIMIT 1) t ON true
   WHERE t.is_there IS NULL
), made AS (
  INSERT INTO ${threads} (thread_id, head, epoch, record_type, record)
  SELECT thread_id, max(head COLLATE "C"), coalesce(max(record_epoch), 0), max(record_type),
         substr($1::bytea, max(record_at), max(record_length)) -- no two commits to one thread have a record
    FROM missing WHERE may_begin GROUP BY thread_id ORDER BY thread_id COLLATE "C"
  ON CONFLICT DO NOTHING RETURNING thread_id, thread, generation, epoch
`;
  const begun = `   UNION ALL
  SELECT o.n, m.thread_id, m.thread, m.generation, m.epoch, NULL, NULL, true
    FROM missing o JOIN made m ON m.thread_id = o.thread_id WHERE o.may_begin
   UNION ALL
  SELECT n, thread_id, 0, 0, 0, NULL, NULL, false FROM missing WHERE NOT may_begin
`;
  return `
WITH op AS (
  SELECT * FROM json_to_recordset($2::json) AS x(${OPS})
), locked AS MATERIALIZED (
  SELECT t.* FROM unnest(ARRAY(SELECT DISTINCT thread_id FROM op)) AS o(id) CROSS JOIN LATERAL (
    SELECT thread_id, thread, generation, epoch, head FROM ${threads} WHERE thread_id = o.id FOR NO KEY UPDATE SKIP LOCKED
  ) t
${options.begins ? begins : ""}), judged AS MATERIALIZED (
  SELECT o.n, l.thread_id, l.thread, l.generation, l.epoch, l.head, o.head AS next,
         (o.thread IS NULL OR (o.thread = l.thread AND o.generation = l.generation))
     AND o.record_epoch IS NULL AND (o.epoch IS NULL OR o.epoch = l.epoch)
     AND (NOT o.on_head OR (o.parent_id IS NOT DISTINCT FROM l.head AND (l.head IS NULL OR o.head > l.head))) AS ok
    FROM op o JOIN locked l ON l.thread_id = o.thread_id
${options.begins ? begun : ""}), advanced AS (
  INSERT INTO ${threads} AS t (thread_id, thread, head) OVERRIDING SYSTEM VALUE
  SELECT thread_id, thread, max(next COLLATE "C") FROM judged WHERE ok AND next IS NOT NULL GROUP BY thread_id, thread
  ON CONFLICT (thread_id) DO UPDATE SET head = EXCLUDED.head WHERE t.head IS NULL OR t.head < EXCLUDED.head
), new_checkpoints AS MATERIALIZED (
  SELECT j.thread, x.* FROM json_to_recordset($3::json) AS x(${CHECKPOINTS}) JOIN judged j ON j.n = x.n AND j.ok
), stored_checkpoints AS (
  INSERT INTO ${checkpoints} AS c (thread, ns, id, parent_id, lineages, up_tos, type, text, bytes)
  SELECT x.thread, x.ns, x.id, nullif(x.parent_id, x.id), x.lineages, x.up_tos, ${stored}
    FROM new_checkpoints x
  ON CONFLICT (thread, ns, id) DO UPDATE SET parent_id = coalesce(EXCLUDED.parent_id, c.parent_id), lineages = EXCLUDED.lineages,
    up_tos = EXCLUDED.up_tos, type = EXCLUDED.type, text = EXCLUDED.text, bytes = EXCLUDED.bytes
), stored_blobs AS (
  INSERT INTO ${blobs} (thread, lineage, start, type, text, bytes)
  SELECT j.thread, x.lineage, x.start, ${stored}
    FROM json_to_recordset($4::json) AS x(${BLOBS}) JOIN judged j ON j.n = x.n AND j.ok
), new_writes AS MATERIALIZED (
  SELECT j.thread, x.*, coalesce(p.ok, false) AS has_part
    FROM json_to_recordset($5::json) AS x(${WRITES})
    JOIN judged j ON j.n = x.n AND j.ok
    LEFT JOIN judged p ON p.n = x.part_n
), stored_writes AS (
  INSERT INTO ${writes} (thread, ns, checkpoint_id, task_id, idx, lineage, start, type, text, bytes)
  SELECT x.thread, x.ns, x.checkpoint_id, x.task_id, x.idx,
      CASE WHEN x.has_part THEN x.lineage END, CASE WHEN x.has_part THEN x.start END, x.type,
      CASE WHEN x.type IS NULL AND x.has_part
        THEN replace(${textAt("x.at, x.length")}, ${textAt("x.part_at, x.part_length")}, ${PART_MARK})
        WHEN x.type IS NULL THEN ${textAt("x.at, x.length")} END,
      CASE WHEN x.type IS NOT NULL THEN substr($1::bytea, x.at, x.length) END
    FROM new_writes x
  ON CONFLICT (thread, ns, checkpoint_id, task_id, idx) DO UPDATE
    SET lineage = NULL, start = NULL, type = EXCLUDED.type, text = EXCLUDED.text, bytes = EXCLUDED.bytes
    WHERE EXCLUDED.idx <> 0
), opened AS (
  INSERT INTO ${interrupts} AS i (thread, ns, checkpoint_id, task_id, answers, asked_at)
  SELECT x.thread, x.ns, x.checkpoint_id, x.task_id, x.answers, coalesce(x.asked_at, now()) FROM new_writes x
   WHERE x.asks AND NOT EXISTS (SELECT FROM ${answers} a WHERE a.thread = x.thread AND a.interrupt_id = x.interrupt_id)
  ON CONFLICT (thread, ns, checkpoint_id, task_id) DO UPDATE SET answers = EXCLUDED.answers, asked_at = EXCLUDED.asked_at
   WHERE EXCLUDED.answers IS NULL OR i.answers IS DISTINCT FROM EXCLUDED.answers
), closed AS (
  DELETE FROM ${interrupts} i
   WHERE i.thread = ANY (SELECT thread FROM judged)
     AND (EXISTS (SELECT FROM new_checkpoints x
                   WHERE x.thread = i.thread AND i.checkpoint_id < x.id AND (x.ns = '' OR i.ns = x.ns OR starts_with(i.ns, x.ns || '|')))
       OR EXISTS (SELECT FROM new_writes x
                   WHERE x.thread = i.thread AND x.ns = i.ns AND x.checkpoint_id = i.checkpoint_id AND x.task_id = i.task_id
                     AND x.ends > coalesce(i.answers, -1)))
     AND NOT EXISTS (SELECT FROM new_writes x
                      WHERE x.asks AND x.thread = i.thread AND x.ns = i.ns AND x.checkpoint_id = i.checkpoint_id AND x.task_id = i.task_id)
)
SELECT n, ok, thread, generation, epoch, head FROM judged`;
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
