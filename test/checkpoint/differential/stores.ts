import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer, OpenCheckpointerOptions } from "perdure/checkpoint";
import { localActor } from "./actor.ts";
import type { Actor } from "./actor.ts";
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
    return openStore({
      opens: [() => openCheckpointer(`sqlite:${directory}/threads.db`)],
      remove: () => rm(directory, { recursive: true }),
    });
  },
};

/**
 * PGlite in this process, opened when it is first needed: three instances, the last one without a cache. Each store
 * has a schema of its own.
 */
export function pgliteBackend(
  options: OpenCheckpointerOptions & {
    readonly name?: string;
    readonly openCheckpointer?: typeof openCheckpointer;
  } = {},
): DifferentialBackend & { close(): Promise<void> } {
  const { name = "pglite", openCheckpointer: openIt = openCheckpointer, ...openOptions } = options;
  let database: Promise<PGlite> | undefined;
  let schemas = 0;
  return {
    name,
    wholeResults: "always",
    async fresh() {
      const opened = await (database ??= PGlite.create("memory://"));
      const schema = `store_${(schemas += 1)}`;
      const open = (): Promise<Checkpointer> => openIt(opened, { schema, ...openOptions });
      return openStore({
        opens: [open, open, () => openIt(opened, { schema, ...openOptions, cacheThreads: 0 })],
        remove: async () => void (await opened.query(`DROP SCHEMA ${schema} CASCADE`)),
      });
    },
    close: async () => (await database)?.close(),
  };
}

/** A Postgres server: two instances in this process, the second one without a cache, and one in another process. */
export function postgresBackend(url: () => string): DifferentialBackend {
  return {
    name: "postgres, two processes",
    wholeResults: "always",
    async fresh() {
      const options = { schema: `store_${randomUUID()}`, poolSize: 3 };
      return openStore({
        opens: [() => openCheckpointer(url(), options), () => openCheckpointer(url(), { ...options, cacheThreads: 0 })],
        others: [() => otherProcessActor(url(), options)],
      });
    },
  };
}

/** A serializer as a caller may bring one: its bytes are no JSON. */
export const scramblingSerde: SerializerProtocol = {
  async dumpsTyped(value: unknown) {
    const [type, bytes] = await new MemorySaver().serde.dumpsTyped(value);
    return [`scrambled ${type}`, bytes.map((byte) => byte ^ 0x5a)];
  },
  async loadsTyped(type: string, data: Uint8Array | string) {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    const plain = Uint8Array.from(bytes, (byte) => byte ^ 0x5a);
    return new MemorySaver().serde.loadsTyped(type.replace("scrambled ", ""), plain);
  },
};

async function openStore(parts: {
  readonly opens: readonly (() => Promise<Checkpointer>)[];
  readonly others?: readonly (() => Promise<Actor>)[];
  readonly remove?: () => Promise<void>;
}): Promise<DifferentialStore> {
  const actors: Actor[] = [];
  for (const open of parts.opens) actors.push(await localActor(open));
  for (const other of parts.others ?? []) actors.push(await other());
  return {
    actors,
    async remove() {
      for (const actor of actors) await actor.close();
      await parts.remove?.();
    },
  };
}
