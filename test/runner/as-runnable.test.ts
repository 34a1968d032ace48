import { AIMessage, BaseMessage } from "@langchain/core/messages";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { RunnableLambda } from "@langchain/core/runnables";
import { FakeStreamingChatModel } from "@langchain/core/utils/testing";
import {
  Annotation,
  Command,
  END,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
  getWriter,
  interrupt,
} from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { collect } from "../support/collect.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { LogState } from "../support/one-node-graph.ts";
import { TextLog } from "../support/text-log.ts";

const thread = { configurable: { thread_id: "t" } };

const greet = new StateGraph(TextLog)
  .addNode("greet", ({ log }) => ({ log: `hello ${log.at(-1)}` }))
  .addNode("part", () => ({ log: "bye" }))
  .addEdge(START, "greet")
  .addEdge("greet", "part");

const askOnce = new StateGraph(LogState).addNode("ask", () => ({ log: [interrupt("sure?")] })).addEdge(START, "ask");

interface Shown {
  readonly __interrupt__: readonly { readonly id: string; readonly value: unknown }[];
}

/** A chunk without the ids and times that differ from run to run. */
function shapeOf(chunk: unknown): unknown {
  if (typeof chunk === "string") return chunk.split(":")[0];
  if (Array.isArray(chunk)) return chunk.map(shapeOf);
  if (typeof chunk !== "object" || chunk === null) return chunk;
  if (BaseMessage.isInstance(chunk)) return chunk.content;
  return Object.keys(chunk).filter((key) => !key.startsWith("__"));
}

describe("runner.asRunnable, invoked", () => {
  test("returns what the compiled graph returns", async () => {
    const { runner } = await memoryRunner(greet);
    const plain = await greet.compile({ checkpointer: new MemorySaver() }).invoke({ log: "you" }, thread);
    expect(await runner.asRunnable().invoke({ log: "you" }, thread)).toEqual(plain);
  });

  test("returns the graph's output, where that is a part of its state", async () => {
    const State = Annotation.Root({ secret: Annotation<string>(), answer: Annotation<string>() });
    const Output = Annotation.Root({ answer: Annotation<string>() });
    const graph = new StateGraph({ stateSchema: State, output: Output })
      .addNode("a", () => ({ secret: "x", answer: "42" }))
      .addEdge(START, "a");
    const { runner } = await memoryRunner(graph);
    expect(await runner.asRunnable().invoke({ secret: "" }, thread)).toEqual({ answer: "42" });
    expect((await runner.inspect("t")).values).toEqual({ secret: "x", answer: "42" });
  });

  test("stands in a chain behind a prompt", async () => {
    const chat = new StateGraph(MessagesAnnotation)
      .addNode("model", ({ messages }) => ({ messages: new AIMessage(`re: ${messages.at(-1)!.text}`) }))
      .addEdge(START, "model");
    const { runner } = await memoryRunner(chat);
    const prompt = ChatPromptTemplate.fromMessages([
      ["system", "Be kind."],
      ["human", "{question}"],
    ]);
    const chain = prompt
      .pipe(runner.asRunnable() as never)
      .pipe(RunnableLambda.from((state: typeof MessagesAnnotation.State) => state.messages.at(-1)!.text));
    expect(await chain.invoke({ question: "how?" }, thread)).toBe("re: how?");
    expect((await runner.inspect("t")).values.messages).toHaveLength(3);
    expect(await chain.invoke({ question: "and?" }, { configurable: { thread_id: "t" } })).toBe("re: and?");
    expect((await runner.inspect("t")).values.messages).toHaveLength(6); // the thread goes on
  });

  test("is driven by batch, each input in its thread", async () => {
    const { runner } = await memoryRunner(greet);
    const outputs = await runner.asRunnable().batch(
      [{ log: "a" }, { log: "b" }],
      ["t1", "t2"].map((thread_id) => ({ configurable: { thread_id } })),
    );
    expect(outputs.map(({ log }) => log)).toEqual([
      ["a", "hello a", "bye"],
      ["b", "hello b", "bye"],
    ]);
  });

  test("needs a thread_id, and no checkpoint_id", async () => {
    const { runner } = await memoryRunner(greet);
    const invalid = { code: "OPTIONS_INVALID" };
    await expect(runner.asRunnable().invoke({})).rejects.toMatchObject(invalid);
    await expect(runner.asRunnable().invoke({}, { configurable: {} })).rejects.toMatchObject(invalid);
    const byId = { configurable: { thread_id: "t", checkpoint_id: "1f0" } };
    await expect(runner.asRunnable().invoke({}, byId)).rejects.toMatchObject(invalid);
  });

  test("throws the very error that the node threw, and keeps the thread", async () => {
    class Broken extends Error {
      readonly detail = { disk: 7 };
    }
    const thrown = new Broken("disk full");
    const graph = new StateGraph(TextLog)
      .addNode("work", () => {
        throw thrown;
      })
      .addEdge(START, "work");
    const { runner } = await memoryRunner(graph);
    await expect(runner.asRunnable().invoke({ log: "a" }, thread)).rejects.toBe(thrown);
    expect(await runner.inspect("t")).toMatchObject({ status: "error", values: { log: ["a"] } });
    await expect(runner.asRunnable().invoke(null, thread)).rejects.toBe(thrown); // it ran again
    await expect(runner.asRunnable().invoke({ log: "b" }, thread)).rejects.toMatchObject({ code: "THREAD_UNFINISHED" });
  });

  test("counts no recursionLimit: the run's own limit counts", async () => {
    const loop = new StateGraph(TextLog)
      .addNode("a", () => ({ log: "a" }))
      .addEdge(START, "a")
      .addConditionalEdges("a", ({ log }) => (log.length < 60 ? "a" : END));
    const { runner } = await memoryRunner(loop);
    const output = await runner.asRunnable().invoke({}, { ...thread, recursionLimit: 5 });
    expect(output.log).toHaveLength(60);
  });

  test("hands configurable, tags, metadata, callbacks and context to the nodes", async () => {
    const seen: unknown[] = [];
    const graph = new StateGraph(TextLog)
      .addNode("look", (_state, config: LangGraphRunnableConfig) => {
        seen.push([config.configurable?.["user"], config.metadata?.["team"], config.tags, config.context]);
        return {};
      })
      .addEdge(START, "look");
    const { runner } = await memoryRunner(graph);
    const started: string[] = [];
    await runner.asRunnable().invoke({}, {
      configurable: { thread_id: "t", user: "ann" },
      metadata: { team: "blue" },
      tags: ["mine"],
      callbacks: [{ handleChainStart: (_chain: unknown, _input: unknown, runId: string) => void started.push(runId) }],
      context: { tenant: 7 },
    } as never);
    expect(seen).toEqual([["ann", "blue", expect.arrayContaining(["mine"]), { tenant: 7 }]]);
    expect(started.length).toBeGreaterThan(0);
  });

  test("stops by the caller's signal", async () => {
    const begun = Promise.withResolvers<void>();
    const graph = new StateGraph(TextLog)
      .addNode("hang", () => {
        begun.resolve();
        return new Promise<never>(() => {});
      })
      .addEdge(START, "hang");
    const { runner } = await memoryRunner(graph);
    const caller = new AbortController();
    const invoked = runner.asRunnable().invoke({}, { ...thread, signal: caller.signal });
    await begun.promise;
    caller.abort(new Error("gone"));
    await expect(invoked).rejects.toThrow("gone");
    expect((await runner.inspect("t")).status).toBe("ready");
  });

  test("stops when config.timeout is over", async () => {
    const graph = new StateGraph(TextLog).addNode("hang", () => new Promise<never>(() => {})).addEdge(START, "hang");
    const { runner } = await memoryRunner(graph);
    await expect(runner.asRunnable().invoke({}, { ...thread, timeout: 1 })).rejects.toMatchObject({
      name: "TimeoutError",
    });
  });

  test("a cancelled run throws RUN_CANCELLED", async () => {
    const begun = Promise.withResolvers<void>();
    const graph = new StateGraph(TextLog)
      .addNode("hang", () => {
        begun.resolve();
        return new Promise<never>(() => {});
      })
      .addEdge(START, "hang");
    const { runner } = await memoryRunner(graph);
    const invoked = runner.asRunnable().invoke({}, thread);
    await begun.promise;
    await runner.cancel("t", "enough");
    await expect(invoked).rejects.toMatchObject({
      code: "RUN_CANCELLED",
      message: expect.stringContaining("enough") as string,
    });
  });
});

describe("runner.asRunnable, interrupted", () => {
  test("shows the runner's own interrupt ids, by which it can be resumed", async () => {
    const { runner } = await memoryRunner(askOnce);
    const output = (await runner.asRunnable().invoke({}, thread)) as unknown as Shown;
    const { interrupts } = await runner.inspect("t");
    expect(output.__interrupt__).toEqual([{ id: interrupts[0]!.id, value: "sure?" }]);
    const resume = { [output.__interrupt__[0]!.id]: { deep: true } };
    expect(await runner.asRunnable().invoke(new Command({ resume }), thread)).toEqual({ log: [{ deep: true }] });
  });

  test.each([["yes"], [false], [0], [""], [null], [{ a: 1 }], [["x"]], [{ ["0".repeat(31)]: 1 }]])(
    "takes %j as the answer to the one open question",
    async (resume) => {
      const { runner } = await memoryRunner(askOnce);
      await runner.asRunnable().invoke({}, thread);
      expect(await runner.asRunnable().invoke(new Command({ resume }), thread)).toEqual({ log: [resume] });
    },
  );

  test("a Command can do nothing but resume", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.asRunnable().invoke({}, thread);
    const asked = await runner.inspect("t");
    for (const command of [
      new Command({}),
      new Command({ goto: "ask" }),
      new Command({ update: { log: ["x"] } }),
      new Command({ resume: "yes", goto: "ask" }),
      new Command({ resume: "yes", update: { log: ["x"] } }),
    ]) {
      await expect(runner.asRunnable().invoke(command, thread)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    }
    expect(await runner.inspect("t")).toEqual(asked);
  });

  test("null goes on with the thread, and passes a breakpoint", async () => {
    const { runner } = await memoryRunner(greet.compile({ interruptBefore: ["part"] }));
    const app = runner.asRunnable();
    const stopped = (await app.invoke({ log: "you" }, thread)) as unknown as Shown & { log: string[] };
    expect(stopped.log).toEqual(["you", "hello you"]);
    expect(await runner.inspect("t")).toMatchObject({ status: "interrupted", next: ["part"] });
    expect(await app.invoke(null, thread)).toEqual({ log: ["you", "hello you", "bye"] });
    expect(await app.invoke(null, thread)).toEqual({ log: ["you", "hello you", "bye"] });
  });

  test("null answers no question", async () => {
    const { runner } = await memoryRunner(askOnce);
    const asked = await runner.asRunnable().invoke({}, thread);
    expect(await runner.asRunnable().invoke(null, thread)).toEqual(asked);
  });

  test("new input while a question is open is THREAD_INTERRUPTED", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.asRunnable().invoke({}, thread);
    await expect(runner.asRunnable().invoke({}, thread)).rejects.toMatchObject({ code: "THREAD_INTERRUPTED" });
  });
});

describe("runner.asRunnable, streamed", () => {
  const plain = () => greet.compile({ checkpointer: new MemorySaver() });
  const app = async () => (await memoryRunner(greet)).runner.asRunnable();

  test.each([undefined, "updates", "values", ["updates"], ["values", "updates"]])(
    "gives what the compiled graph gives, in mode %j",
    async (streamMode) => {
      const config = { ...thread, ...(streamMode === undefined ? {} : { streamMode }) } as object;
      const expected = await collect(await plain().stream({ log: "you" }, config));
      const given = await collect(await (await app()).stream({ log: "you" }, config));
      expect(given).toEqual(expected);
      expect(given.length).toBeGreaterThan(1);
    },
  );

  test("gives custom values, and those of subgraphs with their namespace", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("say", () => {
        getWriter()?.("half way");
        return { log: "said" };
      })
      .addEdge(START, "say")
      .compile();
    const outer = new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner");
    const { runner } = await memoryRunner(outer);
    const config = { ...thread, streamMode: ["custom", "updates"], subgraphs: true } as object;
    const chunks = (await collect(await runner.asRunnable().stream({}, config))) as unknown as [
      string[],
      string,
      unknown,
    ][];
    expect(
      chunks.map(([namespace, mode, payload]) => [namespace.map((part) => part.split(":")[0]), mode, payload]),
    ).toEqual([
      [["inner"], "custom", "half way"],
      [["inner"], "updates", { say: { log: "said" } }],
      [[], "updates", { inner: { log: ["said"] } }],
    ]);
  });

  test.each(["messages", "custom", ["messages", "custom"], "tasks"])(
    "gives of subgraphs what the compiled graph gives, in mode %j",
    async (streamMode) => {
      const model = new FakeStreamingChatModel({ responses: [new AIMessage("one two")], sleep: 0 });
      const inner = new StateGraph(MessagesAnnotation)
        .addNode("model", async ({ messages }) => {
          getWriter()?.("asking");
          return { messages: await model.invoke(messages) };
        })
        .addEdge(START, "model")
        .compile();
      const outer = new StateGraph(MessagesAnnotation).addNode("inner", inner).addEdge(START, "inner");
      const { runner } = await memoryRunner(outer);
      const compiled = outer.compile({ checkpointer: new MemorySaver() });
      for (const subgraphs of [false, true]) {
        const config = { configurable: { thread_id: String(subgraphs) }, streamMode, subgraphs } as object;
        const expected = await collect(await compiled.stream({ messages: "hi" }, config));
        const given = await collect(await runner.asRunnable().stream({ messages: "hi" }, config));
        expect(given.map(shapeOf)).toEqual(expected.map(shapeOf));
        expect(given.length).toBeGreaterThan(0);
      }
    },
  );

  test("ends with the questions, under the runner's ids, once", async () => {
    const { runner } = await memoryRunner(askOnce);
    for (const streamMode of ["updates", "values"]) {
      const id = { configurable: { thread_id: streamMode }, streamMode } as object;
      const chunks = (await collect(await runner.asRunnable().stream({}, id))) as unknown as Shown[];
      const { interrupts } = await runner.inspect(streamMode);
      const asked = chunks.filter((chunk) => "__interrupt__" in chunk);
      expect(asked).toEqual([{ __interrupt__: [{ id: interrupts[0]!.id, value: "sure?" }] }]);
      expect(chunks.at(-1)).toBe(asked[0]);
    }
  });

  test("leaving the stream stops driving, and the thread can be continued", async () => {
    let stuck = true;
    const graph = new StateGraph(TextLog)
      .addNode("a", () => ({ log: "a" }))
      .addNode("b", () => (stuck ? new Promise<never>(() => {}) : { log: "b" }))
      .addEdge(START, "a")
      .addEdge("a", "b");
    const { runner } = await memoryRunner(graph);
    for await (const update of await runner.asRunnable().stream({}, thread)) {
      expect(update).toEqual({ a: { log: "a" } });
      break;
    }
    stuck = false;
    expect((await runner.inspect("t")).status).toBe("ready");
    expect((await runner.continue("t")).values.log).toEqual(["a", "b"]);
  });

  test("throws the very error that the node threw", async () => {
    const thrown = new TypeError("nope");
    const graph = new StateGraph(TextLog)
      .addNode("work", () => {
        throw thrown;
      })
      .addEdge(START, "work");
    const { runner } = await memoryRunner(graph);
    await expect(collect(await runner.asRunnable().stream({}, thread))).rejects.toBe(thrown);
  });
});

describe("a runner inside of a graph", () => {
  test("called in a node it drives a thread of its own", async () => {
    const { runner } = await memoryRunner(greet);
    const outer = new StateGraph(TextLog)
      .addNode("call", async () => {
        const { values } = await runner.start("inner", { log: "you" });
        return { log: values.log.join(", ") };
      })
      .addEdge(START, "call");
    const { runner: outerRunner } = await memoryRunner(outer);
    expect((await outerRunner.start("outer", {})).values.log).toEqual(["you, hello you, bye"]);
    expect((await runner.inspect("inner")).status).toBe("done");
    expect((await outer.compile().invoke({})).log).toEqual(["you, hello you, bye, you, hello you, bye"]);
  });

  test("a question of the inner thread does not interrupt the outer one", async () => {
    const { runner } = await memoryRunner(askOnce);
    const outer = new StateGraph(TextLog)
      .addNode("call", async () => ({ log: (await runner.start("inner", {})).status }))
      .addEdge(START, "call");
    const { runner: outerRunner } = await memoryRunner(outer);
    expect(await outerRunner.start("outer", {})).toMatchObject({ status: "done", values: { log: ["interrupted"] } });
  });

  test("as a node itself it is refused", async () => {
    const { runner } = await memoryRunner(greet);
    const outer = new StateGraph(TextLog).addNode("inner", runner.asRunnable() as never).addEdge(START, "inner");
    const { runner: outerRunner } = await memoryRunner(outer);
    const state = await outerRunner.start("outer", {});
    expect(state).toMatchObject({
      status: "error",
      error: { name: "PerdureError", message: expect.stringContaining("GRAPH_UNSUPPORTED") as string },
    });
  });
});
