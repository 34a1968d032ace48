import type { DatabaseSync } from "node:sqlite";
import type { Checkpointer } from "../checkpointer.ts";
import type { DatabaseAddress } from "../postgres-errors.ts";
import type { SqlDriver } from "../sql-driver.ts";
import type { MemoryItems } from "./memory-store.ts";

/** A database that a store can keep its items in. */
export type StoreDatabase =
  | { readonly kind: "memory"; readonly items: MemoryItems }
  | {
      readonly kind: "sqlite";
      readonly database: DatabaseSync;
      readonly description: string;
      /** Closes the file where it was opened for the store. */
      readonly release: () => void;
    }
  | {
      readonly kind: "postgres";
      /** Closed with the store; leaves open what others use. */
      readonly driver: SqlDriver;
      readonly address: DatabaseAddress;
      readonly release?: () => void;
    };

const databaseOf = new WeakMap<Checkpointer, () => StoreDatabase>();

/** Lets stores use the database of a checkpointer, which is the only one that may have it open. */
export function shareDatabase(checkpointer: Checkpointer, connect: () => StoreDatabase): void {
  databaseOf.set(checkpointer, connect);
}

/** The database of a checkpointer; undefined where it has none to share. */
export function sharedDatabase(checkpointer: Checkpointer): StoreDatabase | undefined {
  return databaseOf.get(checkpointer)?.();
}
