import { MemorySaver, START, StateGraph, entrypoint } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { FakeToolCallingModel, createAgent } from "langchain";
import { collect } from "../support/collect.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

const greet = new StateGraph(TextLog).addNode("greet", () => ({ log: "hello" })).addEdge(START, "greet");

describe("createRunner", () => {
  test("takes a StateGraph, a compiled graph, an agent and an entrypoint", async () => {
    expect((await (await memoryRunner(greet)).runner.start("t", {})).values).toEqual({ log: ["hello"] });
    expect((await (await memoryRunner(greet.compile())).runner.start("t", {})).values).toEqual({ log: ["hello"] });
    const agent = createAgent({ model: new FakeToolCallingModel({ toolCalls: [[]] }), tools: [] });
    const { runner } = await memoryRunner(agent);
    expect((await runner.start("t", { messages: "hi" })).values.messages).toHaveLength(2);
    const flow = entrypoint("flow", async (name: string) => `hello ${name}`);
    expect((await (await memoryRunner(flow)).runner.start("t", "you")).values).toBe("hello you");
  });

  test("leaves the graph as it is, and does not use the checkpointer it was compiled with", async () => {
    const saver = new MemorySaver();
    const graph = greet.compile({ checkpointer: saver });
    const keys = Object.keys(graph);
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    await runner.start("t", {});
    expect(Object.keys(graph)).toEqual(keys);
    expect(saver.storage).toEqual({});
    expect((await graph.invoke({}, { configurable: { thread_id: "t" } })).log).toEqual(["hello"]);
  });

  test.each([undefined, null, "graph", 7, {}, [], () => {}])("refuses %o as a graph", async (graph) => {
    const checkpointer = await openCheckpointer("memory:");
    expect(() => createRunner(graph as never, { name: "x", checkpointer })).toThrow(
      expect.objectContaining({ code: "GRAPH_UNSUPPORTED" }),
    );
  });

  test.each([undefined, "", 7])("refuses %o as a name", async (name) => {
    const checkpointer = await openCheckpointer("memory:");
    expect(() => createRunner(greet, { name: name as never, checkpointer })).toThrow(
      expect.objectContaining({ code: "OPTIONS_INVALID" }),
    );
  });

  test.each([undefined, {}, new MemorySaver()])("refuses a checkpointer that is not perdure's", (checkpointer) => {
    expect(() => createRunner(greet, { name: "x", checkpointer: checkpointer as never })).toThrow(
      expect.objectContaining({ code: "CHECKPOINTER_UNSUPPORTED" }),
    );
  });

  test("refuses to be called without options, or with an option it does not have", async () => {
    const checkpointer = await openCheckpointer("memory:");
    const invalid = expect.objectContaining({ code: "OPTIONS_INVALID" });
    expect(() => createRunner(greet, undefined as never)).toThrow(invalid);
    expect(() => createRunner(greet, { name: "x", checkpointer, nwo: Date.now } as never)).toThrow(invalid);
    expect(() => createRunner(greet, { name: "x", checkpointer, now: 7 } as never)).toThrow(invalid);
  });
});

describe("what every call checks", () => {
  test.each([[""], [undefined], [null], [7], [{}], ["a\0b"]])("%j is no thread_id", async (threadId) => {
    const { runner } = await memoryRunner(greet);
    const id = threadId as string;
    const calls: Record<string, () => unknown> = {
      start: () => runner.start(id, {}),
      resume: () => runner.resume(id, { answer: 1 }),
      signal: () => runner.signal(id, { name: "s" }),
      continue: () => runner.continue(id),
      step: () => runner.step(id),
      inspect: () => runner.inspect(id),
      fork: () => runner.fork(id, { checkpointId: "x" }),
      update: () => runner.update(id, {}),
      cancel: () => runner.cancel(id, "why"),
      asRunnable: () => runner.asRunnable().invoke({}, { configurable: { thread_id: id } }),
      stream: () => collect(runner.stream(id, { start: {} })),
      history: () => collect(runner.history(id)),
    };
    for (const [name, call] of Object.entries(calls)) {
      await expect(Promise.resolve().then(call), name).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    }
  });

  test("an option that a call does not have is refused, and names itself", async () => {
    const { runner } = await memoryRunner(greet);
    const invalid = { code: "OPTIONS_INVALID", message: expect.stringContaining("maxStep") as string };
    await expect(runner.start("t", {}, { maxStep: 1 } as never)).rejects.toMatchObject(invalid);
    await expect(runner.resume("t", {}, { maxStep: 1 } as never)).rejects.toMatchObject(invalid);
    await expect(runner.signal("t", { name: "s" }, { maxStep: 1 } as never)).rejects.toMatchObject(invalid);
    await expect(runner.continue("t", { maxStep: 1 } as never)).rejects.toMatchObject(invalid);
    await expect(runner.step("t", { maxStep: 1 } as never)).rejects.toMatchObject(invalid);
    await expect(runner.fork("t", { checkpointId: "x", maxStep: 1 } as never)).rejects.toMatchObject(invalid);
    await expect(runner.update("t", {}, { maxStep: 1 } as never)).rejects.toMatchObject(invalid);
    const stream = runner.stream("t", { start: {} }, { maxStep: 1 } as never);
    await expect(collect(stream)).rejects.toMatchObject(invalid);
    expect(() => runner.history("t", { maxStep: 1 } as never)).toThrow(expect.objectContaining(invalid));
  });

  test.each([
    { maxSteps: 0 },
    { maxSteps: 1.5 },
    { maxSteps: "3" },
    { whenBusy: "wait" },
    { signal: {} },
    { context: "c" },
    { metadata: [] },
    { tags: "tag" },
    { maxConcurrency: 0 },
    { supersede: "yes" },
  ])("start refuses %j", async (options) => {
    const { runner } = await memoryRunner(greet);
    const name = Object.keys(options)[0]!;
    await expect(runner.start("t", {}, options as never)).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
      message: expect.stringContaining(name) as string,
    });
    await expect(runner.inspect("t")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
  });

  test("a thread that was never started is THREAD_NOT_FOUND", async () => {
    const { runner } = await memoryRunner(greet);
    const notFound = { code: "THREAD_NOT_FOUND" };
    await expect(runner.inspect("none")).rejects.toMatchObject(notFound);
    await expect(runner.continue("none")).rejects.toMatchObject(notFound);
    await expect(runner.step("none")).rejects.toMatchObject(notFound);
    await expect(runner.resume("none", { answer: 1 })).rejects.toMatchObject(notFound);
    await expect(runner.cancel("none", "why")).rejects.toMatchObject(notFound);
    await expect(runner.fork("none", { checkpointId: "x" })).rejects.toMatchObject(notFound);
    expect(await collect(runner.history("none"))).toEqual([]);
  });

  test("half of a surrogate pair is refused in a thread id: two such threads would be stored as one", async () => {
    const { runner } = await memoryRunner(greet);
    await expect(runner.start("a\ud800", {})).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(runner.inspect("a\ud801")).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
  });

  test("1 000-character, Unicode and path-like thread ids are fine", async () => {
    const { runner } = await memoryRunner(greet);
    for (const id of ["x".repeat(1_000), "Fall-42 ✓ 日本", "../a/b|c:d", " "]) {
      await runner.start(id, {});
      expect((await runner.inspect(id)).values.log).toEqual(["hello"]);
    }
  });
});
