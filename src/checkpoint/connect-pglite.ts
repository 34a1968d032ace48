import { mkdir, realpath } from "node:fs/promises";
import type { PGlite, PGliteInterface } from "@electric-sql/pglite";
import { PerdureError } from "../errors/index.ts";
import { loadPeer } from "./optional-peer.ts";
import { takeOwnerLock } from "./owner-lock.ts";
import { PgliteDriver } from "./pglite-driver.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";

/** An open PGlite, and how to talk to it. */
export interface PgliteConnection {
  readonly database: PGliteInterface;
  readonly driver: PgliteDriver;
  readonly address: DatabaseAddress;
  /** Lets others open the directory; called after the driver was closed. */
  readonly release?: () => void;
}

/** Opens a PGlite directory, or a database in memory without a path. The driver closes it. */
export async function connectPglitePath(path: string | undefined, schema: string): Promise<PgliteConnection> {
  const { PGlite } = await loadPeer("@electric-sql/pglite", "pglite:", () => import("@electric-sql/pglite"));
  if (path === undefined) {
    const database = await PGlite.create("memory://");
    return connection(database, { description: "pglite:memory", schema, owned: true });
  }
  const description = `pglite:${path}`;
  // The real path, so that two names of one directory have one lock.
  const directory = await makeDirectory(path, description);
  const lock = await takeOwnerLock(directory, description);
  try {
    const database = await openDirectory(PGlite, directory, description);
    return { ...connection(database, { description, schema, owned: true }), release: lock.release };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Uses a PGlite that somebody else opened; the driver leaves it open. */
export function connectPgliteDatabase(
  database: PGliteInterface,
  schema: string,
  description = describePglite(database as PGlite),
): PgliteConnection {
  return connection(database, { description, schema, owned: false });
}

function describePglite({ dataDir = "memory://" }: PGlite): string {
  return `pglite:${dataDir.startsWith("memory:") ? "memory" : dataDir.replace(/^file:\/\//u, "")}`;
}

function connection(
  database: PGliteInterface,
  { description, schema, owned }: { description: string; schema: string; owned: boolean },
): PgliteConnection {
  const address: DatabaseAddress = { description, server: description, database: description, schema };
  return { database, driver: new PgliteDriver(database, address, { owned }), address };
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
