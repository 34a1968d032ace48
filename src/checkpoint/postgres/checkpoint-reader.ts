import { isDeepStrictEqual } from "node:util";
import { TASKS, maxChannelVersion } from "@langchain/langgraph-checkpoint";
import type { Checkpoint, CheckpointMetadata, CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { nextChannelVersion } from "../channel-version.ts";
import type { ThreadHead } from "../checkpointer.ts";
import type { SqlClient } from "../sql-driver.ts";
import { decodeBody } from "./checkpoint-body.ts";
import { CheckpointContents } from "./checkpoint-contents.ts";
import type { BlobsRow, WritesRow } from "./checkpoint-contents.ts";
import { wholeResult } from "./flush-statement.ts";
import type { KnownCheckpoint, ValueRef } from "./known-checkpoints.ts";
import type { ListRef } from "./list-ref.ts";
import { namedStatement } from "../named-statement.ts";
import type { SaverTables } from "./saver-tables.ts";
import { recordOf } from "./stored-record.ts";
import type { StoredRow, ValueCodec } from "./value-codec.ts";

/** Which checkpoints are read, newest first. */
export interface CheckpointQuery {
  readonly threadId?: string | undefined;
  readonly ns?: string | undefined;
  readonly id?: string | undefined;
  /** Only those whose id is smaller. */
  readonly before?: string | undefined;
  readonly limit?: number | undefined;
  /** Only those whose metadata has these values. */
  readonly filter?: Record<string, unknown> | undefined;
}

/** A row of `checkpoints` with its thread. */
interface CheckpointRow extends StoredRow {
  readonly thread_id: string;
  readonly thread: unknown;
  readonly generation: unknown;
  readonly ns: string;
  readonly id: string;
  readonly parent_id: string | null;
  readonly lineages: readonly unknown[];
  readonly up_tos: readonly unknown[];
}

/** One row of the statement that reads checkpoints whole. */
type AnyRow =
  | (CheckpointRow & { readonly kind: "checkpoint" })
  | (Omit<BlobsRow, "start"> & { readonly kind: "blobs"; readonly idx: number })
  | (WritesRow & { readonly kind: "writes" })
  | RecordRow;

/** The record of a thread, as a row beside those of its checkpoint. */
interface RecordRow {
  readonly kind: "record";
  readonly type: string | null;
  readonly bytes: Uint8Array | null;
}

interface DecodedRow {
  readonly row: CheckpointRow;
  readonly checkpoint: Checkpoint;
  readonly metadata: CheckpointMetadata;
  readonly refs: ReadonlyMap<string, ValueRef>;
}

/** How many checkpoints are read at once. */
const PAGE = 200;

const COLUMNS =
  "t.thread_id, t.thread, t.generation, c.ns, c.id, c.parent_id, c.lineages, c.up_tos, c.type, c.text, c.bytes";

/** Reads checkpoints and puts their values together. */
export class CheckpointReader {
  readonly #driver: SqlClient;
  readonly #codec: ValueCodec;
  readonly #tables: SaverTables;

  constructor(driver: SqlClient, codec: ValueCodec, tables: SaverTables) {
    this.#driver = driver;
    this.#codec = codec;
    this.#tables = tables;
  }

  /** The checkpoint with this id, or the newest one of the namespace, in one statement. */
  async tuple(threadId: string, ns: string, id: string | undefined): Promise<CheckpointTuple | undefined> {
    const [where, values] = whereOf({ threadId, ns, id });
    // Every run begins with it, and planning takes as long as reading.
    const [tuple] = await this.#wholeTuples(`${this.#select(where)} ORDER BY c.id DESC LIMIT 1`, values, "get");
    return tuple;
  }

  /** The newest checkpoint of the root graph and the thread's record, as they are at one moment. */
  async head(threadId: string): Promise<ThreadHead> {
    const [where, values] = whereOf({ threadId, ns: "" });
    const ofThread = `SELECT 'record', NULL, t.thread, NULL, NULL, NULL, NULL, NULL, NULL, t.record_type, NULL, t.record, NULL, NULL, NULL, NULL, NULL
        FROM ${this.#tables.threads} t WHERE t.thread_id = $1`;
    // Each step of a thread begins with it, and planning takes as long as reading.
    const text = this.#whole(`${this.#select(where)} ORDER BY c.id DESC LIMIT 1`, ofThread);
    const { rows } = await this.#driver.query<AnyRow>(namedStatement("head", text), values);
    const [tuple] = await this.#tuplesIn(rows);
    const row = rows.find(({ kind }) => kind === "record") as RecordRow | undefined;
    return { tuple, record: row && (await recordOf(this.#codec, { record_type: row.type, record: row.bytes })) };
  }

  /** The checkpoint with this id, or the newest one of the namespace, and its ancestors, the nearest first. */
  async ancestors(threadId: string, ns: string, id: string | undefined, count: number): Promise<CheckpointTuple[]> {
    const [where, values] = whereOf({ threadId, ns, id });
    const { checkpoints } = this.#tables;
    return this.#wholeTuples(
      `SELECT * FROM (
         WITH RECURSIVE up AS (
           SELECT own.*, 1 AS depth FROM (${this.#select(where)} ORDER BY c.id DESC LIMIT 1) own
            UNION ALL
           SELECT up.thread_id, up.thread, up.generation, c.ns, c.id, c.parent_id, c.lineages, c.up_tos, c.type, c.text, c.bytes, up.depth + 1
             FROM up JOIN ${checkpoints} c ON c.thread = up.thread AND c.ns = up.ns AND c.id = up.parent_id
            WHERE up.depth < ${count}
         ) SELECT * FROM up ORDER BY depth
       ) ancestors`,
      values,
    );
  }

  /** The newest checkpoint of each namespace at or below one of `namespaces`. */
  async newestBelow(threadId: string, namespaces: readonly string[]): Promise<CheckpointTuple[]> {
    const { threads, checkpoints } = this.#tables;
    return this.#wholeTuples(
      `SELECT DISTINCT ON (c.ns) ${COLUMNS} FROM ${threads} t JOIN ${checkpoints} c ON c.thread = t.thread
        WHERE t.thread_id = $1 AND EXISTS (SELECT FROM unnest($2::text[]) AS above
          WHERE above = '' OR c.ns = above OR starts_with(c.ns, above || '|'))
        ORDER BY c.ns, c.id DESC`,
      [threadId, namespaces],
    );
  }

  /** The checkpoints, newest first, a page at a time. */
  async *list(query: CheckpointQuery): AsyncGenerator<CheckpointTuple> {
    let { limit = Number.POSITIVE_INFINITY } = query;
    let after: CheckpointRow | undefined;
    while (limit > 0) {
      const size = query.filter === undefined ? Math.min(limit, PAGE) : PAGE;
      const [where, values] = whereOf(query, after);
      const sql = `${this.#select(where)} ORDER BY c.id DESC, c.thread DESC, c.ns DESC LIMIT ${size}`;
      const { rows } = await this.#driver.query<CheckpointRow>(sql, values);
      const decoded = await Promise.all(rows.map((row) => this.#decode(row)));
      const matching = decoded.filter(({ metadata }) => matches(metadata, query.filter)).slice(0, limit);
      if (matching.length > 0) yield* await this.#tuplesOf(matching);
      limit -= matching.length;
      after = rows.at(-1);
      if (rows.length < size) return;
    }
  }

  /** Where the values of a checkpoint lie, without the values. */
  async known(threadId: string, ns: string, id: string): Promise<KnownCheckpoint | undefined> {
    const [where, values] = whereOf({ threadId, ns, id });
    const { rows } = await this.#driver.query<CheckpointRow>(this.#select(where), values);
    return rows[0] && this.#known(rows[0]);
  }

  /** The same of the newest checkpoints without a parent. */
  async firsts(threadId: string, ns: string): Promise<KnownCheckpoint[]> {
    const [where, values] = whereOf({ threadId, ns });
    const { rows } = await this.#driver.query<CheckpointRow>(
      `${this.#select(where)} AND c.parent_id IS NULL ORDER BY c.id DESC LIMIT 10`,
      values,
    );
    return Promise.all(rows.map((row) => this.#known(row)));
  }

  /** The items of a list as JSON without brackets; undefined where they are not plain JSON. */
  async listText(thread: number, ref: ListRef): Promise<string | undefined> {
    const lineages = ref.segments.map(({ lineage }) => lineage.id);
    const upTos = ref.segments.map(({ upTo }) => upTo);
    const { rows } = await this.#driver.query<BlobsRow>(
      this.#blobs("SELECT $1::int8 AS thread, l.* FROM unnest($2::int8[], $3::int4[]) AS l(lineage, up_to)"),
      [thread, lineages, upTos],
    );
    const found = new Map(rows.map((row) => [Number(row.lineage), row]));
    const parts: string[] = [];
    let from = 0;
    for (const [index, { lineage, upTo }] of ref.segments.entries()) {
      const row = found.get(lineage.id);
      if (row?.text == null) return undefined;
      const endsWithRow = index === ref.segments.length - 1 && !ref.sealed;
      parts.push(endsWithRow && row.start === from ? row.text : sliceOf(row.text, from - row.start, upTo - row.start));
      from = upTo;
    }
    return parts.join(",");
  }

  /** How many of these checkpoints of the thread are stored. */
  async countStored(
    threadId: string,
    wanted: readonly { readonly namespace: string; readonly id: string }[],
  ): Promise<number> {
    const { threads, checkpoints } = this.#tables;
    const { rows } = await this.#driver.query<{ stored: number }>(
      `SELECT count(*)::int AS stored FROM unnest($2::text[], $3::text[]) AS wanted(ns, id)
         JOIN ${threads} t ON t.thread_id = $1
         JOIN ${checkpoints} c ON c.thread = t.thread AND c.ns = wanted.ns AND c.id = wanted.id`,
      [threadId, wanted.map(({ namespace }) => namespace), wanted.map(({ id }) => id)],
    );
    return rows[0]?.stored ?? 0;
  }

  #select(where: string): string {
    const { threads, checkpoints } = this.#tables;
    return `SELECT ${COLUMNS} FROM ${threads} t JOIN ${checkpoints} c ON c.thread = t.thread WHERE ${where}`;
  }

  /** Reads the lineages in `need`, a query of thread, lineage and up_to. */
  #blobs(need: string): string {
    return `SELECT n.thread, n.lineage, min(b.start) AS start,
        CASE WHEN bool_and(b.type IS NULL) THEN string_agg(b.text, ',' ORDER BY b.start) END AS text,
        CASE WHEN NOT bool_and(b.type IS NULL) THEN array_agg(b.type ORDER BY b.start) END AS types,
        CASE WHEN NOT bool_and(b.type IS NULL)
          THEN array_agg(coalesce(b.bytes, convert_to(b.text, 'UTF8')) ORDER BY b.start) END AS parts
      FROM (${need}) n
      JOIN ${this.#tables.blobs} b ON b.thread = n.thread AND b.lineage = n.lineage AND b.start < n.up_to
     GROUP BY n.thread, n.lineage`;
  }

  /** Reads the writes of tasks in `from`, which names them w. */
  #writes(from: string): string {
    return `SELECT w.thread, w.ns, w.checkpoint_id AS id, w.task_id, w.idx, w.type, ${wholeResult} AS text, w.bytes
      FROM ${from}
      LEFT JOIN ${this.#tables.blobs} part ON part.thread = w.thread AND part.lineage = w.lineage AND part.start = w.start`;
  }

  /** What the checkpoints of `cp` consist of. */
  #contents(cp: string): { blobs: string; writes: string } {
    return {
      blobs: this.#blobs(
        `SELECT cp.thread, l.lineage, max(l.up_to) AS up_to FROM ${cp} cp, unnest(cp.lineages, cp.up_tos) AS l(lineage, up_to)
          GROUP BY cp.thread, l.lineage`,
      ),
      writes: this.#writes(`${cp} cp JOIN ${this.#tables.writes} w
          ON w.thread = cp.thread AND w.ns = cp.ns AND w.checkpoint_id = cp.id`),
    };
  }

  /** Reads few checkpoints with all they consist of, in one statement. */
  async #wholeTuples(select: string, values: readonly unknown[], purpose?: string): Promise<CheckpointTuple[]> {
    const text = this.#whole(select);
    const { rows } = await this.#driver.query<AnyRow>(
      purpose === undefined ? text : namedStatement(purpose, text),
      values,
    );
    return this.#tuplesIn(rows);
  }

  /** The statement for it; `more` are further rows that it reads. */
  #whole(select: string, ...more: string[]): string {
    const { blobs, writes } = this.#contents("cp");
    const rows = [
      `SELECT 'checkpoint' AS kind, cp.thread_id, cp.thread, cp.generation, cp.ns, cp.id, cp.parent_id, cp.lineages, cp.up_tos,
              cp.type, cp.text, cp.bytes, NULL::int8 AS lineage, NULL::text[] AS types, NULL::bytea[] AS parts, NULL::text COLLATE "C" AS task_id, (row_number() OVER ())::int4 AS idx
         FROM cp`,
      `SELECT 'blobs', NULL, b.thread, NULL, NULL, NULL, NULL, NULL, NULL, NULL, b.text, NULL, b.lineage, b.types, b.parts, NULL, b.start
         FROM b`,
      `SELECT 'writes', NULL, w.thread, NULL, w.ns, w.id, NULL, NULL, NULL, w.type, w.text, w.bytes, NULL, NULL, NULL, w.task_id, w.idx
         FROM w`,
      ...more,
    ];
    return `WITH cp AS MATERIALIZED (${select}), b AS (${blobs}), w AS (${writes})
       ${rows.join("\n        UNION ALL\n       ")}
        ORDER BY task_id NULLS FIRST, idx`;
  }

  #tuplesIn(rows: readonly AnyRow[]): Promise<CheckpointTuple[]> {
    const checkpoints: CheckpointRow[] = [];
    const contents = new CheckpointContents(this.#codec);
    for (const row of rows) {
      if (row.kind === "checkpoint") checkpoints.push(row);
      else if (row.kind === "blobs") contents.addBlobs({ ...row, start: row.idx });
      else if (row.kind === "writes") contents.addWrites(row);
    }
    return Promise.all(checkpoints.map(async (row) => this.#assemble(await this.#decode(row), contents)));
  }

  /** Reads the rows once more, with their values: what was deleted meanwhile is left out. */
  async #tuplesOf(decoded: readonly DecodedRow[]): Promise<CheckpointTuple[]> {
    const rows = decoded.map(({ row }) => row);
    return this.#wholeTuples(
      `${this.#select("(c.thread, c.ns, c.id) IN (SELECT * FROM unnest($1::int8[], $2::text[], $3::text[]))")}
        ORDER BY c.id DESC, c.thread DESC, c.ns DESC`,
      [rows.map(({ thread }) => Number(thread)), rows.map(({ ns }) => ns), rows.map(({ id }) => id)],
    );
  }

  async #known(row: CheckpointRow): Promise<KnownCheckpoint> {
    const { checkpoint, refs } = await this.#decode(row);
    return {
      thread: Number(row.thread),
      generation: Number(row.generation),
      versions: checkpoint.channel_versions,
      refs,
      marks: new Map(),
    };
  }

  async #decode(row: CheckpointRow): Promise<DecodedRow> {
    const { checkpoint, metadata, refs } = await decodeBody(
      this.#codec,
      row,
      row.lineages.map(Number),
      row.up_tos.map(Number),
    );
    return { row, checkpoint: { ...checkpoint, id: row.id }, metadata, refs };
  }

  async #assemble(
    { row, checkpoint, metadata, refs }: DecodedRow,
    contents: CheckpointContents,
  ): Promise<CheckpointTuple> {
    const { thread_id, ns, id, parent_id } = row;
    const thread = Number(row.thread);
    const values = await Promise.all(
      [...refs].map(async ([channel, ref]) => [channel, await contents.value(thread, ref)] as const),
    );
    const complete = { ...checkpoint, channel_values: Object.fromEntries(values) };
    if (complete.v < 4 && parent_id !== null) await this.#moveSends(complete, row);
    const configOf = (checkpoint_id: string) => ({ configurable: { thread_id, checkpoint_ns: ns, checkpoint_id } });
    return {
      config: configOf(id),
      checkpoint: complete,
      metadata,
      pendingWrites: await contents.writesOf(thread, ns, id),
      ...(parent_id === null ? {} : { parentConfig: configOf(parent_id) }),
    };
  }

  /** Before version 4, what `Send` had sent was a pending write of the parent; since then it is a channel's value. */
  async #moveSends(checkpoint: Checkpoint, { thread, ns, parent_id }: CheckpointRow): Promise<void> {
    const { rows } = await this.#driver.query<WritesRow>(
      `${this.#writes(`${this.#tables.writes} w`)}
        WHERE w.thread = $1 AND w.ns = $2 AND w.checkpoint_id = $3 ORDER BY w.task_id, w.idx`,
      [Number(thread), ns, parent_id],
    );
    const contents = new CheckpointContents(this.#codec);
    for (const row of rows) contents.addWrites(row);
    const writes = await contents.writesOf(Number(thread), ns, parent_id as string);
    checkpoint.channel_values[TASKS] = writes.filter(([, channel]) => channel === TASKS).map(([, , value]) => value);
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? (maxChannelVersion(...versions) as number) : nextChannelVersion(undefined);
  }
}

function whereOf(query: CheckpointQuery, after?: CheckpointRow): [where: string, values: unknown[]] {
  const values: unknown[] = [];
  const terms: string[] = [];
  const add = (term: (place: string) => string, value: unknown): void => {
    if (value !== undefined) terms.push(term(`$${values.push(value)}`));
  };
  add((place) => `t.thread_id = ${place}`, query.threadId);
  add((place) => `c.ns = ${place}`, query.ns);
  add((place) => `c.id = ${place}`, query.id);
  add((place) => `c.id < ${place}`, query.before);
  if (after !== undefined) {
    const places = [after.id, Number(after.thread), after.ns].map((value) => `$${values.push(value)}`);
    terms.push(`(c.id, c.thread, c.ns) < (${places.join(", ")})`);
  }
  return [terms.join(" AND ") || "true", values];
}

function matches(metadata: CheckpointMetadata, filter: Record<string, unknown> | undefined): boolean {
  const found: Record<string, unknown> = { ...metadata };
  return Object.entries(filter ?? {}).every(([key, value]) => isDeepStrictEqual(found[key], value));
}

function sliceOf(text: string, from: number, to: number): string {
  return JSON.stringify((JSON.parse(`[${text}]`) as unknown[]).slice(from, to)).slice(1, -1);
}
