import { expect, it } from "vitest";
import { CheckpointReader } from "../../../src/checkpoint/postgres/checkpoint-reader.ts";
import { saverTables } from "../../../src/checkpoint/postgres/saver-tables.ts";
import { ValueCodec } from "../../../src/checkpoint/postgres/value-codec.ts";
import { pgliteCheckpointer } from "../../support/pglite-checkpointer.ts";
import { newThread, put } from "../conformance/store.ts";

const pglite = pgliteCheckpointer();

it("a list leaves out what is deleted while it reads", async () => {
  const threadId = newThread();
  let parent: string | undefined;
  for (let n = 0; n < 3; n += 1) {
    parent = await put(pglite.checkpointer, { threadId, parent, values: { list: [{ n, text: "x".repeat(300) }] } });
  }
  let statements = 0;
  const reader = new CheckpointReader(
    {
      query: async (statement, values) => {
        const text = typeof statement === "string" ? statement : statement.text;
        const result = await pglite.database.query(text, [...(values ?? [])]);
        statements += 1;
        if (statements === 1) await pglite.checkpointer.deleteThread(threadId);
        return result as never;
      },
    },
    new ValueCodec(pglite.checkpointer.serde, { isPlain: true }),
    saverTables("public"),
  );
  const found = [];
  for await (const tuple of reader.list({ threadId })) found.push(tuple);
  expect(found).toEqual([]);
  expect(statements).toBe(2);
});
