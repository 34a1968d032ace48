import { FakeStreamingChatModel } from "@langchain/core/utils/testing";
import { AIMessage } from "@langchain/core/messages";
import { MessagesAnnotation, START, Send, StateGraph, getWriter, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { RunEvent } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { collect } from "../support/collect.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

const two = new StateGraph(TextLog)
  .addNode("a", () => ({ log: "from a" }))
  .addNode("b", () => ({ log: "from b" }))
  .addEdge(START, "a")
  .addEdge("a", "b");

const askOnce = new StateGraph(TextLog)
  .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
  .addEdge(START, "ask");

/** An event without what differs from run to run. */
function brief(event: RunEvent): string {
  if (event.type === "state") return `state ${event.state.status}`;
  if (event.type === "interrupt") return `interrupt ${event.interrupt.node}`;
  const where = event.namespace.map((part) => `${part.split(":")[0]}/`).join("");
  if (event.type === "custom") return `custom ${where}${JSON.stringify(event.value)}`;
  if (event.type === "token") return `token ${where}${event.node} ${event.text}`;
  if (event.type === "update") return `update ${where}${event.node}`;
  const failure = event.type === "task_end" && event.error !== undefined ? ` ${event.error.message}` : "";
  return `${event.type} ${where}${event.node}${failure}`;
}

describe("runner.stream", () => {
  test("tells of each task and each update, in order, and ends with the state", async () => {
    const { runner } = await memoryRunner(two);
    const events = await collect(runner.stream("t", { start: {} }));
    expect(events.map(brief)).toEqual([
      "task_start a",
      "task_end a",
      "update a",
      "task_start b",
      "task_end b",
      "update b",
      "state done",
    ]);
    expect(events[2]).toEqual({ type: "update", node: "a", namespace: [], update: { log: "from a" } });
    expect(events.at(-1)).toEqual({ type: "state", state: await runner.inspect("t") });
  });

  test("tells a task's start and end by one id, the one that step takes", async () => {
    const { runner } = await memoryRunner(two);
    const stopped = await runner.start("t", {}, { maxSteps: 1 });
    const events = await collect(runner.stream("t", { continue: true }, { maxSteps: 9 }));
    const ids = events.flatMap((event) =>
      event.type === "task_start" || event.type === "task_end" ? event.taskId : [],
    );
    expect(ids).toEqual([stopped.tasks[0]!.id, stopped.tasks[0]!.id]);
  });

  test("tells of a question when it is stored, while siblings still run, under the id that resume takes", async () => {
    const { runner } = await memoryRunner(askOnce);
    const asked = await collect(runner.stream("t", { start: {} }));
    expect(asked.map(brief)).toEqual(["task_start ask", "task_end ask", "interrupt ask", "state interrupted"]);
    const question = asked.find((event) => event.type === "interrupt");
    expect([question!.interrupt]).toEqual((await runner.inspect("t")).interrupts);

    const resumed = await collect(runner.stream("t", { resume: { [question!.interrupt.id]: "yes" } }));
    expect(resumed.map(brief)).toEqual(["task_start ask", "task_end ask", "update ask", "state done"]);
  });

  test("the question of a slow superstep can be answered from the stream, and is taken up before it ends", async () => {
    const answered = Promise.withResolvers<void>();
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
      .addNode("slow", async () => {
        await answered.promise;
        return { log: "slow" };
      })
      .addEdge(START, "ask")
      .addEdge(START, "slow");
    const { runner } = await memoryRunner(graph);
    const seen: string[] = [];
    for await (const event of runner.stream("t", { start: {} })) {
      seen.push(brief(event));
      if (event.type !== "interrupt") continue;
      await runner.resume("t", { [event.interrupt.id]: "yes" });
      answered.resolve();
    }
    expect(seen.at(-1)).toBe("state done");
    expect(seen.filter((line) => line === "update slow")).toHaveLength(1); // and nothing is told twice
    expect((await runner.inspect("t")).values.log).toEqual(["yes", "slow"]);
  });

  test("tells a model's tokens, from a subgraph too", async () => {
    const model = new FakeStreamingChatModel({ responses: [new AIMessage("one two three")] });
    const inner = new StateGraph(MessagesAnnotation)
      .addNode("model", async ({ messages }) => ({ messages: await model.invoke(messages) }))
      .addEdge(START, "model")
      .compile();
    const outer = new StateGraph(MessagesAnnotation).addNode("agent", inner).addEdge(START, "agent");
    const { runner } = await memoryRunner(outer);
    const events = await collect(runner.stream("t", { start: { messages: "hi" } }));
    const tokens = events.filter((event) => event.type === "token");
    expect(tokens.length).toBeGreaterThan(1);
    expect(tokens.map(({ text }) => text).join("")).toBe("one two three");
    for (const token of tokens) {
      expect(token.node).toBe("model");
      expect(token.namespace).toHaveLength(1);
      expect(token.namespace[0]).toMatch(/^agent:/);
    }
    expect(events.map(brief).filter((line) => !line.startsWith("token"))).toEqual([
      "task_start agent",
      "task_start agent/model",
      "update agent/model",
      "task_end agent/model",
      "task_end agent",
      "update agent",
      "state done",
    ]);
  });

  test("tells what a node writes with the writer, from a subgraph too", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("say", (_state, config: LangGraphRunnableConfig) => {
        config.writer?.({ half: "way" });
        return {};
      })
      .addEdge(START, "say")
      .compile();
    const outer = new StateGraph(TextLog)
      .addNode("inner", inner)
      .addNode("after", () => {
        getWriter()?.(["done", 1]);
        return {};
      })
      .addEdge(START, "inner")
      .addEdge("inner", "after");
    const { runner } = await memoryRunner(outer);
    const events = (await collect(runner.stream("t", { start: {} }))).map(brief);
    expect(events.filter((line) => line.startsWith("custom"))).toEqual([
      'custom inner/{"half":"way"}',
      'custom ["done",1]',
    ]);
  });

  test("tells the error of a task that failed, and ends with the thread in error", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("bad", () => {
        throw new RangeError("too far");
      })
      .addNode("good", () => ({ log: "good" }))
      .addEdge(START, "bad")
      .addEdge(START, "good");
    const { runner } = await memoryRunner(graph);
    const events = await collect(runner.stream("t", { start: {} }));
    expect(events.find(({ type }) => type === "task_end")).toMatchObject({
      node: "bad",
      error: { name: "RangeError", message: "too far" },
    });
    expect(events.map(brief).toSorted()).toEqual([
      "state error",
      "task_end bad too far",
      "task_end good",
      "task_start bad",
      "task_start good",
      "update good",
    ]);
  });

  test("tells nothing of what finished before: the task, its update, its tokens", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("quick", () => ({ log: "quick" }))
      .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
      .addEdge(START, "quick")
      .addEdge(START, "ask");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    const events = await collect(runner.stream("t", { resume: { answer: "yes" } }));
    expect(events.map(brief)).toEqual(["task_start ask", "task_end ask", "update ask", "state done"]);
  });

  test("tells of both questions of a subgraph, each with its namespace", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("ask", (name: string) => ({ log: String(interrupt(name)) }))
      .addConditionalEdges(START, () => ["x", "y"].map((name) => new Send("ask", name)))
      .compile();
    const outer = new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner");
    const { runner } = await memoryRunner(outer);
    const events = await collect(runner.stream("t", { start: {} }));
    const questions = events.flatMap((event) => (event.type === "interrupt" ? event.interrupt : []));
    const { interrupts } = await runner.inspect("t");
    expect(interrupts).toHaveLength(2);
    expect(questions.toSorted((a, b) => a.id.localeCompare(b.id))).toEqual(
      interrupts.toSorted((a, b) => a.id.localeCompare(b.id)),
    );
  });

  test("tells of a breakpoint by the state it ends with", async () => {
    const { runner } = await memoryRunner(two.compile({ interruptBefore: ["b"] }));
    const events = await collect(runner.stream("t", { start: {} }));
    expect(events.map(brief)).toEqual(["task_start a", "task_end a", "update a", "state interrupted"]);
    const on = await collect(runner.stream("t", { resume: { answer: true } }));
    expect(on.map(brief)).toEqual(["task_start b", "task_end b", "update b", "state done"]);
  });

  test("runs nothing before its first event is read", async () => {
    const { runner } = await memoryRunner(two);
    const stream = runner.stream("t", { start: {} });
    await new Promise(setImmediate);
    await expect(runner.inspect("t")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    expect(await collect(stream)).toHaveLength(7);
  });

  test("leaving the loop stops driving, and the thread can be continued", async () => {
    const { runner } = await memoryRunner(two);
    for await (const event of runner.stream("t", { start: {} })) if (brief(event) === "update a") break;
    const state = await runner.inspect("t");
    expect(state.status).toBe("ready");
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["from a", "from b"] } });
  });

  test("leaving the loop while a node hangs does not wait for it", async () => {
    let hangs = true;
    const graph = new StateGraph(TextLog)
      .addNode("hang", () => (hangs ? new Promise<never>(() => {}) : { log: "went on" }))
      .addEdge(START, "hang");
    const { runner } = await memoryRunner(graph);
    for await (const event of runner.stream("t", { start: {} })) if (event.type === "task_start") break;
    hangs = false;
    expect((await runner.continue("t")).values.log).toEqual(["went on"]);
  });

  test("a throw in the loop stops driving as leaving it does", async () => {
    const { runner } = await memoryRunner(two);
    const read = async () => {
      for await (const _ of runner.stream("t", { start: {} })) throw new Error("reader broke");
    };
    await expect(read()).rejects.toThrow("reader broke");
    expect((await runner.continue("t")).status).toBe("done");
  });

  test("what start, resume and continue refuse is thrown to the reader", async () => {
    const { runner } = await memoryRunner(askOnce);
    await expect(collect(runner.stream("t", { continue: true }))).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    await runner.start("t", {});
    await expect(collect(runner.stream("t", { start: {} }))).rejects.toMatchObject({ code: "THREAD_INTERRUPTED" });
    await expect(collect(runner.stream("t", { resume: { ["0".repeat(32)]: 1 } }))).rejects.toMatchObject({
      code: "INTERRUPT_NOT_OPEN",
    });
    await expect(collect(runner.stream("t", {} as never))).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(collect(runner.stream("t", undefined as never))).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(collect(runner.stream("t", { start: {}, resume: { answer: 1 } } as never))).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
    });
  });

  test("aborting the caller's signal ends the stream with its reason", async () => {
    const graph = new StateGraph(TextLog).addNode("hang", () => new Promise<never>(() => {})).addEdge(START, "hang");
    const { runner } = await memoryRunner(graph);
    const caller = new AbortController();
    const read = async () => {
      for await (const event of runner.stream("t", { start: {} }, { signal: caller.signal })) {
        if (event.type === "task_start") caller.abort(new Error("enough"));
      }
    };
    await expect(read()).rejects.toThrow("enough");
  });

  test("a cancelled thread ends the stream with its state", async () => {
    const graph = new StateGraph(TextLog).addNode("hang", () => new Promise<never>(() => {})).addEdge(START, "hang");
    const { runner } = await memoryRunner(graph);
    const seen: string[] = [];
    for await (const event of runner.stream("t", { start: {} })) {
      seen.push(brief(event));
      if (event.type === "task_start") void runner.cancel("t", "enough");
    }
    expect(seen).toEqual(["task_start hang", "task_end hang cancelled", "state cancelled"]);
  });

  test("100 parallel tasks are told one by one, in a slow reader's own time", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("work", (name: string) => ({ log: name }))
      .addConditionalEdges(START, () => Array.from({ length: 100 }, (_, index) => new Send("work", String(index))));
    const { runner } = await memoryRunner(graph);
    const counts: Record<string, number> = {};
    for await (const { type } of runner.stream("t", { start: {} })) {
      counts[type] = (counts[type] ?? 0) + 1;
      await new Promise(setImmediate);
    }
    expect(counts).toEqual({ task_start: 100, task_end: 100, update: 100, state: 1 });
  });
});
