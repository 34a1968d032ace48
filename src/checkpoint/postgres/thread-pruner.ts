import type { ThreadLock } from "../checkpointer.ts";
import { isFinished } from "../finished-thread.ts";
import type { ThreadHead } from "../finished-thread.ts";
import { removableCheckpoints } from "../kept-checkpoints.ts";
import type { CheckpointFacts, CheckpointKey } from "../kept-checkpoints.ts";
import { prunePlan } from "../prune-options.ts";
import type { PruneOptions, PrunePlan, PruneResult } from "../prune-options.ts";
import type { SqlClient, SqlDriver } from "../sql-driver.ts";
import { stagingCondition } from "../staging-thread.ts";
import { decodeBody } from "./checkpoint-body.ts";
import type { DecodedBody } from "./checkpoint-body.ts";
import { CheckpointReader } from "./checkpoint-reader.ts";
import { wholeResult } from "./flush-statement.ts";
import type { SaverTables } from "./saver-tables.ts";
import { deleteThreadRows } from "./thread-rows.ts";
import type { StoredRow, ValueCodec } from "./value-codec.ts";

/** What a {@link ThreadPruner} is made of. */
export interface ThreadPrunerParts {
  readonly driver: SqlDriver;
  readonly codec: ValueCodec;
  readonly tables: SaverTables;
  /** Takes the right to drive a thread, if nobody has it. */
  readonly tryLock: (threadId: string) => Promise<ThreadLock | undefined>;
}

interface BodyRow extends StoredRow {
  readonly ns: string;
  readonly id: string;
  readonly parent_id: string | null;
  readonly lineages: readonly unknown[];
  readonly up_tos: readonly unknown[];
}

interface CandidateRow {
  readonly thread_id: string;
  readonly thread: unknown;
  readonly head: string | null;
  readonly is_long: boolean;
}

type Trim = NonNullable<PrunePlan["trim"]>;
type Removal = NonNullable<PrunePlan["remove"]>;

const BODY = "c.ns, c.id, c.parent_id, c.lineages, c.up_tos, c.type, c.text, c.bytes";
/** How many threads are looked at with one statement, and how many checkpoints of one. */
const PAGE = 500;

/**
 * Removes what nobody needs any more, thread by thread, each in one transaction that locks the thread's row first:
 * a commit comes before, and is seen, or after. What was removed raises the thread's generation, so that every
 * process looks again where the thread's values lie.
 */
export class ThreadPruner {
  readonly #parts: ThreadPrunerParts;

  constructor(parts: ThreadPrunerParts) {
    this.#parts = parts;
  }

  /** See {@link Checkpointer.prune}. */
  async prune(options: PruneOptions): Promise<PruneResult> {
    const plan = prunePlan(options);
    let threads = 0;
    let checkpoints = 0;
    for await (const { thread_id: threadId, thread, head, is_long: isLong } of this.#candidates(plan)) {
      const removed =
        plan.remove && head !== null && (await this.#removeIfOld(threadId, Number(thread), head, plan.remove));
      if (removed !== undefined && removed !== false) {
        threads += 1;
        checkpoints += removed;
      } else if (plan.trim !== undefined && isLong) checkpoints += await this.#trim(threadId, plan.trim);
    }
    return { threads, checkpoints };
  }

  /** Threads, and whether they have more checkpoints than are to be kept. */
  async *#candidates({ threadId, trim }: PrunePlan): AsyncGenerator<CandidateRow> {
    const { threads, checkpoints } = this.#parts.tables;
    for (let after = ""; ;) {
      const { rows } = await this.#parts.driver.query<CandidateRow>(
        `SELECT t.thread_id, t.thread, t.head,
                $3::int8 IS NOT NULL AND EXISTS (
                  SELECT FROM ${checkpoints} c WHERE c.thread = t.thread GROUP BY c.ns HAVING count(*) > $3::int8) AS is_long
           FROM ${threads} t WHERE t.thread_id > $1 AND ($2::text IS NULL OR t.thread_id = $2)
            AND NOT ${stagingCondition("t.thread_id")}
          ORDER BY t.thread_id LIMIT ${PAGE}`,
        [after, threadId, trim?.keepNewest],
      );
      yield* rows;
      if (rows.length < PAGE) return;
      after = rows.at(-1)?.thread_id as string;
    }
  }

  /** Deletes a thread whose newest checkpoint is old, unless somebody drives it. @returns how many checkpoints it had */
  async #removeIfOld(threadId: string, thread: number, head: string, removal: Removal): Promise<number | undefined> {
    const { driver, tables, tryLock } = this.#parts;
    if (!(await this.#isOld(driver, thread, head, removal))) return undefined;
    const lock = await tryLock(threadId);
    if (lock === undefined) return undefined;
    try {
      return await driver.transaction(async (client) => {
        const { rows } = await client.query<{ thread: unknown; head: string }>(
          `SELECT thread, head FROM ${tables.threads} WHERE thread_id = $1 AND head IS NOT NULL FOR UPDATE`,
          [threadId],
        );
        const [found] = rows;
        if (found === undefined || !(await this.#isOld(client, Number(found.thread), found.head, removal)))
          return undefined;
        if (removal.finishedOnly && !(await this.#isFinished(client, threadId))) return undefined;
        return deleteThreadRows(client, tables, { thread: Number(found.thread), threadId });
      });
    } finally {
      await lock.release();
    }
  }

  async #isOld(client: SqlClient, thread: number, head: string, { before }: Removal): Promise<boolean> {
    const { rows } = await client.query<BodyRow>(
      `SELECT ${BODY} FROM ${this.#parts.tables.checkpoints} c WHERE c.thread = $1 AND c.ns = '' AND c.id = $2`,
      [thread, head],
    );
    return rows[0] !== undefined && Date.parse((await this.#decode(rows[0])).checkpoint.ts) < before.getTime();
  }

  /** Reads the head with all its values: how far a join has come is told by them. */
  async #isFinished(client: SqlClient, threadId: string): Promise<boolean> {
    const { codec, tables } = this.#parts;
    const head = await new CheckpointReader(client, codec, tables).tuple(threadId, "", undefined);
    return head === undefined || isFinished(head);
  }

  /** @returns how many checkpoints were removed */
  async #trim(threadId: string, { keepNewest, finishedOnly }: Trim): Promise<number> {
    const { driver, tables } = this.#parts;
    return driver.transaction(async (client) => {
      const { rows } = await client.query<{ thread: unknown; head: string | null }>(
        `SELECT thread, head FROM ${tables.threads} WHERE thread_id = $1 FOR NO KEY UPDATE`,
        [threadId],
      );
      if (rows[0] === undefined) return 0;
      const { head } = rows[0];
      const thread = Number(rows[0].thread);
      if (finishedOnly && !(await this.#isFinished(client, threadId))) return 0;
      const facts: CheckpointFacts[] = [];
      let isDone = head === null;
      for await (const row of this.#bodies(client, thread)) {
        const body = await this.#decode(row);
        facts.push(factsOf(row, body));
        if (row.ns === "" && row.id === head) isDone = isFinished(await this.#headOf(client, thread, head, body));
      }
      const gone = removableCheckpoints(facts, { keepNewest, isFinished: isDone });
      if (gone.length > 0) await this.#remove(client, { threadId, thread }, gone);
      return gone.length;
    });
  }

  async *#bodies(client: SqlClient, thread: number): AsyncGenerator<BodyRow> {
    for (let after: readonly [string, string] | undefined; ;) {
      const { rows }: { readonly rows: readonly BodyRow[] } = await client.query<BodyRow>(
        `SELECT ${BODY} FROM ${this.#parts.tables.checkpoints} c
          WHERE c.thread = $1 AND ($2::text IS NULL OR (c.ns, c.id) > ($2::text, $3::text)) ORDER BY c.ns, c.id LIMIT ${PAGE}`,
        [thread, after?.[0], after?.[1]],
      );
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      after = [last.ns, last.id];
    }
  }

  /** The head as far as its own row tells: values that lie elsewhere are only known to be there. */
  async #headOf(client: SqlClient, thread: number, id: string, { checkpoint, refs }: DecodedBody): Promise<ThreadHead> {
    const { rows } = await client.query(
      `SELECT FROM ${this.#parts.tables.writes} WHERE thread = $1 AND ns = '' AND checkpoint_id = $2 LIMIT 1`,
      [thread, id],
    );
    const values = [...refs].map(([channel, ref]) => [channel, ref.kind === "inline" ? ref.value : null] as const);
    return { checkpoint: { ...checkpoint, channel_values: Object.fromEntries(values) }, pendingWrites: rows };
  }

  #decode(row: BodyRow): Promise<DecodedBody> {
    return decodeBody(this.#parts.codec, row, row.lineages.map(Number), row.up_tos.map(Number));
  }

  async #remove(
    client: SqlClient,
    { threadId, thread }: { readonly threadId: string; readonly thread: number },
    gone: readonly CheckpointKey[],
  ): Promise<void> {
    const { threads, checkpoints, blobs, writes, interrupts, once } = this.#parts.tables;
    const keys = [gone.map(({ ns }) => ns), gone.map(({ id }) => id)];
    await client.query(
      `DELETE FROM ${checkpoints} c USING unnest($2::text[], $3::text[]) AS gone(ns, id)
        WHERE c.thread = $1 AND c.ns = gone.ns AND c.id = gone.id`,
      [thread, ...keys],
    );
    for (const table of [writes, interrupts]) {
      await client.query(
        `DELETE FROM ${table} w WHERE w.thread = $1 AND ${isLeft(checkpoints, "w.ns", "w.checkpoint_id")}`,
        [thread, ...keys],
      );
    }
    await client.query(
      `DELETE FROM ${once} o WHERE o.thread_id = $4 AND o.checkpoint_id <> ''
          AND ${isLeft(checkpoints, "o.checkpoint_ns", "o.checkpoint_id")}`,
      [thread, ...keys, threadId],
    );
    const need = `need AS MATERIALIZED (
      SELECT l.lineage, max(l.up_to) AS up_to FROM ${checkpoints} c, unnest(c.lineages, c.up_tos) AS l(lineage, up_to)
       WHERE c.thread = $1 GROUP BY l.lineage)`;
    // A row that no list needs must go, even where a task's result refers to it: the list may grow anew from before it.
    await client.query(
      `WITH ${need} UPDATE ${writes} w SET text = ${wholeResult}, lineage = NULL, start = NULL
         FROM ${blobs} part WHERE w.thread = $1 AND part.thread = $1 AND part.lineage = w.lineage AND part.start = w.start
          AND NOT EXISTS (SELECT FROM need WHERE need.lineage = w.lineage AND w.start < need.up_to)`,
      [thread],
    );
    await client.query(
      `WITH ${need} DELETE FROM ${blobs} b WHERE b.thread = $1
          AND NOT EXISTS (SELECT FROM need WHERE need.lineage = b.lineage AND b.start < need.up_to)`,
      [thread],
    );
    await client.query(`UPDATE ${threads} SET generation = generation + 1 WHERE thread = $1`, [thread]);
  }
}

/**
 * Whether something is left behind by a checkpoint that is gone. LangGraph may store the writes of a task before the
 * checkpoint of that task, so what belongs to one that is newer than all that are there is left alone.
 */
function isLeft(checkpoints: string, ns: string, id: string): string {
  return `NOT EXISTS (SELECT FROM ${checkpoints} c WHERE c.thread = $1 AND c.ns = ${ns} AND c.id = ${id})
    AND ((${ns}, ${id}) IN (SELECT * FROM unnest($2::text[], $3::text[]))
      OR ${id} < (SELECT max(c.id) FROM ${checkpoints} c WHERE c.thread = $1 AND c.ns = ${ns})
      OR ${id} < (SELECT min(c.id) FROM ${checkpoints} c WHERE c.thread = $1 AND c.ns = ''))`;
}

function factsOf({ ns, id, parent_id }: BodyRow, { checkpoint, metadata, refs }: DecodedBody): CheckpointFacts {
  return {
    ns,
    id,
    parentId: parent_id ?? undefined,
    v: checkpoint.v,
    metadata,
    channels: Object.keys(checkpoint.channel_versions),
    values: new Set(refs.keys()),
  };
}
