import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CheckpointReader } from "../../../src/checkpoint/postgres/checkpoint-reader.ts";
import { saverTables } from "../../../src/checkpoint/postgres/saver-tables.ts";
import { ValueCodec } from "../../../src/checkpoint/postgres/value-codec.ts";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { newThread, put } from "../conformance/store.ts";

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

it("a list leaves out what is deleted while it reads", async () => {
  const threadId = newThread();
  let parent: string | undefined;
  for (let n = 0; n < 3; n += 1) {
    parent = await put(checkpointer, { threadId, parent, values: { list: [{ n, text: "x".repeat(300) }] } });
  }
  let statements = 0;
  const reader = new CheckpointReader(
    {
      query: async (statement, values) => {
        const text = typeof statement === "string" ? statement : statement.text;
        const result = await database.query(text, [...(values ?? [])]);
        statements += 1;
        if (statements === 1) await checkpointer.deleteThread(threadId);
        return result as never;
      },
    },
    new ValueCodec(checkpointer.serde, { isPlain: true }),
    saverTables("public"),
  );
  const found = [];
  for await (const tuple of reader.list({ threadId })) found.push(tuple);
  expect(found).toEqual([]);
  expect(statements).toBe(2);
});
