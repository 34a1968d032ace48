/** H5, H11, H13, H15, H20: what happens around a node: what runs again, what is an error, what is lost. */
import { AIMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Command, MemorySaver, MessagesAnnotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { once } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import type { RunEvent } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { describeOnEachCheckpointer } from "../../support/describe-on-each-checkpointer.ts";
import { langgraphSince } from "../../support/langgraph-since.ts";
import { TextLog } from "../../support/text-log.ts";

/** A charge before a question: the effect that must not be repeated. */
function chargeThenAsk(charge: (effect: () => string) => string | Promise<string>) {
  let charges = 0;
  const graph = new StateGraph(TextLog)
    .addNode("pay", async () => {
      const receipt = await charge(() => `receipt ${(charges += 1)}`);
      return { log: [receipt, String(interrupt("keep it?"))] };
    })
    .addEdge(START, "pay");
  return { graph, charges: () => charges };
}

const askOnce = new StateGraph(TextLog)
  .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
  .addEdge(START, "ask");

/** A node that fails once after its question, under a retry policy. */
function failsAfterQuestion() {
  let attempts = 0;
  const graph = new StateGraph(TextLog)
    .addNode(
      "ask",
      () => {
        const answer = String(interrupt(`question of attempt ${attempts + 1}`));
        attempts += 1;
        if (attempts === 1) throw new Error("network");
        return { log: answer };
      },
      { retryPolicy: { maxAttempts: 3, initialInterval: 0, jitter: false, logWarning: false } },
    )
    .addEdge(START, "ask");
  return { graph, attempts: () => attempts };
}

/** Six tasks, of which the first fails the first time. */
function sixTasks() {
  const runs: string[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("work", (input: unknown) => {
      const name = String(input);
      runs.push(name);
      if (name === "0" && runs.filter((run) => run === "0").length === 1) throw new Error("task 0 failed");
      return { log: name };
    })
    .addConditionalEdges(START, () => ["0", "1", "2", "3", "4", "5"].map((name) => new Send("work", name)));
  return { graph, runs };
}

/** Two tools, of which one asks a person. */
function twoTools() {
  const runs: string[] = [];
  const look = tool(
    () => {
      runs.push("look");
      return "looked";
    },
    { name: "look", description: "", schema: z.object({}) },
  );
  const refund = tool(() => `refunded: ${String(interrupt("refund?"))}`, {
    name: "refund",
    description: "",
    schema: z.object({}),
  });
  const calls = [look, refund].map(({ name }) => ({ id: name, name, args: {}, type: "tool_call" as const }));
  return { tools: [look, refund], calls, runs };
}

/** A callback handler that writes down the errors it is told of. */
function errorsTold() {
  const told: string[] = [];
  const handler = {
    handleChainError(error: unknown) {
      told.push(error instanceof Error ? error.name : String(error));
    },
  };
  return { told, handler };
}

describe("plain LangGraph", () => {
  const config = { configurable: { thread_id: "plain" } };

  test("H5: repeats what stands before a question", async () => {
    const { graph, charges } = chargeThenAsk((effect) => effect());
    const compiled = graph.compile({ checkpointer: new MemorySaver() });
    await compiled.invoke({}, config);
    await compiled.invoke(new Command({ resume: "yes" }), config);
    expect(charges()).toBe(2);
  });

  test("H11: tells a tracer of a question as of an error", async () => {
    const { told, handler } = errorsTold();
    await askOnce.compile({ checkpointer: new MemorySaver() }).invoke({}, { ...config, callbacks: [handler] });
    expect(told).toEqual(["GraphInterrupt"]);
  });

  test("H13: runs every tool of a message again when one of them asks", async () => {
    const { tools, calls, runs } = twoTools();
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("tools", new ToolNode(tools))
      .addEdge(START, "tools")
      .compile({ checkpointer: new MemorySaver() });
    await graph.invoke({ messages: [new AIMessage({ content: "", tool_calls: calls })] }, config);
    await graph.invoke(new Command({ resume: "yes" }), config);
    expect(runs).toEqual(["look", "look"]);
  });

  test("H15: before 1.7 asks the person again when the node is retried after its answer", async () => {
    const { graph } = failsAfterQuestion();
    const compiled = graph.compile({ checkpointer: new MemorySaver() });
    await compiled.invoke({}, config);
    const output = (await compiled.invoke(new Command({ resume: "yes" }), config)) as unknown as {
      __interrupt__?: readonly { readonly value: unknown }[];
    };
    const asked = output.__interrupt__?.map(({ value }) => value);
    expect(asked).toEqual(langgraphSince(7) ? undefined : ["question of attempt 2"]);
  });

  test("H20: loses the tasks that a failure kept from starting, under maxConcurrency", async () => {
    const { graph } = sixTasks();
    const compiled = graph.compile({ checkpointer: new MemorySaver() });
    await expect(compiled.invoke({}, { ...config, maxConcurrency: 2 })).rejects.toThrow("task 0 failed");
    expect((await compiled.invoke(null, { ...config, maxConcurrency: 2 })).log).toHaveLength(2);
  });
});

describeOnEachCheckpointer("the runner", (store) => {
  test("H5: once(key, fn) before a question is done once", async () => {
    const { graph, charges } = chargeThenAsk((effect) => once("charge", effect));
    const runner = createRunner(graph, { name: "pay", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {});
    expect((await runner.resume(thread, { answer: "yes" })).values.log).toEqual(["receipt 1", "yes"]);
    expect(charges()).toBe(1);
  });

  test("H11: a question passes through a retry policy, and is no error to whoever watches", async () => {
    const { graph, attempts } = failsAfterQuestion();
    const runner = createRunner(graph, { name: "ask", checkpointer: store.checkpointer });
    const events: RunEvent[] = [];
    for await (const event of runner.stream(store.newThread(), { start: {} })) events.push(event);
    expect(attempts()).toBe(0); // it was asked once, and not tried again
    expect(events.filter(({ type }) => type === "interrupt")).toHaveLength(1);
    const ends = events.filter((event) => event.type === "task_end");
    expect(ends).toHaveLength(1);
    expect(ends[0]).not.toHaveProperty("error");
  });

  test("H13: with a task for each tool call, only the call that asked runs again", async () => {
    const { tools, calls, runs } = twoTools();
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("model", () => ({ messages: [new AIMessage({ content: "", tool_calls: calls })] }))
      .addNode("tool", new ToolNode(tools))
      .addEdge(START, "model")
      .addConditionalEdges("model", ({ messages }) =>
        ((messages.at(-1) as AIMessage).tool_calls ?? []).map((call) => new Send("tool", { lg_tool_call: call })),
      );
    const runner = createRunner(graph, { name: "tools", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {});
    const done = await runner.resume(thread, { answer: "yes" });
    expect(runs).toEqual(["look"]);
    const results = done.values.messages.filter((message) => ToolMessage.isInstance(message));
    expect(results.map(({ content }) => content)).toEqual(["looked", "refunded: yes"]);
  });

  test("H15: a retry of the node finds the answer it was given", async () => {
    const { graph, attempts } = failsAfterQuestion();
    const runner = createRunner(graph, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {});
    const done = await runner.resume(thread, { answer: "yes" });
    expect(attempts()).toBe(2);
    expect(done.status).toBe("done");
    expect(done.values.log).toEqual(["yes"]);
  });

  test("H20: bounded parallelism never loses a task", async () => {
    const { graph, runs } = sixTasks();
    const runner = createRunner(graph, { name: "six", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const failed = await runner.start(thread, {}, { maxConcurrency: 2 });
    expect(failed.status).toBe("error");
    const done = await runner.continue(thread, { maxConcurrency: 2 });
    expect(done.status).toBe("done");
    expect(done.values.log).toEqual(["0", "1", "2", "3", "4", "5"]);
    expect(runs.toSorted()).toEqual(["0", "0", "1", "2", "3", "4", "5"]);
  });
});
