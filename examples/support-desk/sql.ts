/**
 * The little that the order database needs of a Postgres, so that it runs on PGlite (in this process)
 * and on a server alike.
 */
import { PGlite } from "@electric-sql/pglite";
import { Pool } from "pg";

/** Where the desk keeps everything: a Postgres server, or a folder for PGlite. */
export type DatabasePlace = { readonly postgres: string } | { readonly folder: string };

/** Runs one statement. */
export interface Sql {
  query<Row>(text: string, params?: unknown[]): Promise<{ rows: Row[] }>;
}

/** A database: statements, alone or several as one. */
export interface SqlDatabase extends Sql {
  /** Runs `work` in a transaction: all of it is committed, or, if it throws, nothing. */
  transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
}

/** Opens the database; `connection` is what `openCheckpointer` takes, so that all share it. */
export async function openSql(
  place: DatabasePlace,
): Promise<{ connection: PGlite | Pool; sql: SqlDatabase; close(): Promise<void> }> {
  if ("folder" in place) {
    const pglite = await PGlite.create(place.folder);
    return { connection: pglite, sql: sqlOnPGlite(pglite), close: () => pglite.close() };
  }
  const pool = new Pool({ connectionString: place.postgres, max: 10 });
  pool.on("error", () => undefined); // an idle connection that drops is replaced; unheard it would end the process
  return { connection: pool, sql: sqlOnPool(pool), close: () => pool.end() };
}

/** PGlite has one connection: a transaction holds back every other statement until it ends. */
export function sqlOnPGlite(pglite: PGlite): SqlDatabase {
  return {
    query: (text, params) => pglite.query(text, params),
    transaction: (work) => pglite.transaction((sql) => work({ query: (text, params) => sql.query(text, params) })),
  };
}

/** On a server each transaction has a connection of its own. */
export function sqlOnPool(pool: Pool): SqlDatabase {
  return {
    query: async <Row>(text: string, params?: unknown[]) => ({ rows: (await pool.query(text, params)).rows as Row[] }),
    transaction: async (work) => {
      const client = await pool.connect();
      try {
        await client.query("begin");
        const result = await work({
          query: async <Row>(text: string, params?: unknown[]) => ({
            rows: (await client.query(text, params)).rows as Row[],
          }),
        });
        await client.query("commit");
        return result;
      } catch (error) {
        await client.query("rollback");
        throw error;
      } finally {
        client.release();
      }
    },
  };
}
