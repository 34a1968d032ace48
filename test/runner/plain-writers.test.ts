/** The runner writes a node's result to the channels by a shorter way than LangGraph's; nobody can tell by what is called. */
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { RunnableLambda } from "@langchain/core/runnables";
import type { Serialized } from "@langchain/core/load/serializable";
import { Command, MemorySaver, START, Send, StateGraph, getConfig } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** What was begun, each with what began it. */
class Seen extends BaseCallbackHandler {
  readonly name = "seen";
  readonly #names = new Map<string, string>();
  readonly lines: string[] = [];

  override handleChainStart(
    _chain: Serialized,
    _inputs: unknown,
    runId: string,
    parentRunId?: string,
    tags: string[] = [],
    _metadata?: Record<string, unknown>,
    _type?: string,
    name = "",
  ): void {
    this.#names.set(runId, name);
    const above = parentRunId === undefined ? "" : (this.#names.get(parentRunId) ?? "?");
    const own = tags.filter((tag) => !tag.startsWith("graph:step")).sort();
    this.lines.push(`${above} > ${name} ${own.join(" ")}`);
  }
}

function routed() {
  const threadsSeen: unknown[] = [];
  const note = (config: LangGraphRunnableConfig | undefined) => {
    threadsSeen.push(config?.configurable?.["thread_id"], getConfig().configurable?.["thread_id"]);
  };
  const inner = RunnableLambda.from((text: string) => text.length).withConfig({ runName: "length" });
  const graph = new StateGraph(TextLog)
    .addNode("a", () => ({ log: "a" }))
    .addNode("b", () => new Command({ goto: "c", update: { log: "b" } }), { ends: ["c"] })
    .addNode("c", () => ({ log: "c" }))
    .addNode("d", ({ text }: { text: string }) => ({ log: text }))
    .addEdge(START, "a")
    .addConditionalEdges("a", async ({ log }, config) => {
      note(config);
      return (await inner.invoke(log[0] ?? "")) === 1 ? "b" : "c";
    })
    .addConditionalEdges("c", (_, config) => {
      note(config);
      return [new Send("d", { text: "d1" }), new Send("d", { text: "d2" })];
    });
  return { graph, threadsSeen };
}

test("routers have their config and their context, and what is traced stands below the same parents", async () => {
  const plain = routed();
  const seenByPlain = new Seen();
  const compiled = plain.graph.compile({ checkpointer: new MemorySaver() });
  const expected = await compiled.invoke(
    { log: [] },
    { configurable: { thread_id: "thread" }, callbacks: [seenByPlain], runName: "test" },
  );

  const driven = routed();
  const seen = new Seen();
  const { runner } = await memoryRunner(driven.graph);
  const { values } = await runner.start("thread", { log: [] }, { callbacks: [seen] });

  expect(values).toEqual(expected);
  expect(driven.threadsSeen).toEqual(plain.threadsSeen);
  expect(driven.threadsSeen).toEqual(Array.from({ length: 4 }, () => "thread"));
  // who watches a stream hears of the run itself by other names
  const belowTheRun = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith(" >")).sort();
  expect(belowTheRun(seen.lines)).toEqual(belowTheRun(seenByPlain.lines));
  expect(seen.lines.join("\n")).toContain("> length");
});

test("the graph that was given is left as it was", async () => {
  const { graph } = routed();
  const compiled = graph.compile();
  const before = Object.values(compiled.nodes).map(({ writers }) => [...writers]);
  const { runner } = await memoryRunner(compiled);
  await runner.start("thread", { log: [] });
  expect(Object.values(compiled.nodes).map(({ writers }) => [...writers])).toEqual(before);
  expect(await compiled.invoke({ log: [] })).toEqual({ log: ["a", "b", "c", "d1", "d2"] });
});
