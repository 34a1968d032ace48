/** One run of the desk: what it needs is opened, the work is done, and what nobody asked to keep is removed. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { attend, onOrders } from "./attend.ts";
import { commandToGoOn } from "./desk-options.ts";
import type { DeskOptions } from "./desk-options.ts";
import { startModelServer } from "./model-server.ts";
import { workThroughACrash } from "./shift.ts";
import { UnusablePlace, lockDatabase, lockFolder, reasonOf } from "./sql.ts";
import type { DatabasePlace } from "./sql.ts";

const DATA = fileURLToPath(new URL("../../.data/", import.meta.url));

/** @returns whether every thread is done and every approved refund was made exactly once */
export async function runDesk(options: DeskOptions): Promise<boolean> {
  const model = await startModelServer(options.model);
  try {
    const place = await openPlace(options);
    let held = false;
    try {
      held = await attend({ options, database: place.database, model }, async (shift) => ({
        killed: await workThroughACrash(shift),
      }));
    } finally {
      await place.unlock();
      if (held) await place.discard();
      else if ("folder" in place.database) {
        console.error(`The data is kept. Go on with: ${commandToGoOn(options, shortPath(place.database.folder))}`);
      }
    }
    return held;
  } finally {
    await model.close();
  }
}

/** Where the data goes, and what is to be done with it when the run is over. */
interface OpenPlace {
  readonly database: DatabasePlace;
  unlock(): void | Promise<void>;
  /** Removes what nobody asked to keep. */
  discard(): Promise<void>;
}

/** A folder of its own for this run, unless it was told another place. @throws UnusablePlace */
async function openPlace(options: DeskOptions): Promise<OpenPlace> {
  if (options.database !== undefined) {
    const database = { postgres: options.database };
    const unlock = await lockDatabase(options.database);
    try {
      await onOrders(database, (orders) => orders.drop());
    } catch (error) {
      await unlock();
      throw error;
    }
    return { database, unlock, discard: async () => undefined };
  }
  if (options.dataDirectory !== undefined) {
    const folder = path.resolve(options.dataDirectory);
    await makeFolder(folder);
    return { ...lockedPlace(folder), discard: async () => undefined };
  }
  await makeFolder(DATA);
  const folder = await mkdtemp(path.join(DATA, "support-desk-"));
  return { ...lockedPlace(folder), discard: () => rm(folder, { recursive: true, force: true }) };
}

/** Locked for the whole run: the workers' lock is free between two of them, and no other desk may slip in there. */
function lockedPlace(folder: string): Omit<OpenPlace, "discard"> {
  return { database: { folder }, unlock: lockFolder(folder, "desk.lock") };
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new UnusablePlace(`${shortPath(folder)} can't be used as a folder: ${reasonOf(cause)}.`, { cause });
  }
}

/** As one would type it here. */
function shortPath(folder: string): string {
  const relative = path.relative(process.cwd(), folder);
  return relative.startsWith("..") || relative === "" ? folder : relative;
}
