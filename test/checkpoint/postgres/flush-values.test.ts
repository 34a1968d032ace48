/** What a flush sends; what Postgres makes of it is in flush-statement.test.ts. */
import { expect, it } from "vitest";
import type { BlobRow, Commit, WritesRow } from "../../../src/checkpoint/postgres/commit.ts";
import { flushValues } from "../../../src/checkpoint/postgres/flush-values.ts";

const ITEM = JSON.stringify({ text: "ä".repeat(200) });

function commit(threadId: string, more: Partial<Commit> = {}): Commit {
  return { threadId, condition: { basis: undefined, epoch: undefined, onHead: false }, blobs: [], writes: [], ...more };
}

function item(text = ITEM, type: string | null = null): BlobRow {
  return { lineage: 7, start: 3, stored: { type, bytes: Buffer.from(text) } };
}

function result(text: string, more: Partial<WritesRow> = {}): WritesRow {
  return { ns: "", checkpointId: "c", taskId: "t", idx: 0, stored: { type: null, bytes: Buffer.from(text) }, ...more };
}

/** The parameters, read as Postgres reads them. */
function sent(commits: readonly Commit[]) {
  const [bytes, ...lists] = flushValues(commits) as [Buffer, ...string[]];
  const [threads, checkpoints, blobs, writes] = lists.map((list) => JSON.parse(list) as Record<string, unknown>[]);
  const textAt = (at: unknown, length: unknown): string =>
    bytes.subarray(Number(at) - 1, Number(at) - 1 + Number(length)).toString();
  return { threads, checkpoints, blobs, writes, textAt };
}

it("every stored value lies where its row says, counted in bytes from 1", () => {
  const { checkpoints, blobs, writes, textAt } = sent([
    commit("a", { blobs: [item("[1]"), item('"ö"')], writes: [result("[2]")] }),
    commit("b", {
      checkpoint: {
        ns: "sub",
        id: "c2",
        parentId: "c1",
        body: { type: "aes", bytes: Buffer.from("{}") },
        lineages: [1],
        upTos: [2],
      },
      writes: [result("[3]")],
    }),
  ]);
  const texts = (rows: typeof blobs) => rows!.map(({ n, type, at, length }) => [n, type, textAt(at, length)]);
  expect(texts(blobs)).toEqual([
    [1, null, "[1]"],
    [1, null, '"ö"'],
  ]);
  expect(texts(checkpoints)).toEqual([[2, "aes", "{}"]]);
  expect(texts(writes)).toEqual([
    [1, null, "[2]"],
    [2, null, "[3]"],
  ]);
});

it("a commit proposes a head for its thread by a checkpoint of the root, and by no other", () => {
  const checkpoint = {
    id: "c2",
    parentId: "c1",
    body: { type: null, bytes: Buffer.from("{}") },
    lineages: [],
    upTos: [],
  };
  const { threads } = sent([
    commit("a", { checkpoint: { ...checkpoint, ns: "" }, condition: { basis: undefined, epoch: 4, onHead: true } }),
    commit("a", { checkpoint: { ...checkpoint, ns: "sub" } }),
    commit("b", { condition: { basis: { thread: 9, generation: 2 }, epoch: undefined, onHead: false } }),
  ]);
  expect(threads).toEqual([
    { n: 1, thread_id: "a", epoch: 4, on_head: true, parent_id: "c1", head: "c2" },
    { n: 2, thread_id: "a", on_head: false, parent_id: "c1" },
    { n: 3, thread_id: "b", thread: 9, generation: 2, on_head: false },
  ]);
});

it("a result that holds a row of its thread's list, of whichever commit, says where that lies", () => {
  const { writes, textAt } = sent([
    commit("a", { writes: [result(`[["messages",[${ITEM}]]]`)] }),
    commit("a", { blobs: [item()] }),
  ]);
  const [row] = writes!;
  expect(row).toMatchObject({ n: 1, part_n: 2, lineage: 7, start: 3 });
  expect(textAt(row!["part_at"], row!["part_length"])).toBe(ITEM);
});

it.each<[string, readonly Commit[]]>([
  ["of another thread", [commit("a", { blobs: [item()] }), commit("b", { writes: [result(`[${ITEM}]`)] })]],
  ["too small to be worth it", [commit("a", { blobs: [item('"ok"')], writes: [result('["ok"]')] })]],
  ["that a serializer of the caller wrote", [commit("a", { blobs: [item(ITEM, "aes")], writes: [result(ITEM)] })]],
  ["in what is no result", [commit("a", { blobs: [item()], writes: [result(ITEM, { idx: -3 })] })]],
  [
    "in a result that a serializer of the caller wrote",
    [commit("a", { blobs: [item()], writes: [result("", { stored: { type: "aes", bytes: Buffer.from(ITEM) } })] })],
  ],
])("no part is named: one %s", (_, commits) => {
  for (const row of sent(commits).writes!) expect(row).not.toHaveProperty("part_n");
});
