import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { Pool } from "pg";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { freshDatabase } from "./fresh-database.ts";

/** An SQL database that the tests of a block share, and a checkpointer on it. */
export interface TestDatabase {
  readonly kind: "pglite" | "postgres";
  readonly checkpointer: Checkpointer;
  /** Opens a second checkpointer on it, as another process would, or on PGlite another part of the same one. */
  openAgain(): Promise<Checkpointer>;
  /** A statement on a connection of its own. */
  query<Row>(text: string, values?: unknown[]): Promise<Row[]>;
  /** A thread id that no other test of the file has. */
  newThread(): string;
}

interface Opened {
  readonly connect: () => Promise<Checkpointer>;
  readonly query: (text: string, values: unknown[]) => Promise<{ rows: unknown[] }>;
  readonly close: () => Promise<void>;
}

async function openPglite(): Promise<Opened> {
  const database = await PGlite.create("memory://");
  return {
    connect: () => openCheckpointer(database),
    query: (text, values) => database.query(text, values),
    close: () => database.close(),
  };
}

async function openPostgres(): Promise<Opened> {
  const database = await freshDatabase();
  const pool = new Pool({ connectionString: database.url });
  return {
    connect: () => openCheckpointer(database.url),
    query: (text, values) => pool.query(text, values),
    close: async () => {
      await pool.end();
      await database.drop();
    },
  };
}

let threads = 0;

/** Runs a block of tests on PGlite and on a Postgres server (skipped where there is none), in a database of its own each. */
export function describeOnEachDatabase(name: string, block: (database: TestDatabase) => void): void {
  for (const kind of ["pglite", "postgres"] as const) {
    describe.skipIf(kind === "postgres" && inject("postgresUrl") === "")(`${name}, on ${kind}`, () => {
      let opened: Opened;
      let checkpointer: Checkpointer;
      const others: Checkpointer[] = [];
      beforeAll(async () => {
        opened = await (kind === "pglite" ? openPglite() : openPostgres());
        checkpointer = await opened.connect();
      });
      afterAll(async () => {
        for (const one of [...others, checkpointer]) await one.close();
        await opened.close();
      });
      block({
        kind,
        get checkpointer() {
          return checkpointer;
        },
        openAgain: async () => {
          const other = await opened.connect();
          others.push(other);
          return other;
        },
        query: async <Row>(text: string, values: unknown[] = []) => (await opened.query(text, values)).rows as Row[],
        newThread: () => `thread-${(threads += 1)}`,
      });
    });
  }
}
