import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { freshDatabase } from "./fresh-database.ts";

/** A store that the tests of a file share. */
export interface TestStore {
  readonly kind: "memory" | "pglite" | "postgres";
  /** Open while tests run. */
  readonly checkpointer: Checkpointer;
  /** A thread id that no other test of the file has. */
  newThread(): string;
  /** Opens the same store once more, as another process would; undefined where a store has one opener only. */
  openAgain(): Promise<Checkpointer | undefined>;
}

interface OpenedStore {
  readonly connect: () => Promise<Checkpointer>;
  readonly many: boolean;
  readonly remove: () => Promise<void>;
}

/** How one kind of store is opened, once per file. */
interface StoreKind {
  readonly kind: TestStore["kind"];
  readonly skip: boolean;
  readonly open: () => Promise<OpenedStore>;
}

const KINDS: readonly StoreKind[] = [
  {
    kind: "memory",
    skip: false,
    open: async () => ({ connect: () => openCheckpointer("memory:"), many: false, remove: async () => {} }),
  },
  {
    kind: "pglite",
    skip: false,
    open: async () => {
      const database = await PGlite.create("memory://");
      return { connect: () => openCheckpointer(database), many: false, remove: () => database.close() };
    },
  },
  {
    kind: "postgres",
    skip: inject("postgresUrl") === "",
    open: async () => {
      const database = await freshDatabase();
      return { connect: () => openCheckpointer(database.url), many: true, remove: () => database.drop() };
    },
  },
];

interface SharedStore {
  readonly checkpointer: Checkpointer;
  openAgain(): Promise<Checkpointer | undefined>;
  close(): Promise<void>;
}

/** The stores that are open, by kind. */
const shared = new Map<TestStore["kind"], Promise<SharedStore>>();
let threads = 0;
let closes = false;

/**
 * Runs a block of tests on each kind of checkpointer: in memory, PGlite, and a Postgres server (skipped
 * where there is none). Each store is opened once and shared by the file, so each test takes a thread of
 * its own.
 */
export function describeOnEachCheckpointer(name: string, block: (store: TestStore) => void): void {
  if (!closes) {
    closes = true;
    afterAll(async () => {
      for (const store of shared.values()) await (await store).close();
    });
  }
  for (const storeKind of KINDS) {
    const { kind, skip } = storeKind;
    describe.skipIf(skip)(`${name}, on ${kind}`, () => {
      let store: SharedStore | undefined;
      const opened = (): SharedStore => {
        if (store === undefined) throw new Error("The store is open in tests only.");
        return store;
      };
      beforeAll(async () => {
        store = await open(storeKind);
      });
      block({
        kind,
        get checkpointer() {
          return opened().checkpointer;
        },
        newThread: () => `thread-${(threads += 1)}`,
        openAgain: () => opened().openAgain(),
      });
    });
  }
}

function open(storeKind: StoreKind): Promise<SharedStore> {
  let store = shared.get(storeKind.kind);
  if (store === undefined) shared.set(storeKind.kind, (store = openFirst(storeKind)));
  return store;
}

async function openFirst(storeKind: StoreKind): Promise<SharedStore> {
  const { connect, many, remove } = await storeKind.open();
  const checkpointer = await connect();
  const others: Checkpointer[] = [];
  return {
    checkpointer,
    async openAgain() {
      if (!many) return undefined;
      const other = await connect();
      others.push(other);
      return other;
    },
    async close() {
      for (const one of [...others, checkpointer]) await one.close();
      await remove();
    },
  };
}
