import { IterableBackoff, handleWhen, retry } from "cockatiel";
import type { Item } from "@langchain/langgraph-checkpoint";
import { namedStatement } from "../named-statement.ts";
import { isTransient } from "../postgres-errors.ts";
import type { NamedStatement, SqlDriver, SqlResult } from "../sql-driver.ts";
import { escapeJson, escapeText, parseEscapedJson, unescapeText } from "./escaped-text.ts";
import { SqlParameters, conditionSql } from "./filter-sql.ts";
import { ANY_LABEL } from "./match-namespace.ts";
import type { ItemKey, ItemQuery, ItemWrite, NamespaceQuery, RankCandidate, StoreBackend } from "./store-backend.ts";
import { storeTables } from "./store-tables.ts";
import type { StoreTables } from "./store-tables.ts";
import { bytesOfVectors, joinVectors, vectorsOfBytes } from "./vectors.ts";
import { WriteQueue } from "./write-queue.ts";

/** What a {@link PostgresStoreBackend} needs. */
export interface PostgresStoreOptions {
  readonly schema: string;
  readonly ttlMs: number | undefined;
  /** Frees what goes with the database, such as the lock on its directory; called once, after the driver was closed. */
  readonly release?: (() => void) | undefined;
}

/** Texts and numbers only, so that it does not matter which parsers a pool has. */
interface ItemRow {
  readonly namespace: string;
  readonly key: string;
  readonly value: string;
  readonly created: number | string;
  readonly updated: number | string;
  readonly written: number | string;
}

const COLUMNS = `to_json(s.namespace)::text AS namespace, s.key, s.value::text AS value, s.written::text AS written,
  date_part('epoch', s.created_at) * 1000 AS created, date_part('epoch', s.updated_at) * 1000 AS updated`;
const LIVE = "(s.expires_at IS NULL OR s.expires_at > now())";

/**
 * For a read, and for a write too: when the connection is lost, nobody knows whether it was stored, and stored again
 * it wins over what others wrote meanwhile, as it would have had it been slower. Two flushes may also meet: while one of
 * them deletes, or in a database whose transactions are serializable. Waits some fifteen seconds in all: a server that restarts or fails over is back by then.
 */
const onceMore = retry(handleWhen(isTransient), {
  maxAttempts: 33,
  backoff: new IterableBackoff([20, 50, 100, 200, 500]),
});

/** Items in Postgres, or in PGlite. A namespace is an array of labels, so nothing in a label means anything. */
export class PostgresStoreBackend implements StoreBackend {
  readonly #driver: SqlDriver;
  readonly #options: PostgresStoreOptions;
  readonly #tables: StoreTables;
  readonly #reading: NamedStatement;
  readonly #flushing: NamedStatement;
  readonly #expiring: NamedStatement;
  readonly #queue: WriteQueue;

  constructor(driver: SqlDriver, options: PostgresStoreOptions) {
    this.#driver = driver;
    this.#options = options;
    this.#tables = storeTables(options.schema);
    this.#reading = namedStatement("store_read", readSql(this.#tables));
    this.#flushing = namedStatement("store_flush", flushSql(this.#tables));
    this.#expiring = namedStatement("store_expire", expireSql(this.#tables));
    this.#queue = new WriteQueue((writes) => this.#flush(writes));
  }

  async read(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    const asked = keys.map(({ namespace, key }, index) => ({
      index,
      namespace: namespace.map(escapeText),
      key: escapeText(key),
    }));
    const { rows } = await this.#query<ItemRow & { readonly index: number }>(this.#reading, [JSON.stringify(asked)]);
    const found = new Map(rows.map((row) => [Number(row.index), itemOf(row)]));
    return keys.map((_, index) => found.get(index));
  }

  async search({ limit, offset, ...query }: ItemQuery): Promise<Item[]> {
    const parameters = new SqlParameters();
    const { rows } = await this.#query<ItemRow>(
      // Only the rows of the page are made into text.
      `SELECT ${COLUMNS} FROM (
         SELECT * FROM ${this.#tables.items} s WHERE ${where(query, parameters)}
          ORDER BY s.written DESC ${page({ limit, offset }, parameters)}
       ) AS s ORDER BY s.written DESC`,
      parameters.values,
    );
    return rows.map(itemOf);
  }

  async rankCandidates(query: Pick<ItemQuery, "prefix" | "conditions">): Promise<RankCandidate[]> {
    const parameters = new SqlParameters();
    const { rows } = await this.#query<{ id: string; vectors: Uint8Array | null }>(
      `SELECT s.written::text AS id, s.vectors FROM ${this.#tables.items} s WHERE ${where(query, parameters)}
        ORDER BY s.written DESC`,
      parameters.values,
    );
    return rows.map(({ id, vectors }) => ({
      id: Number(id),
      vectors: vectors === null ? undefined : vectorsOfBytes(vectors),
    }));
  }

  async readRanked(ids: readonly number[]): Promise<(Item | undefined)[]> {
    if (ids.length === 0) return [];
    const { rows } = await this.#query<ItemRow>(
      `SELECT ${COLUMNS} FROM ${this.#tables.items} s WHERE s.written = ANY($1::int8[]) AND ${LIVE}`,
      [ids],
    );
    const found = new Map(rows.map((row) => [Number(row.written), itemOf(row)]));
    return ids.map((id) => found.get(id));
  }

  async listNamespaces({ prefixes, suffixes, maxDepth, limit, offset }: NamespaceQuery): Promise<string[][]> {
    const parameters = new SqlParameters();
    const conditions = [
      LIVE,
      ...prefixes.flatMap((path) => [
        below(path.slice(0, path.includes(ANY_LABEL) ? path.indexOf(ANY_LABEL) : path.length), parameters),
        ...labelsAt(path, "", parameters),
      ]),
      ...suffixes.flatMap((path) => labelsAt(path, `cardinality(s.namespace) - ${path.length} + `, parameters)),
    ].join(" AND ");
    const depth = maxDepth === undefined ? undefined : `${parameters.add(maxDepth)}::int4`;
    const cut = depth === undefined ? "s.namespace" : `s.namespace[1:${depth}]`;
    const first = (condition: string): string =>
      `SELECT ${cut} AS path FROM ${this.#tables.items} s WHERE ${condition} ORDER BY s.namespace LIMIT 1`;
    const { rows } = await this.#query<{ path: string }>(
      // From one namespace to the next through the index, past the items and the deeper labels of each.
      `WITH RECURSIVE found AS (
  (${first(conditions)})
  UNION ALL
  SELECT next.path FROM found CROSS JOIN LATERAL (
    ${first(`${conditions} AND s.namespace >= ${beyond("found.path", depth)}`)}
  ) AS next
)
SELECT to_json(path)::text AS path FROM found ${page({ limit, offset }, parameters)}`,
      parameters.values,
    );
    return rows.map(({ path }) => labelsOf(path));
  }

  write(writes: readonly ItemWrite[]): Promise<void> {
    return this.#queue.add(writes);
  }

  async deleteExpired(): Promise<number> {
    const { rows } = await onceMore.execute(() => this.#driver.commit<{ count: string }>(this.#expiring, []));
    return Number(rows[0]?.count);
  }

  async close(): Promise<void> {
    await this.#queue.settled();
    await this.#driver.close().finally(this.#options.release);
  }

  #query<Row>(statement: string | NamedStatement, values: readonly unknown[]): Promise<SqlResult<Row>> {
    return onceMore.execute(() => this.#driver.query<Row>(statement, values));
  }

  async #flush(writes: readonly ItemWrite[]): Promise<void> {
    const rows = writes.map(({ namespace, key, json, vectors }) => {
      const joined = joinVectors(vectors);
      const row = JSON.stringify({
        namespace: namespace.map(escapeText),
        key: escapeText(key),
        vectors: joined && bytesOfVectors(joined).toString("base64"),
      });
      return `${row.slice(0, -1)},"value":${json === undefined ? "null" : escapeJson(json)}}`;
    });
    const values = [`[${rows.join()}]`, this.#options.ttlMs ?? null, this.#tables.items];
    await onceMore.execute(() => this.#driver.commit(this.#flushing, values));
  }
}

function readSql({ items }: StoreTables): string {
  return `SELECT asked.index, ${COLUMNS}
  FROM json_to_recordset($1::text::json) AS asked(index int4, namespace text[], key text)
  JOIN ${items} s ON s.namespace = asked.namespace AND s.key = asked.key
 WHERE ${LIVE}`;
}

function expireSql({ items }: StoreTables): string {
  return `WITH expired AS (DELETE FROM ${items} WHERE expires_at <= now() RETURNING 1)
SELECT count(*)::text AS count FROM expired`;
}

/** Numbers the writes in the order they came, and stores them in the order of their keys, so that flushes rarely meet. */
function flushSql({ items }: StoreTables): string {
  return `WITH asked AS MATERIALIZED (
  SELECT namespace, key, value, vectors, nextval(pg_get_serial_sequence($3::text, 'written')) AS written
    FROM json_to_recordset($1::text::json) AS row(namespace text[], key text, value jsonb, vectors text)
), removed AS (
  DELETE FROM ${items} s USING asked a WHERE s.namespace = a.namespace AND s.key = a.key AND a.value IS NULL
)
INSERT INTO ${items} AS s (namespace, key, value, vectors, expires_at, written)
SELECT namespace, key, value, decode(vectors, 'base64'), now() + $2::float8 * interval '1 ms', written
  FROM asked WHERE value IS NOT NULL ORDER BY namespace, key
ON CONFLICT (namespace, key) DO UPDATE SET
  value = excluded.value, vectors = excluded.vectors, updated_at = now(), written = excluded.written,
  created_at = CASE WHEN s.expires_at <= now() THEN now() ELSE s.created_at END, expires_at = excluded.expires_at`;
}

function where({ prefix, conditions }: Pick<ItemQuery, "prefix" | "conditions">, parameters: SqlParameters): string {
  return [below(prefix, parameters), LIVE, ...conditions.map((one) => conditionSql(one, parameters))].join(" AND ");
}

/**
 * A range of the index: after the prefix, and before the least label that is greater than its last one.
 * That one is a byte longer, and the byte is 1, as a text has no 0.
 */
function below(prefix: readonly string[], parameters: SqlParameters): string {
  const escaped = prefix.map(escapeText);
  const last = escaped.pop();
  if (last === undefined) return "true";
  const from = parameters.add([...escaped, last]);
  const end = parameters.add([...escaped, `${last}\u0001`]);
  return `s.namespace >= ${from}::text[] AND s.namespace < ${end}::text[]`;
}

/** The least array after a namespace; where it was cut, after all that begin with it. No label is empty. */
function beyond(path: string, depth: string | undefined): string {
  const next = `array_append(${path}, '')`;
  if (depth === undefined) return next;
  const after = `${path}[1:${depth} - 1] || (${path}[${depth}] || E'\\x01')`;
  return `CASE WHEN cardinality(${path}) < ${depth} THEN ${next} ELSE ${after} END`;
}

/** A condition for each label of the path that is not just any; `offset` is SQL for where the path starts. */
function labelsAt(path: readonly string[], offset: string, parameters: SqlParameters): string[] {
  const labels = path.flatMap((label, index) =>
    label === ANY_LABEL
      ? []
      : `s.namespace[${offset}${index + 1}] = ${parameters.add(escapeText(label))}::text COLLATE "C"`,
  );
  return [`cardinality(s.namespace) >= ${path.length}`, ...labels];
}

function page({ limit, offset }: Pick<ItemQuery, "limit" | "offset">, parameters: SqlParameters): string {
  const rows = limit === Number.POSITIVE_INFINITY ? null : limit;
  return `LIMIT ${parameters.add(rows)}::int8 OFFSET ${parameters.add(offset)}::int8`;
}

function itemOf({ namespace, key, value, created, updated }: ItemRow): Item {
  return {
    namespace: labelsOf(namespace),
    key: unescapeText(key),
    value: parseEscapedJson(value) as Item["value"],
    createdAt: new Date(Number(created)),
    updatedAt: new Date(Number(updated)),
  };
}

function labelsOf(json: string): string[] {
  return (JSON.parse(json) as string[]).map(unescapeText);
}
