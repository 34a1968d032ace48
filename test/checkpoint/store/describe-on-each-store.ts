import { PGlite } from "@electric-sql/pglite";
import { afterAll, afterEach, beforeAll, describe, inject } from "vitest";
import { openCheckpointer, openStore } from "perdure/checkpoint";
import type { Checkpointer, OpenStoreOptions, Store } from "perdure/checkpoint";
import { Pool } from "pg";
import { englishDatabase } from "./english-database.ts";

/** A place for items, empty at first, that several stores may have open; they are closed after the test. */
export interface StorePlace {
  open(options?: OpenStoreOptions): Promise<Store>;
}

/** A kind of store, as the tests of a file see it. */
export interface StoreKind {
  readonly kind: "memory" | "sqlite" | "pglite" | "postgres";
  readonly fresh: () => Promise<StorePlace>;
}

interface Server {
  readonly fresh: StoreKind["fresh"];
  readonly stop: () => Promise<void>;
}

let places = 0;

/** How a kind is started, once per file; places on a database are schemas of it. */
const SERVERS: Record<StoreKind["kind"], () => Promise<Server>> = {
  memory: () => overCheckpointers("memory:"),
  sqlite: () => overCheckpointers("sqlite::memory:"),
  pglite: async () => {
    const database = await PGlite.create("memory://");
    return overSchemas(database, () => database.close());
  },
  postgres: async () => {
    const database = await englishDatabase();
    const pool = new Pool({ connectionString: database.url });
    return overSchemas(pool, async () => {
      await pool.end();
      await database.drop();
    });
  },
};

/** Runs a block of tests on each kind of store; Postgres is skipped where there is none. */
export function describeOnEachStore(name: string, block: (kind: StoreKind) => void): void {
  for (const kind of ["memory", "sqlite", "pglite", "postgres"] as const) {
    describe.skipIf(kind === "postgres" && inject("postgresUrl") === "")(`${name}, on ${kind}`, () => {
      let server: Server;
      const opened: Store[] = [];
      beforeAll(async () => {
        server = await SERVERS[kind]();
      });
      afterEach(async () => {
        for (const store of opened.splice(0)) await store.close();
      });
      afterAll(() => server.stop());
      block({
        kind,
        fresh: async () => {
          const place = await server.fresh();
          return {
            open: async (options) => {
              const store = await place.open(options);
              opened.push(store);
              return store;
            },
          };
        },
      });
    });
  }
}

async function overCheckpointers(url: string): Promise<Server> {
  const checkpointers: Checkpointer[] = [];
  return {
    fresh: async () => {
      const checkpointer = await openCheckpointer(url);
      checkpointers.push(checkpointer);
      return { open: (options) => openStore(checkpointer, options) };
    },
    stop: async () => {
      for (const checkpointer of checkpointers) await checkpointer.close();
    },
  };
}

function overSchemas(database: Pool | PGlite, stop: () => Promise<void>): Server {
  return {
    fresh: async () => {
      const schema = `place_${(places += 1)}`;
      return { open: (options) => openStore(database, { ...options, schema }) };
    },
    stop,
  };
}
