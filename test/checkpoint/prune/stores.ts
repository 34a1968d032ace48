import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer, OpenCheckpointerOptions } from "perdure/checkpoint";
import { Pool } from "pg";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { freshDatabase } from "../../support/fresh-database.ts";

/** A row of the database, by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** One kind of checkpointer, open for the tests of a block. */
export interface PruneStore {
  readonly kind: "memory" | "sqlite" | "pglite" | "postgres";
  readonly checkpointer: Checkpointer;
  /** Opens it once more, knowing nothing of what is there; itself where there can be one opener only. */
  again(options?: OpenCheckpointerOptions): Promise<Checkpointer>;
  /** Reads the tables; undefined where they are none of Postgres. */
  readonly query: ((sql: string, values: unknown[]) => Promise<readonly Row[]>) | undefined;
}

interface Opened {
  readonly open: (options?: OpenCheckpointerOptions) => Promise<Checkpointer>;
  readonly query?: NonNullable<PruneStore["query"]>;
  readonly remove?: () => Promise<void>;
}

const KINDS: Readonly<Record<PruneStore["kind"], () => Promise<Opened>>> = {
  memory: async () => ({ open: () => openCheckpointer("memory:") }),
  sqlite: async () => ({ open: () => openCheckpointer("sqlite::memory:") }),
  pglite: async () => {
    const database = await PGlite.create("memory://");
    return {
      open: (options) => openCheckpointer(database, options),
      query: async (sql, values) => (await database.query<Row>(sql, values)).rows,
      remove: () => database.close(),
    };
  },
  postgres: async () => {
    const database = await freshDatabase();
    const pool = new Pool({ connectionString: database.url, max: 1 });
    return {
      open: (options) => openCheckpointer(database.url, options),
      query: async (sql, values) => (await pool.query<Row>(sql, values)).rows,
      async remove() {
        await pool.end();
        await database.drop();
      },
    };
  },
};

/** Runs a block of tests on each kind of checkpointer; Postgres is skipped where there is no server. */
export function describeOnEachStore(name: string, block: (store: PruneStore) => void): void {
  for (const kind of Object.keys(KINDS) as PruneStore["kind"][]) {
    describe.skipIf(kind === "postgres" && inject("postgresUrl") === "")(`${name}, on ${kind}`, () => {
      let opened: Opened;
      let checkpointer: Checkpointer;
      const others: Checkpointer[] = [];
      beforeAll(async () => {
        opened = await KINDS[kind]();
        checkpointer = await opened.open();
      });
      afterAll(async () => {
        for (const each of [checkpointer, ...others]) await each.close();
        await opened.remove?.();
      });
      block({
        kind,
        get checkpointer() {
          return checkpointer;
        },
        async again(options) {
          if (opened.query === undefined) return checkpointer;
          const other = await opened.open(options);
          others.push(other);
          return other;
        },
        get query() {
          return opened.query;
        },
      });
    });
  }
}

/** How many rows of a thread nothing refers to: writes without their checkpoint, blobs that no checkpoint needs. */
export async function unreachableRows(store: PruneStore, threadId: string): Promise<number> {
  if (store.query === undefined) return 0;
  const [row] = await store.query(
    `WITH t AS (SELECT thread FROM perdure_threads WHERE thread_id = $1),
          need AS (SELECT l.lineage, max(l.up_to) AS up_to FROM t JOIN perdure_checkpoints c USING (thread),
                   unnest(c.lineages, c.up_tos) AS l(lineage, up_to) GROUP BY 1)
     SELECT ((SELECT count(*) FROM t JOIN perdure_writes w USING (thread) WHERE NOT EXISTS (
                SELECT FROM perdure_checkpoints c WHERE c.thread = t.thread AND c.ns = w.ns AND c.id = w.checkpoint_id))
           + (SELECT count(*) FROM t JOIN perdure_interrupts w USING (thread) WHERE NOT EXISTS (
                SELECT FROM perdure_checkpoints c WHERE c.thread = t.thread AND c.ns = w.ns AND c.id = w.checkpoint_id))
           + (SELECT count(*) FROM t JOIN perdure_blobs b USING (thread) WHERE NOT EXISTS (
                SELECT FROM need WHERE need.lineage = b.lineage AND b.start < need.up_to)))::int4 AS count`,
    [threadId],
  );
  return Number(row?.["count"]);
}
