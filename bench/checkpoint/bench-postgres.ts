import { setTimeout } from "node:timers/promises";
import { startPostgres } from "../../test/support/postgres.ts";
import { queryOnce } from "./contender.ts";

/** A Postgres server that counts, with its own settings otherwise. */
export interface BenchPostgres {
  /** Such as `18.4`. */
  readonly version: string;
  /** Makes an empty database and returns its URL. */
  readonly createDatabase: (name: string, options?: { readonly counted: boolean }) => Promise<string>;
  /** What a database was asked since it was made. Waits until nobody is connected: only then all is counted. */
  readonly countsOf: (name: string) => Promise<ServerCounts>;
  /** Lets autovacuum rest, whose transactions count too. */
  readonly setAutovacuum: (on: boolean) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Counted by the server. */
export interface ServerCounts {
  /** Undefined where the server comes without pg_stat_statements. BEGIN and COMMIT are statements too. */
  readonly statements: number | undefined;
  /** Committed, without the one that each new connection makes. */
  readonly transactions: number;
}

/** Starts an empty server, which is gone with this process. */
export async function startBenchPostgres(): Promise<BenchPostgres> {
  const server = await startPostgres();
  try {
    const query = <Row>(text: string, values?: unknown[]) => queryOnce<Row>(server.url, text, values);
    const [about] = await query<{ version: string; counts: boolean }>(
      `SELECT current_setting('server_version') AS version,
              EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS counts`,
    );
    const { version = "", counts = false } = about ?? {};
    if (counts) {
      await query("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'");
      await server.restart();
      await query("CREATE EXTENSION pg_stat_statements");
      // It takes a little time of each statement: only where they are counted, and nothing else is measured.
      await query("ALTER SYSTEM SET pg_stat_statements.track = 'none'");
      await query("SELECT pg_reload_conf()");
    }
    return {
      version,
      createDatabase: async (name, { counted } = { counted: false }) => {
        await query(`CREATE DATABASE ${name}`);
        if (counts && counted) await query(`ALTER DATABASE ${name} SET pg_stat_statements.track = 'top'`);
        const url = new URL(server.url);
        url.pathname = `/${name}`;
        return url.href;
      },
      countsOf: async (name) => {
        // A connection reports what it did when it ends, before it leaves pg_stat_activity.
        const connected = "SELECT FROM pg_stat_activity WHERE datname = $1";
        while ((await query(connected, [name])).length > 0) await setTimeout(10);
        const [row] = await query<{ transactions: number }>(
          "SELECT (xact_commit - sessions)::float8 AS transactions FROM pg_stat_database WHERE datname = $1",
          [name],
        );
        return { transactions: row?.transactions ?? NaN, statements: counts ? await statementsOf(name) : undefined };
      },
      setAutovacuum: async (on) => {
        await query(`ALTER SYSTEM SET autovacuum = ${on ? "on" : "off"}`);
        await query("SELECT pg_reload_conf()");
      },
      stop: () => server.stop(),
    };

    async function statementsOf(name: string): Promise<number> {
      const [row] = await query<{ statements: number }>(
        `SELECT coalesce(sum(calls), 0)::float8 AS statements
           FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1)`,
        [name],
      );
      return row?.statements ?? NaN;
    }
  } catch (error) {
    await server.stop();
    throw error;
  }
}
