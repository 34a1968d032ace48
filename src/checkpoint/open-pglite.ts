import { mkdir, realpath } from "node:fs/promises";
import type { PGlite, PGliteInterface } from "@electric-sql/pglite";
import { PerdureError } from "../errors/index.ts";
import type { Checkpointer, LockOptions } from "./checkpointer.ts";
import { checkpointerClosed } from "./closed.ts";
import type { PostgresOptions } from "./open-options.ts";
import { preparePostgres } from "./open-postgres.ts";
import { loadPeer } from "./optional-peer.ts";
import { takeOwnerLock } from "./owner-lock.ts";
import { PgliteDriver } from "./pglite-driver.ts";
import { PostgresCheckpointer } from "./postgres/postgres-checkpointer.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import { ThreadLocks } from "./thread-locks.ts";
import type { ThreadQueues } from "./thread-locks.ts";

type Options = Pick<PostgresOptions, "schema" | "setup" | "serde" | "cacheThreads">;

/** Two checkpointers on one open database must see each other's locks. */
const queuesOf = new WeakMap<PGliteInterface, Map<string, ThreadQueues>>();

/** Opens a PGlite directory, or a database in memory without a path. */
export async function openPglitePath(path: string | undefined, options: Options): Promise<Checkpointer> {
  const { PGlite } = await loadPeer("@electric-sql/pglite", "pglite:", () => import("@electric-sql/pglite"));
  if (path === undefined) {
    const database = await PGlite.create("memory://");
    return open(database, { description: "pglite:memory", owned: true, options });
  }
  const description = `pglite:${path}`;
  // The real path, so that two names of one directory have one lock.
  const directory = await makeDirectory(path, description);
  const lock = await takeOwnerLock(directory, description);
  try {
    const database = await openDirectory(PGlite, directory, description);
    return await open(database, { description, owned: true, options, release: lock.release });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Takes a PGlite that somebody else opened and will close. */
export async function openPgliteDatabase(database: PGliteInterface, options: Options): Promise<Checkpointer> {
  const { dataDir = "memory://" } = database as PGlite;
  const place = dataDir.startsWith("memory:") ? "memory" : dataDir.replace(/^file:\/\//u, "");
  return open(database, { description: `pglite:${place}`, owned: false, options });
}

async function open(
  database: PGliteInterface,
  how: { description: string; owned: boolean; options: Options; release?: () => void },
): Promise<Checkpointer> {
  const { description, owned, options, release } = how;
  const { schema, setup, serde, cacheThreads } = options;
  const address: DatabaseAddress = { description, server: description, database: description, schema };
  const driver = new PgliteDriver(database, address, { owned });
  try {
    await preparePostgres(driver, address, setup);
    const locks = new ThreadLocks(threadQueues(database, schema));
    return new PostgresCheckpointer({
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
  } catch (error) {
    await driver.close();
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

async function makeDirectory(path: string, description: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    return await realpath(path);
  } catch (error) {
    throw new PerdureError("CHECKPOINTER_UNREACHABLE", `${description} cannot be made: ${(error as Error).message}.`, {
      hint: "Name a directory that this user may write to.",
      cause: error,
    });
  }
}

async function openDirectory(Pglite: typeof PGlite, directory: string, description: string): Promise<PGlite> {
  try {
    return await Pglite.create(directory);
  } catch (error) {
    throw new PerdureError("CHECKPOINTER_UNREACHABLE", `${description} does not open: ${(error as Error).message}.`, {
      hint: "Is it the directory of a PGlite database, of a Postgres version that this PGlite reads?",
      cause: error,
    });
  }
}
