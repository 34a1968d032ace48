import type { PGliteInterface } from "@electric-sql/pglite";
import type { Checkpointer, LockOptions } from "./checkpointer.ts";
import { checkpointerClosed } from "./closed.ts";
import { connectPgliteDatabase, connectPglitePath } from "./connect-pglite.ts";
import type { PgliteConnection } from "./connect-pglite.ts";
import type { PostgresOptions } from "./open-options.ts";
import { preparePostgres } from "./open-postgres.ts";
import { PostgresCheckpointer } from "./postgres/postgres-checkpointer.ts";
import { shareDatabase } from "./store/shared-database.ts";
import { ThreadLocks } from "./thread-locks.ts";
import type { ThreadQueues } from "./thread-locks.ts";

type Options = Pick<PostgresOptions, "schema" | "setup" | "serde" | "cacheThreads">;

/** Two checkpointers on one open database must see each other's locks. */
const queuesOf = new WeakMap<PGliteInterface, Map<string, ThreadQueues>>();

/** Opens a PGlite directory, or a database in memory without a path. */
export async function openPglitePath(path: string | undefined, options: Options): Promise<Checkpointer> {
  return open(await connectPglitePath(path, options.schema), options);
}

/** Takes a PGlite that somebody else opened and will close. */
export async function openPgliteDatabase(database: PGliteInterface, options: Options): Promise<Checkpointer> {
  return open(connectPgliteDatabase(database, options.schema), options);
}

async function open(
  { database, driver, address, release }: PgliteConnection,
  { setup, serde, cacheThreads }: Options,
): Promise<Checkpointer> {
  const { description, schema } = address;
  try {
    await preparePostgres(driver, address, setup);
    const locks = new ThreadLocks(threadQueues(database, schema));
    const checkpointer = new PostgresCheckpointer({
      driver,
      schema,
      description,
      shared: false,
      serde,
      cacheThreads,
      // It is one connection.
      lanes: 1,
      onceAtOnce: 1,
      locks: {
        lock: (threadId: string, lockOptions: LockOptions) => locks.lock(threadId, lockOptions),
        close: async () => locks.close(checkpointerClosed(description)),
      },
      ...(release === undefined ? {} : { release }),
    });
    shareDatabase(checkpointer, () => ({ kind: "postgres", ...connectPgliteDatabase(database, schema, description) }));
    return checkpointer;
  } catch (error) {
    await driver.close().finally(release);
    throw error;
  }
}

function threadQueues(database: PGliteInterface, schema: string): ThreadQueues {
  let bySchema = queuesOf.get(database);
  if (bySchema === undefined) queuesOf.set(database, (bySchema = new Map()));
  let queues = bySchema.get(schema);
  if (queues === undefined) bySchema.set(schema, (queues = new Map()));
  return queues;
}
