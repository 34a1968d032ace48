import { INTERRUPT, WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { timeOfCheckpoint } from "../checkpoint-time.ts";
import { idOfInterrupt } from "../interrupt-id.ts";
import type { InterruptWrite } from "../interrupt-id.ts";
import type { SqlDriver } from "../sql-driver.ts";
import { ownInterrupt } from "../stored-interrupts.ts";
import { stagingCondition } from "../staging-thread.ts";
import { isStorableId } from "../stored-id.ts";
import { cursorOf, keyOfCursor, parseListOptions } from "../thread-lists.ts";
import type { ListPage, ListPageOptions, ListThreadsOptions, ListedInterrupt, ListedThread } from "../thread-lists.ts";
import type { SaverTables } from "./saver-tables.ts";
import type { StoredRow, ValueCodec } from "./value-codec.ts";

interface ThreadRow {
  readonly thread_id: string;
  readonly thread: unknown;
  readonly head: string | null;
  readonly open: number;
}

interface InterruptRow extends StoredRow {
  readonly thread_id: string;
  readonly thread: unknown;
  readonly ns: string;
  readonly task_id: string;
  readonly asked_at: string | Date;
  /** The same in microseconds since 1970, for the cursor: a text would be as the session's settings have it. */
  readonly asked: unknown;
}

const threadKey = z.tuple([z.int().min(0)]);
const idSchema = z.string().refine(isStorableId);
const interruptKey = z.tuple([z.int(), z.int().min(0), idSchema, idSchema]);

/** Reads the lists of threads and of open questions, a page at a time, each by an index. */
export class ThreadListing {
  readonly #driver: SqlDriver;
  readonly #codec: ValueCodec;
  readonly #tables: SaverTables;

  constructor(driver: SqlDriver, codec: ValueCodec, tables: SaverTables) {
    this.#driver = driver;
    this.#codec = codec;
    this.#tables = tables;
  }

  async threads(options: ListThreadsOptions): Promise<ListPage<ListedThread>> {
    const { limit, after, interrupted } = parseListOptions("listThreads", options);
    const [before = null] = after === undefined ? [] : keyOfCursor("listThreads", after, threadKey);
    const { rows } = await this.#driver.query<ThreadRow>(threadsQuery(this.#tables, { interrupted }), [
      before,
      limit + 1,
    ]);
    return pageOf(
      rows.map(({ thread_id: threadId, head, open }) => {
        const updatedAt = head === null ? undefined : timeOfCheckpoint(head);
        return {
          threadId,
          openInterrupts: Number(open),
          ...(head === null ? {} : { checkpointId: head }),
          ...(updatedAt === undefined ? {} : { updatedAt }),
        };
      }),
      limit,
      (last) => [Number(rows[last]?.thread)],
    );
  }

  async interrupts(options: ListPageOptions): Promise<ListPage<ListedInterrupt>> {
    const { limit, after } = parseListOptions("listInterrupts", options);
    const [asked = null, thread = null, ns = null, task = null] =
      after === undefined ? [] : keyOfCursor("listInterrupts", after, interruptKey);
    const { rows } = await this.#driver.query<InterruptRow>(interruptsQuery(this.#tables), [
      asked,
      thread,
      ns,
      task,
      limit + 1,
    ]);
    const listed = await Promise.all(rows.map((row) => this.#listed(row)));
    return pageOf(listed, limit, (last) => {
      const row = rows[last] as InterruptRow;
      return [Number(row.asked), Number(row.thread), row.ns, row.task_id];
    });
  }

  async #listed(row: InterruptRow): Promise<ListedInterrupt> {
    const [[, stored] = []] = (await this.#codec.load(row)) as [string, unknown][];
    const write = ownInterrupt<InterruptWrite>(stored) ?? {};
    const { thread_id: threadId, ns: checkpointNs, task_id: taskId } = row;
    return {
      id: idOfInterrupt(taskId, write),
      threadId,
      checkpointNs,
      taskId,
      value: write.value,
      askedAt: new Date(row.asked_at).toISOString(),
    };
  }
}

/**
 * Whether a row of `interrupts` (i) is a question that can be answered, given the head of its thread: it is not of a
 * superstep that is past, and does not only repeat, at the task of the root, what a subgraph asks.
 */
function isOpen(interrupts: string, head: string): string {
  return `(${head} IS NULL OR i.checkpoint_id >= ${head}) AND NOT (i.answers IS NULL AND EXISTS (
           SELECT FROM ${interrupts} below
            WHERE below.thread = i.thread AND below.ns <> i.ns AND strpos(below.ns, ':' || i.task_id) > 0))`;
}

/** The statement behind the list of threads; `$1` is the key to go on after, `$2` how many. */
export function threadsQuery(
  { threads, interrupts }: SaverTables,
  { interrupted }: { readonly interrupted: boolean },
): string {
  const open = `FROM ${interrupts} i WHERE i.thread = t.thread AND ${isOpen(interrupts, "t.head")}`;
  // A row without either was made for a change that was not made.
  return `SELECT t.thread_id, t.thread, t.head, (SELECT count(*) ${open}) AS open
  FROM ${threads} t
 WHERE ($1::int8 IS NULL OR t.thread < $1::int8) AND NOT ${stagingCondition("t.thread_id")}
   AND (t.head IS NOT NULL OR t.record IS NOT NULL)
   ${interrupted ? `AND EXISTS (SELECT ${open})` : ""}
 ORDER BY t.thread DESC LIMIT $2`;
}

/** The statement behind the inbox; `$1` to `$4` are the key to go on after, `$5` how many. */
export function interruptsQuery({ threads, interrupts, writes }: SaverTables): string {
  // The page comes first, or the planner, which takes the joins for narrower than they are, sorts the whole table.
  return `WITH page AS MATERIALIZED (
  SELECT i.* FROM ${interrupts} i
   WHERE ($1::int8 IS NULL OR (i.asked_at, i.thread, i.ns, i.task_id)
            > (timestamptz 'epoch' + $1::int8 * interval '1 microsecond', $2::int8, $3::text, $4::text))
     AND (SELECT NOT ${stagingCondition("t.thread_id")} AND ${isOpen(interrupts, "t.head")}
            FROM ${threads} t WHERE t.thread = i.thread)
   ORDER BY i.asked_at, i.thread, i.ns, i.task_id LIMIT $5
)
SELECT t.thread_id, i.thread, i.ns, i.task_id, i.asked_at, (extract(epoch FROM i.asked_at) * 1000000)::int8 AS asked, w.type, w.text, w.bytes
  FROM page i
  JOIN ${threads} t ON t.thread = i.thread
  JOIN ${writes} w ON w.thread = i.thread AND w.ns = i.ns AND w.checkpoint_id = i.checkpoint_id
       AND w.task_id = i.task_id AND w.idx = ${WRITES_IDX_MAP[INTERRUPT]}
 ORDER BY i.asked_at, i.thread, i.ns, i.task_id`;
}

function pageOf<Item>(
  found: readonly Item[],
  limit: number,
  keyAt: (index: number) => readonly (string | number)[],
): ListPage<Item> {
  if (found.length <= limit) return { items: found };
  return { items: found.slice(0, limit), next: cursorOf(keyAt(limit - 1)) };
}
