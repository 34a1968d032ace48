import type { PostgresTables } from "../postgres-tables.ts";
import { onceTable } from "../sql-once.ts";

/** The names of the tables, quoted and with their schema. */
export interface SaverTables {
  /** One row for each thread: its key in the other tables, its lock, epoch, record and head. */
  readonly threads: string;
  readonly checkpoints: string;
  /** Values of channels; of a list the chunks, each with the index of its first item. */
  readonly blobs: string;
  /** Pending writes: one row for a task's result, one for each of its special writes. */
  readonly writes: string;
  /** Every answer that was ever committed. */
  readonly answers: string;
  /** The questions that are open, one row for each task that asks. */
  readonly interrupts: string;
  /** What `once.tx` did. */
  readonly once: string;
  readonly migrations: string;
}

/** Every table, by its name within the schema. */
const TABLE_NAMES: SaverTables = {
  threads: "perdure_threads",
  checkpoints: "perdure_checkpoints",
  blobs: "perdure_blobs",
  writes: "perdure_writes",
  answers: "perdure_answers",
  interrupts: "perdure_interrupts",
  once: "perdure_once",
  migrations: "perdure_migrations",
};

/** The tables in a schema. */
export function saverTables(schema: string): SaverTables {
  const named = Object.entries(TABLE_NAMES).map(([key, name]) => [key, `"${schema}".${name}`]);
  return Object.fromEntries(named) as unknown as SaverTables;
}

/** The tables in a schema, and how they are made. */
export function saverTableSet(schema: string): PostgresTables {
  const tables = saverTables(schema);
  return { names: Object.values(TABLE_NAMES), migrations: tables.migrations, changes: saverMigrations(tables) };
}

/**
 * The changes of the tables, oldest first; one that was released is never edited.
 *
 * Values are `text` where they are JSON, which escapes the characters that Postgres refuses, and `bytes` where a
 * serializer of the caller wrote them. Ids are kept as they are given, so one with such a character is
 * refused before it gets here. They sort by their bytes (`"C"`), as LangGraph sorts them.
 */
function saverMigrations(tables: SaverTables): string[] {
  return [
    `CREATE TABLE ${tables.threads} (
  thread_id text COLLATE "C" PRIMARY KEY,
  thread int8 GENERATED ALWAYS AS IDENTITY (MAXVALUE 9007199254740991) UNIQUE,
  generation int4 NOT NULL DEFAULT 0,
  epoch int8 NOT NULL DEFAULT 0,
  head text COLLATE "C",
  record_type text,
  record bytea,
  created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50)`,
    `CREATE TABLE ${tables.checkpoints} (
  thread int8 NOT NULL,
  ns text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  parent_id text COLLATE "C",
  lineages int8[] NOT NULL,
  up_tos int4[] NOT NULL,
  type text,
  text text,
  bytes bytea,
  PRIMARY KEY (thread, ns, id)
)`,
    `CREATE TABLE ${tables.blobs} (
  thread int8 NOT NULL,
  lineage int8 NOT NULL,
  start int4 NOT NULL,
  type text,
  text text,
  bytes bytea,
  PRIMARY KEY (thread, lineage, start)
)`,
    `CREATE TABLE ${tables.writes} (
  thread int8 NOT NULL,
  ns text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  task_id text COLLATE "C" NOT NULL,
  idx int2 NOT NULL,
  lineage int8,
  start int4,
  type text,
  text text,
  bytes bytea,
  PRIMARY KEY (thread, ns, checkpoint_id, task_id, idx)
)`,
    `CREATE TABLE ${tables.answers} (
  thread int8 NOT NULL,
  interrupt_id text NOT NULL,
  answered_at timestamptz NOT NULL,
  type text,
  text text,
  bytes bytea,
  PRIMARY KEY (thread, interrupt_id)
)`,
    `CREATE TABLE ${tables.interrupts} (
  thread int8 NOT NULL,
  ns text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  task_id text COLLATE "C" NOT NULL,
  answers int4,
  asked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (thread, ns, checkpoint_id, task_id)
)`,
    `CREATE INDEX ON ${tables.interrupts} (asked_at, thread, ns, task_id)`,
    onceTable(tables.once),
  ];
}
