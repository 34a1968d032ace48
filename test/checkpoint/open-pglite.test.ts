import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { describeCheckpointer, describeStoring } from "./conformance/describe-checkpointer.ts";
import { newThread, put, read } from "./conformance/store.ts";
import { openInOtherProcess } from "./other-process.ts";

let database: PGlite;
let stores = 0;
beforeAll(async () => {
  database = await PGlite.create("memory://");
});
afterAll(() => database.close());

// One database for all, since one takes seconds to open; each store is a schema of its own.
describeCheckpointer("pglite:", {
  fresh: async () => {
    const schema = `store_${(stores += 1)}`;
    return { open: () => openCheckpointer(database, { schema }) };
  },
  durable: true,
  shared: true,
  storesChannelsApart: true,
  propertyRuns: 10,
});

describe.each([
  ["without a cache, as after every restart", 0],
  ["with a cache of one checkpoint", 1],
])("%s", (_what, cacheThreads) => {
  describeStoring("pglite:", {
    fresh: async () => {
      const schema = `store_${(stores += 1)}`;
      return { open: () => openCheckpointer(database, { schema, cacheThreads }) };
    },
    durable: true,
    shared: true,
    storesChannelsApart: true,
    propertyRuns: 5,
  });
});

describe("a PGlite that was handed in open", () => {
  it("is not closed with the checkpointer", async () => {
    const checkpointer = await openCheckpointer(database, { schema: "kept_open" });
    expect(checkpointer.description).toBe("pglite:memory");
    expect(checkpointer.shared).toBe(false);
    await checkpointer.close();
    expect((await database.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  it("may be used beside the checkpointer: its statements never fall into a commit, nor commits into its transactions", async () => {
    const checkpointer = await openCheckpointer(database, { schema: "beside" });
    await database.exec("CREATE TABLE IF NOT EXISTS counter (n int); INSERT INTO counter VALUES (0)");
    const threads = Array.from({ length: 10 }, newThread);
    const rollBack = (): Promise<unknown> =>
      database
        .transaction(async (transaction) => {
          await transaction.query("UPDATE counter SET n = n + 100");
          throw new Error("rolled back");
        })
        .catch(() => undefined);
    await Promise.all(
      threads.flatMap((threadId) => [
        put(checkpointer, { threadId, values: { n: 1 } }),
        rollBack(),
        database.query("UPDATE counter SET n = n + 1"),
        checkpointer
          .updateRecord(threadId, () => {
            throw new Error("rolled back");
          })
          .catch(() => undefined),
      ]),
    );
    expect((await database.query("SELECT n FROM counter")).rows).toEqual([{ n: 10 }]);
    for (const threadId of threads) {
      expect((await read(checkpointer, threadId))?.checkpoint.channel_values).toEqual({ n: 1 });
      expect(await checkpointer.readRecord(threadId)).toBeUndefined();
    }
    await checkpointer.close();
  });
});

describe("a PGlite directory", () => {
  let home: string;
  let directory: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "perdure-pglite-"));
    directory = join(home, "made", "threads");
    // Made once: a new directory takes seconds, one that is there opens in no time.
    await (await openCheckpointer(`pglite:${directory}`)).close();
  });
  afterAll(() => rm(home, { recursive: true }));

  it("has one opener at a time, in this process, under any name of the directory; its threads are there when it is opened again", async () => {
    const first = await openCheckpointer(`pglite:${directory}`);
    const threadId = newThread();
    await put(first, { threadId, values: { n: 1 } });
    await symlink(directory, join(home, "link"));
    for (const name of [directory, `${directory}/`, join(home, "link")]) {
      const second = openCheckpointer(`pglite:${name}`);
      await expect(second).rejects.toMatchObject({ code: "CHECKPOINTER_LOCKED" });
      await expect(second).rejects.toThrow(name);
    }
    await first.close();
    const again = await openCheckpointer(`pglite:${directory}`);
    expect((await read(again, threadId))?.checkpoint.channel_values).toEqual({ n: 1 });
    await again.close();
  });

  it("that another process has open is locked; after SIGKILL it opens, with all that was committed", async () => {
    const url = `pglite:${directory}`;
    const threadId = newThread();
    const other = await openInOtherProcess(url, "put", threadId);
    try {
      await expect(openCheckpointer(url)).rejects.toMatchObject({ code: "CHECKPOINTER_LOCKED" });
    } finally {
      await other.kill();
    }
    const checkpointer = await openCheckpointer(url);
    expect((await read(checkpointer, threadId))?.checkpoint.channel_values).toEqual({ n: 1 });
    await checkpointer.close();
  });

  it("that cannot be one is refused", async () => {
    const file = join(home, "file");
    await writeFile(file, "");
    for (const path of [file, join(file, "below")]) {
      await expect(openCheckpointer(`pglite:${path}`)).rejects.toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
    }
  });

  it("that fails to open is not left locked", async () => {
    const options = { setup: false, schema: "missing" };
    const code = "CHECKPOINTER_TABLE_MISSING";
    await expect(openCheckpointer(`pglite:${directory}`, options)).rejects.toMatchObject({ code });
    await expect(openCheckpointer(`pglite:${directory}`, options)).rejects.toMatchObject({ code });
  });

  it("that was handed in open and closed by its owner is a closed checkpointer", async () => {
    const handedIn = await PGlite.create(directory);
    const checkpointer = await openCheckpointer(handedIn);
    expect(checkpointer.description).toBe(`pglite:${directory}`);
    await handedIn.close();
    await expect(checkpointer.readRecord("t")).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
    await expect(put(checkpointer, { threadId: "t" })).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
    await checkpointer.close();
  });
});
