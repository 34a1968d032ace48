import type { SqlClient } from "../sql-driver.ts";
import type { SaverTables } from "./saver-tables.ts";

/** A thread by its id and by its key in the other tables. */
export interface ThreadKeys {
  readonly threadId: string;
  readonly thread: number;
}

/** Deletes every row of a thread, whose own row is locked. @returns how many checkpoints it had */
export async function deleteThreadRows(
  client: SqlClient,
  { threads, checkpoints, blobs, writes, answers, interrupts, once }: SaverTables,
  { threadId, thread }: ThreadKeys,
): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `WITH gone AS (DELETE FROM ${checkpoints} WHERE thread = $1 RETURNING 1) SELECT count(*)::int4 AS count FROM gone`,
    [thread],
  );
  for (const table of [blobs, writes, answers, interrupts, threads]) {
    await client.query(`DELETE FROM ${table} WHERE thread = $1`, [thread]);
  }
  await client.query(`DELETE FROM ${once} WHERE thread_id = $1`, [threadId]);
  return Number(rows[0]?.count);
}

/** Copies every row of a thread that others refer to by its key, to a thread that has none. */
export async function copyThreadRows(
  client: SqlClient,
  { checkpoints, blobs, writes, answers, interrupts, once }: SaverTables,
  from: ThreadKeys,
  to: ThreadKeys,
): Promise<void> {
  const columns: readonly [table: string, columns: string][] = [
    [checkpoints, "ns, id, parent_id, lineages, up_tos, type, text, bytes"],
    [blobs, "lineage, start, type, text, bytes"],
    [writes, "ns, checkpoint_id, task_id, idx, lineage, start, type, text, bytes"],
    [answers, "interrupt_id, answered_at, type, text, bytes"],
    [interrupts, "ns, checkpoint_id, task_id, answers, asked_at"],
  ];
  for (const [table, names] of columns) {
    await client.query(
      `INSERT INTO ${table} (thread, ${names}) SELECT $2::int8, ${names} FROM ${table} WHERE thread = $1`,
      [from.thread, to.thread],
    );
  }
  const done = "task_id, key, checkpoint_ns, checkpoint_id, done_at, value_type, value";
  await client.query(
    `INSERT INTO ${once} (thread_id, ${done}) SELECT $2::text, ${done} FROM ${once} WHERE thread_id = $1`,
    [from.threadId, to.threadId],
  );
}
