import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { freshDatabase } from "./fresh-database.ts";

/** A store that the tests of one block share. */
export interface TestStore {
  readonly kind: "memory" | "pglite" | "postgres";
  /** Open while the tests of the block run. */
  readonly checkpointer: Checkpointer;
  /** A thread id that no other test of the block has. */
  newThread(): string;
  /** Opens the same store once more, as another process would; undefined where a store has one opener only. */
  openAgain(): Promise<Checkpointer | undefined>;
}

interface OpenedStore {
  readonly connect: () => Promise<Checkpointer>;
  readonly many: boolean;
  readonly remove: () => Promise<void>;
}

/** How one kind of store is opened, once per block. */
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

/**
 * Runs a block of tests on each kind of checkpointer: in memory, PGlite, and a Postgres server (skipped
 * where there is none). The store is opened once and shared by the block, so each test takes a thread
 * of its own.
 */
export function describeOnEachCheckpointer(name: string, block: (store: TestStore) => void): void {
  for (const { kind, skip, open } of KINDS) {
    describe.skipIf(skip)(`${name}, on ${kind}`, () => {
      let checkpointer: Checkpointer | undefined;
      let opened: OpenedStore;
      const others: Checkpointer[] = [];
      let threads = 0;

      beforeAll(async () => {
        opened = await open();
        checkpointer = await opened.connect();
      });
      afterAll(async () => {
        for (const one of [...others, checkpointer]) await one?.close();
        await opened.remove();
      });

      block({
        kind,
        get checkpointer() {
          if (checkpointer === undefined) throw new Error("The store is open in tests only.");
          return checkpointer;
        },
        newThread: () => `thread-${(threads += 1)}`,
        async openAgain() {
          if (!opened.many) return undefined;
          const other = await opened.connect();
          others.push(other);
          return other;
        },
      });
    });
  }
}
