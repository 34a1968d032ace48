import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll } from "vitest";

/** A PGlite in memory, and a checkpointer on it, for all tests of the file or block that asks for it. */
export function pgliteCheckpointer(): { readonly database: PGlite; readonly checkpointer: Checkpointer } {
  let database: PGlite;
  let checkpointer: Checkpointer;
  beforeAll(async () => {
    database = await PGlite.create("memory://");
    checkpointer = await openCheckpointer(database);
  }, 120_000);
  afterAll(async () => {
    await checkpointer.close();
    await database.close();
  });
  return {
    get database() {
      return database;
    },
    get checkpointer() {
      return checkpointer;
    },
  };
}
