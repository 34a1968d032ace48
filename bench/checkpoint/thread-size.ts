import type { DatabaseContender } from "./contender.ts";

/** What the tables of a schema take on disk, with their indexes and TOAST, in bytes. */
export interface ThreadSize {
  /** As the steps left them. */
  readonly bytes: number;
  /** After a plain VACUUM, which gives nothing back but may add a map of the free space. */
  readonly bytesVacuumed: number;
  /** How many of the tables autovacuum had been at before the first number was taken. */
  readonly autovacuumed: number;
  /** The tables, the largest first, as they were left. */
  readonly tables: readonly { readonly name: string; readonly bytes: number }[];
}

/** Measures a schema, and leaves it vacuumed and analyzed. */
export async function measureSize(contender: DatabaseContender, schema: string): Promise<ThreadSize> {
  const tables = await tablesOf(contender, schema);
  const [row] = await contender.query<{ tables: number }>(
    `SELECT count(*)::int AS tables FROM pg_stat_all_tables WHERE schemaname = $1 AND autovacuum_count > 0`,
    [schema],
  );
  await contender.query("VACUUM ANALYZE");
  return {
    bytes: sum(tables),
    bytesVacuumed: sum(await tablesOf(contender, schema)),
    autovacuumed: row?.tables ?? 0,
    tables,
  };
}

function tablesOf(contender: DatabaseContender, schema: string): Promise<{ name: string; bytes: number }[]> {
  // Indexes and TOAST are counted with their tables. A sequence is a relation of 8 KB too.
  return contender.query(
    `SELECT relname::text AS name, pg_total_relation_size(pg_class.oid)::float8 AS bytes
       FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE nspname = $1 AND relkind IN ('r', 'm', 'S')
      ORDER BY bytes DESC, name`,
    [schema],
  );
}

function sum(tables: readonly { readonly bytes: number }[]): number {
  return tables.reduce((all, { bytes }) => all + bytes, 0);
}
