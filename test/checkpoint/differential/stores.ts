import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { localActor } from "./actor.ts";
import type { Actor, ClosableSaver } from "./actor.ts";
import { otherProcessActor } from "./other-process-actor.ts";
import type { ReferenceOptions } from "./reference-saver.ts";

/** A kind of saver under test. */
export interface DifferentialBackend extends ReferenceOptions {
  readonly name: string;
  fresh(): Promise<DifferentialStore>;
}

/** A store of a backend, empty at first, and those who work with it. */
export interface DifferentialStore {
  readonly actors: readonly Actor[];
  /** Opens a saver on it, beside those that are open where it has several actors. */
  open(): Promise<ClosableSaver>;
  /** The saver's `getNextVersion`. */
  nextVersion(current: number | undefined): number;
  /** Closes the actors and removes the store. */
  remove(): Promise<void>;
}

/** In this process, which has one instance; nothing is opened again. */
export const memoryBackend: DifferentialBackend = {
  name: "memory",
  wholeResults: "guarded",
  async fresh() {
    const checkpointer = await openCheckpointer("memory:");
    const actor = await localActor(async () => checkpointer);
    return {
      actors: [{ ...actor, reopen: () => actor.forget(), close: async () => {} }],
      open: async () => checkpointer,
      nextVersion: (current) => checkpointer.getNextVersion(current),
      remove: () => checkpointer.close(),
    };
  },
};

/** A file with one opener at a time. */
export const sqliteBackend: DifferentialBackend = {
  name: "sqlite",
  wholeResults: "guarded",
  async fresh() {
    const directory = await mkdtemp(join(tmpdir(), "perdure-differential-"));
    return localStore({
      open: () => openCheckpointer(`sqlite:${directory}/threads.db`),
      instances: 1,
      remove: () => rm(directory, { recursive: true }),
    });
  },
};

/** PGlite in this process: two instances, in a schema of its own for each store. */
export function pgliteBackend(): DifferentialBackend & { close(): Promise<void> } {
  let database: Promise<PGlite> | undefined;
  let schemas = 0;
  return {
    name: "pglite",
    wholeResults: "always",
    async fresh() {
      const opened = await (database ??= PGlite.create("memory://"));
      const schema = `store_${(schemas += 1)}`;
      return localStore({
        open: () => openCheckpointer(opened, { schema }),
        instances: 2,
        remove: async () => void (await opened.query(`DROP SCHEMA ${schema} CASCADE`)),
      });
    },
    close: async () => (await database)?.close(),
  };
}

/** A Postgres server: two instances in this process, and one more in another, if there are two. */
export function postgresBackend(url: () => string, processes: "one process" | "two processes"): DifferentialBackend {
  return {
    name: `postgres, ${processes}`,
    wholeResults: "always",
    async fresh() {
      const options = { schema: `store_${randomUUID()}`, poolSize: 3 };
      return localStore({
        open: () => openCheckpointer(url(), options),
        instances: 2,
        others: processes === "two processes" ? [() => otherProcessActor(url(), options)] : [],
      });
    },
  };
}

async function localStore(parts: {
  readonly open: () => Promise<Checkpointer>;
  readonly instances: number;
  readonly others?: readonly (() => Promise<Actor>)[];
  readonly remove?: () => Promise<void>;
}): Promise<DifferentialStore> {
  let last: Checkpointer | undefined;
  const open = async (): Promise<Checkpointer> => (last = await parts.open());
  const actors: Actor[] = [];
  for (let instance = 0; instance < parts.instances; instance += 1) actors.push(await localActor(open));
  for (const other of parts.others ?? []) actors.push(await other());
  return {
    actors,
    open,
    nextVersion: (current) => last!.getNextVersion(current),
    async remove() {
      for (const actor of actors) await actor.close();
      await parts.remove?.();
    },
  };
}
