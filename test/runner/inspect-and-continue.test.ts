import { Annotation, InvalidUpdateError, MemorySaver, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { requestApproval, sleepUntil, waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { commitInput } from "../support/commit-input.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** One task for each of what it is told to do. */
function doing(...works: readonly ("finish" | "ask" | "fail")[]) {
  return new StateGraph(TextLog)
    .addNode("work", (work: string) => {
      if (work === "fail") throw new Error("failed");
      return { log: work === "ask" ? String(interrupt("sure?")) : work };
    })
    .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
    .addConditionalEdges(START, () => works.map((work) => new Send("work", work)))
    .addEdge("work", "after");
}

describe("runner.inspect", () => {
  test("ready: before anything ran, and each task can", async () => {
    const { runner, checkpointer } = await memoryRunner(doing("finish", "ask"));
    const state = await commitInput(runner, checkpointer, "t", {});
    expect(state).toEqual({
      status: "ready",
      threadId: "t",
      checkpointId: state.checkpointId,
      step: 0,
      next: ["work", "work"],
      tasks: [
        { id: expect.any(String), node: "work" },
        { id: expect.any(String), node: "work" },
      ],
      interrupts: [],
      values: { log: [] },
    });
    expect(new Set(state.tasks.map(({ id }) => id)).size).toBe(2);
  });

  test("interrupted: nothing can run, and what finished siblings wrote is in the values", async () => {
    const { runner } = await memoryRunner(doing("finish", "ask"));
    expect(await runner.start("t", {})).toMatchObject({
      status: "interrupted",
      next: ["work"],
      tasks: [],
      interrupts: [
        { id: expect.stringMatching(/^[0-9a-f]{32}$/) as string, kind: "input", node: "work", value: "sure?" },
      ],
      values: { log: ["finish"] },
    });
  });

  test("error: a task failed and nothing else can run; open questions are still listed", async () => {
    const { runner } = await memoryRunner(doing("finish", "fail", "ask"));
    const state = await runner.start("t", {});
    expect(state).toMatchObject({
      status: "error",
      next: ["work", "work"],
      tasks: [],
      interrupts: [{ value: "sure?" }],
      error: { node: "work", name: "Error", message: "failed" },
      values: { log: ["finish"] },
    });
    expect(state.status === "error" && state.failures).toEqual([state.status === "error" && state.error]);
  });

  test("done: no tasks", async () => {
    const { runner } = await memoryRunner(doing("finish"));
    expect(await runner.start("t", {})).toMatchObject({ status: "done", next: [], tasks: [], interrupts: [] });
  });

  test("cancelled: what was to run is still listed", async () => {
    const { runner } = await memoryRunner(doing("ask"));
    await runner.start("t", {});
    expect(await runner.cancel("t", "no need")).toMatchObject({
      status: "cancelled",
      reason: "no need",
      next: ["work"],
      interrupts: [{ value: "sure?" }],
    });
  });

  test("tells the kinds of questions, and when they are over", async () => {
    const kinds = new StateGraph(TextLog)
      .addNode("input", () => ({ log: String(interrupt({ question: "name?" })) }))
      .addNode("approval", async () => {
        await requestApproval({ actions: [{ name: "refund", args: { order: "A1" } }] });
        return {};
      })
      .addNode("signal", async () => ({ log: await waitForSignal("go", z.string()) }))
      .addNode("timer", async () => {
        await sleepUntil(new Date(86_400_000));
        return {};
      })
      .addEdge(START, "input")
      .addEdge(START, "approval")
      .addEdge(START, "signal")
      .addEdge(START, "timer");
    const { runner } = await memoryRunner(kinds);
    const { interrupts } = await runner.start("t", {});
    expect(Object.fromEntries(interrupts.map(({ node, kind, dueAt }) => [node, [kind, dueAt]]))).toEqual({
      input: ["input", undefined],
      approval: ["approval", undefined],
      signal: ["signal", undefined],
      timer: ["timer", 86_400_000],
    });
  });

  test("runs nothing, and changes nothing", async () => {
    const { runner } = await memoryRunner(doing("ask"));
    await runner.start("t", {});
    const before = await collect(runner.history("t"));
    await runner.inspect("t");
    expect(await collect(runner.history("t"))).toEqual(before);
  });

  test("what it gives is the caller's own: changing it changes no thread", async () => {
    const { runner } = await memoryRunner(doing("finish", "ask"));
    const state = await runner.start("t", {});
    state.values.log.push("scribbled");
    expect((await runner.inspect("t")).values.log).toEqual(["finish"]);
    expect((await runner.resume("t", { answer: "yes" })).values.log).toEqual(["finish", "yes", "after 2"]);
  });
});

describe("runner.continue", () => {
  test("on a thread that has nothing to do only looks", async () => {
    const { runner } = await memoryRunner(doing("ask"));
    const asked = await runner.start("t", {});
    expect(await runner.continue("t")).toEqual(asked);
    const done = await runner.resume("t", { answer: "yes" });
    expect(await runner.continue("t")).toEqual(done);
  });

  test("runs what failed once more, and not what finished", async () => {
    const runs: string[] = [];
    const graph = new StateGraph(TextLog)
      .addNode("work", (name: string) => {
        runs.push(name);
        if (name === "bad" && runs.filter((run) => run === "bad").length < 3) throw new Error("again");
        return { log: name };
      })
      .addConditionalEdges(START, () => ["good", "bad"].map((name) => new Send("work", name)));
    const { runner } = await memoryRunner(graph);
    expect((await runner.start("t", {})).status).toBe("error");
    expect((await runner.continue("t")).status).toBe("error");
    expect(runs).toEqual(["good", "bad", "bad"]); // once per call: it does not try for ever
    expect((await runner.continue("t")).status).toBe("done");
  });

  test("an answer does not run again what failed; continue does", async () => {
    let broken = true;
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
      .addNode("bad", () => {
        if (broken) throw new Error("no");
        return { log: "mended" };
      })
      .addEdge(START, "ask")
      .addEdge(START, "bad");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    broken = false;
    expect(await runner.resume("t", { answer: "yes" })).toMatchObject({ status: "error", values: { log: ["yes"] } });
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["yes", "mended"] } });
  });

  test("context, configurable and metadata are those of the call", async () => {
    const seen: unknown[] = [];
    const graph = new StateGraph(TextLog)
      .addNode("look", (_state, config: LangGraphRunnableConfig) => {
        seen.push([config.context?.["user"], config.configurable?.["tenant"], config.metadata?.["team"]]);
        return { log: String(interrupt("sure?")) };
      })
      .addEdge(START, "look");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {}, { context: { user: 1 }, configurable: { tenant: "a" }, metadata: { team: "x" } });
    await runner.resume("t", { answer: "yes" }, { context: { user: 2 }, configurable: { tenant: "b" } });
    expect(seen).toEqual([
      [1, "a", "x"],
      [2, "b", undefined],
    ]);
  });

  test("configurable can't make a call speak of another thread, checkpoint or namespace", async () => {
    const { runner } = await memoryRunner(doing("finish"));
    const first = await runner.start("other", {});
    for (const configurable of [
      { thread_id: "other" },
      { checkpoint_id: first.checkpointId },
      { checkpoint_ns: "x" },
      { __pregel_resuming: true },
    ]) {
      await runner.start("t", {}, { configurable }).catch(() => {});
    }
    expect(await runner.inspect("other")).toEqual(first);
    expect(await collect(runner.history("other"))).toHaveLength(4);
  });
});

describeOnEachCheckpointer("a thread that plain LangGraph began", (store) => {
  const graph = new StateGraph(TextLog)
    .addNode("ask", () => ({ log: [String(interrupt("first?")), String(interrupt("second?"))] }))
    .addEdge(START, "ask");

  test("is seen, answered and finished by a runner", async () => {
    const thread = store.newThread();
    const plain = graph.compile({ checkpointer: store.checkpointer });
    await plain.invoke({ log: "in" }, { configurable: { thread_id: thread } });
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const asked = await runner.inspect(thread);
    expect(asked).toMatchObject({ status: "interrupted", interrupts: [{ value: "first?" }] });
    const second = await runner.resume(thread, { [asked.interrupts[0]!.id]: "a" });
    expect(second).toMatchObject({ status: "interrupted", interrupts: [{ value: "second?" }] });
    const done = await runner.resume(thread, { answer: "b" });
    expect(done).toMatchObject({ status: "done", values: { log: ["in", "a", "b"] } });
    expect((await plain.getState({ configurable: { thread_id: thread } })).values).toEqual(done.values);
  });

  test("is answered once by a runner where it asked in a subgraph", async () => {
    const thread = store.newThread();
    const outer = new StateGraph(TextLog).addNode("inside", graph.compile()).addEdge(START, "inside");
    await outer.compile({ checkpointer: store.checkpointer }).invoke({}, { configurable: { thread_id: thread } });
    const runner = createRunner(outer, { name: "r", checkpointer: store.checkpointer });
    const asked = await runner.inspect(thread);
    expect(asked).toMatchObject({ status: "interrupted", interrupts: [{ value: "first?" }] });
    const second = await runner.resume(thread, { [asked.interrupts[0]!.id]: "a" });
    expect(second).toMatchObject({ status: "interrupted", interrupts: [{ value: "second?" }] });
    const done = await runner.resume(thread, { answer: "b" });
    expect(done).toMatchObject({ status: "done", values: { log: ["a", "b"] } });
  });

  test("a thread that a runner drove can be read by plain LangGraph, and by its history", async () => {
    const thread = store.newThread();
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    await runner.start(thread, { log: "in" });
    const plain = graph.compile({ checkpointer: store.checkpointer });
    const { tasks, next } = await plain.getState({ configurable: { thread_id: thread } });
    expect(next).toEqual(["ask"]);
    expect(tasks.flatMap(({ interrupts }) => interrupts.map(({ value }) => value as string))).toEqual(["first?"]);
    const past = await collect(plain.getStateHistory({ configurable: { thread_id: thread } }));
    expect(past.map(({ metadata }) => metadata?.step)).toEqual(
      (await collect(runner.history(thread))).map(({ step }) => step),
    );
  });
});

describeOnEachCheckpointer("results that can't be applied", (store) => {
  test("leave a failed thread that can be inspected, and go on once the code is mended", async () => {
    let broken = true;
    const State = Annotation.Root({
      sum: Annotation<number>({
        reducer: (kept, added) => {
          if (broken && added === 13) throw new RangeError("an unlucky number");
          return kept + added;
        },
        default: () => 0,
      }),
    });
    let runs = 0;
    const graph = new StateGraph(State)
      .addNode("add", () => {
        runs += 1;
        return { sum: 13 };
      })
      .addEdge(START, "add");
    const runner = createRunner(graph, { name: "sum", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const failed = await runner.start(thread, { sum: 1 });
    expect(failed).toMatchObject({
      status: "error",
      next: ["add"],
      error: { node: "add", name: "RangeError", message: "an unlucky number" },
      values: { sum: 1 },
    });
    expect(await runner.inspect(thread)).toEqual(failed);
    expect(await runner.continue(thread)).toEqual(failed);
    broken = false;
    expect(await runner.continue(thread)).toMatchObject({ status: "done", values: { sum: 14 } });
    expect(runs).toBe(1); // the task was finished all along (I2)
  });

  test("of two nodes that write what only one may leave a thread that can be superseded", async () => {
    const graph = new StateGraph(Annotation.Root({ n: Annotation<number>() }))
      .addNode("left", ({ n }) => ({ n: n + 1 }))
      .addNode("right", ({ n }) => (n === 0 ? { n: 2 } : {}))
      .addEdge(START, "left")
      .addEdge(START, "right");
    const runner = createRunner(graph, { name: "both", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const failed = await runner.start(thread, { n: 0 });
    expect(failed).toMatchObject({ status: "error", error: { name: "InvalidUpdateError" }, values: { n: 0 } });
    await expect(runner.start(thread, { n: 5 })).rejects.toMatchObject({ code: "THREAD_UNFINISHED" });
    expect(await runner.start(thread, { n: 5 }, { supersede: true })).toMatchObject({
      status: "done",
      values: { n: 6 },
    });
  });

  test("are thrown by asRunnable as they were", async () => {
    const graph = new StateGraph(Annotation.Root({ n: Annotation<number>() }))
      .addNode("left", () => ({ n: 1 }))
      .addNode("right", () => ({ n: 2 }))
      .addEdge(START, "left")
      .addEdge(START, "right");
    const runner = createRunner(graph, { name: "both", checkpointer: store.checkpointer });
    const config = { configurable: { thread_id: store.newThread() } };
    await expect(runner.asRunnable().invoke({ n: 0 }, config)).rejects.toBeInstanceOf(InvalidUpdateError);
  });
});

describe("the same checkpoints", () => {
  test("as plain LangGraph writes: step, source, next and values", async () => {
    const graph = doing("finish", "finish");
    const saver = new MemorySaver();
    const plain = graph.compile({ checkpointer: saver });
    const config = { configurable: { thread_id: "t" } };
    await plain.invoke({ log: "in" }, config);
    await plain.invoke({ log: "more" }, config);
    const expected = (await collect(plain.getStateHistory(config))).map(({ metadata, next, values }) => ({
      step: metadata?.step,
      source: metadata?.source,
      next,
      values: values as unknown,
    }));
    const { runner } = await memoryRunner(graph);
    await runner.start("t", { log: "in" });
    await runner.start("t", { log: "more" });
    const history = await collect(runner.history("t"));
    expect(history.map(({ step, source, next, values }) => ({ step, source, next, values }))).toEqual(expected);
  });
});
