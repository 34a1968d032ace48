/** Each thing is stored once: counted and weighed in the tables. */
import { AIMessage, HumanMessage, RemoveMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { describe, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { pgliteCheckpointer } from "../../support/pglite-checkpointer.ts";
import { newThread } from "../conformance/store.ts";

type Messages = (messages: BaseMessage[]) => BaseMessage[];

const says = (n: number, length = 300) => new AIMessage({ id: `m${n}`, content: `${n} `.padEnd(length, "x") });

describe("a list of messages", () => {
  const pglite = pgliteCheckpointer();

  /** A graph that does one thing to its messages after the other. */
  function graphOf(...steps: Messages[]) {
    let done = 0;
    return new StateGraph(MessagesAnnotation)
      .addNode("do", ({ messages }) => {
        const step = steps[done];
        done += 1;
        return { messages: step?.(messages) ?? [] };
      })
      .addEdge(START, "do")
      .addConditionalEdges("do", () => (done < steps.length ? "do" : END))
      .compile({ checkpointer: pglite.checkpointer });
  }
  const on = (threadId: string) => ({ configurable: { thread_id: threadId }, durability: "sync" as const });

  async function stored(threadId: string) {
    const { rows } = await pglite.database.query<{
      chunks: number;
      lineages: number;
      bytes: number;
      results: number;
      parts: number;
    }>(
      `SELECT count(b.*)::int AS chunks, count(DISTINCT b.lineage)::int AS lineages, sum(length(b.text))::int AS bytes,
              (SELECT sum(length(w.text))::int FROM perdure_writes w WHERE w.thread = t.thread AND w.idx = 0) AS results,
              (SELECT count(w.lineage)::int FROM perdure_writes w WHERE w.thread = t.thread) AS parts
         FROM perdure_threads t LEFT JOIN perdure_blobs b ON b.thread = t.thread
          AND b.lineage IN (SELECT unnest(c.lineages) FROM perdure_checkpoints c WHERE c.thread = t.thread)
        WHERE t.thread_id = $1 GROUP BY t.thread`,
      [threadId],
    );
    return rows[0]!;
  }

  it("that grows adds what is new to one lineage, and the result of the node refers to it", async () => {
    const threadId = newThread();
    const graph = graphOf(...Array.from({ length: 20 }, (_, n) => () => [says(n)]));
    await graph.invoke({ messages: [] }, on(threadId));
    const { chunks, lineages, bytes, results, parts } = await stored(threadId);
    expect({ chunks, lineages, parts }).toEqual({ chunks: 20, lineages: 1, parts: 20 });
    const all = (await graph.getState(on(threadId))).values.messages as BaseMessage[];
    expect(bytes).toBeLessThan(JSON.stringify(all).length * 1.1);
    expect(results).toBeLessThan(20 * 100);
  });

  it("goes on growing where it was after the process came back", async () => {
    const threadId = newThread();
    await graphOf(
      () => [says(0)],
      () => [says(1)],
    ).invoke({ messages: [] }, on(threadId));
    const again = await openCheckpointer(pglite.database);
    const graph = graphOf(() => [says(2)]);
    graph.checkpointer = again;
    await graph.invoke({ messages: [new HumanMessage({ id: "h", content: "and?" })] }, on(threadId));
    // One more: the input, as LangGraph stores it.
    expect(await stored(threadId)).toMatchObject({ chunks: 4 + 1, lineages: 1 + 1 });
    await again.close();
  });

  it("that is edited in the middle stores what comes after the edit, in a lineage that begins there", async () => {
    const threadId = newThread();
    const graph = graphOf(
      () => Array.from({ length: 10 }, (_, n) => says(n)),
      () => [says(8, 50)],
      () => [new RemoveMessage({ id: "m9" })],
      () => [says(10)],
    );
    await graph.invoke({ messages: [] }, on(threadId));
    const { messages } = (await graph.getState(on(threadId))).values as { messages: BaseMessage[] };
    expect(messages.map(({ id }) => id)).toEqual(["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m10"]);
    expect(String(messages[8]?.content)).toHaveLength(50);
    const { chunks, lineages } = await stored(threadId);
    expect({ chunks, lineages }).toEqual({ chunks: 3, lineages: 3 });
  });

  it("that is edited in every step is stored anew from time to time, so that it is never in many parts", async () => {
    const threadId = newThread();
    const graph = graphOf(
      () => Array.from({ length: 40 }, (_, n) => says(n)),
      ...Array.from({ length: 39 }, (_, n) => () => [says(39 - n, 50)]),
    );
    await graph.invoke({ messages: [] }, { ...on(threadId), recursionLimit: 100 });
    const { rows } = await pglite.database.query<{ most: number }>(
      `SELECT max(cardinality(lineages)) AS most FROM perdure_checkpoints c JOIN perdure_threads t ON t.thread = c.thread
        WHERE thread_id = $1`,
      [threadId],
    );
    expect(rows[0]?.most).toBeLessThan(40);
    const { messages } = (await graph.getState(on(threadId))).values as { messages: BaseMessage[] };
    expect(messages.map(({ content }) => String(content).length)).toEqual([
      300,
      ...Array.from({ length: 39 }, () => 50),
    ]);
  });

  it("whose message a node changes in place and returns has the change", async () => {
    const threadId = newThread();
    const graph = graphOf(
      () => [says(0), says(1), says(2)],
      ([, second]) => {
        second!.content = "changed";
        return [second!];
      },
    );
    await graph.invoke({ messages: [] }, on(threadId));
    const { messages } = (await graph.getState(on(threadId))).values as { messages: BaseMessage[] };
    expect(messages.map(({ content }) => String(content).slice(0, 7))).toEqual(["0 xxxxx", "changed", "2 xxxxx"]);
  });

  it("of two forks has what each of them added", async () => {
    const threadId = newThread();
    const graph = graphOf(
      () => [says(0)],
      () => [says(1)],
    );
    await graph.invoke({ messages: [] }, on(threadId));
    const { config } = (await graph.getState(on(threadId)))!;
    const forks = await Promise.all(
      ["left", "right"].map((content) =>
        graph.updateState(config, { messages: [new HumanMessage({ id: content, content })] }),
      ),
    );
    for (const [index, content] of ["left", "right"].entries()) {
      const { messages } = (await graph.getState(forks[index]!)).values as { messages: BaseMessage[] };
      expect(messages.map(({ id }) => id)).toEqual(["m0", "m1", content]);
    }
  });
});
