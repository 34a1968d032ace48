// The checkpointer alone, under a graph of plain LangGraph: one process asks and dies, this one finds the questions and answers.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { builder } from "./refund-graph.ts";

const folder = await mkdtemp(join(tmpdir(), "perdure-plain-"));
const url = `pglite:${join(folder, "threads")}`;
const [, signal] = (await once(fork(new URL("worker.ts", import.meta.url), [url]), "exit")) as [unknown, string];
assert.equal(signal, "SIGKILL");

const checkpointer = await openCheckpointer(url);
const graph = builder.compile({ checkpointer });

/** A person, who approves what is small. */
async function decide(question: unknown): Promise<boolean> {
  const { cents } = question as { cents: number };
  return cents < 10_000;
}

// #region plain
// After a restart, in any process: the inbox of all threads, answered with LangGraph's own Command.
const inbox = await checkpointer.listInterrupts();
for (const { id, threadId, value } of inbox.items) {
  const resume = { [id]: await decide(value) };
  await graph.invoke(new Command({ resume }), { configurable: { thread_id: threadId } });
}
// #endregion

const outcomes = await Promise.all(
  ["case-42", "case-43"].map(async (threadId) => {
    const { values } = await graph.getState({ configurable: { thread_id: threadId } });
    return [threadId, (values as { outcome?: string }).outcome];
  }),
);
console.log(outcomes);
assert.deepEqual(
  inbox.items.map(({ threadId, value }) => [threadId, value]),
  [
    ["case-42", { cents: 4000 }],
    ["case-43", { cents: 90_000 }],
  ],
);
assert.deepEqual(outcomes, [
  ["case-42", "refunded 4000 cents"],
  ["case-43", "refused"],
]);
assert.deepEqual((await checkpointer.listInterrupts()).items, []);
await checkpointer.close();
await rm(folder, { recursive: true });
