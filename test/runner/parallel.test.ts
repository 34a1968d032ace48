import { START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import { afterEach, describe, expect, test, vi } from "vitest";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** One task for each name, and one after them. */
function fanOut(names: readonly string[], work: (name: string, config: LangGraphRunnableConfig) => unknown) {
  return new StateGraph(TextLog)
    .addNode("work", async (name: string, config: LangGraphRunnableConfig) => {
      await work(name, config);
      return { log: name };
    })
    .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
    .addConditionalEdges(START, () => names.map((name) => new Send("work", name)))
    .addEdge("work", "after");
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `task ${index}`);

/** Counts how many run at the same time. */
function counter() {
  let running = 0;
  let most = 0;
  return {
    get most() {
      return most;
    },
    async run() {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
      running -= 1;
    },
  };
}

describe("parallel tasks", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("30 of them, in subgraphs and with signals in use, set off no warning", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    const inner = new StateGraph(TextLog)
      .addNode("listen", (_state, { signal }: LangGraphRunnableConfig) => {
        signal!.addEventListener("abort", () => {});
        return { log: "heard" };
      })
      .addEdge(START, "listen")
      .compile();
    const graph = fanOut(numbered(30), async (_name, config) => {
      config.signal!.addEventListener("abort", () => {});
      await inner.invoke({}, config);
    });
    const { runner } = await memoryRunner(graph);
    const caller = new AbortController();
    expect((await runner.start("t", {}, { signal: caller.signal })).status).toBe("done");
    await new Promise(setImmediate);
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  test("run all at once, or as many as maxConcurrency says", async () => {
    const free = counter();
    const { runner: all } = await memoryRunner(fanOut(numbered(12), () => free.run()));
    await all.start("t", {});
    expect(free.most).toBe(12);

    const bounded = counter();
    const { runner } = await memoryRunner(fanOut(numbered(12), () => bounded.run()));
    const done = await runner.start("t", {}, { maxConcurrency: 3 });
    expect(bounded.most).toBe(3);
    expect(done.values.log).toEqual([...numbered(12), "after 12"]);

    const own = counter();
    const configured = fanOut(numbered(12), () => own.run())
      .compile()
      .withConfig({ maxConcurrency: 2 });
    await (await memoryRunner(configured)).runner.start("t", {});
    expect(own.most).toBe(2);
  });

  test("the error of one is held back until the others have settled, in any superstep", async () => {
    const ended: string[] = [];
    const graph = new StateGraph(TextLog)
      .addNode("first", () => ({ log: "first" }))
      .addNode("bad", () => {
        throw new Error("bad");
      })
      .addNode("slow", async (_state, { signal }: LangGraphRunnableConfig) => {
        for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
        ended.push(`slow, ${signal!.aborted ? "aborted" : "in peace"}`);
        return { log: "slow" };
      })
      .addEdge(START, "first")
      .addEdge("first", "bad")
      .addEdge("first", "slow");
    const { runner } = await memoryRunner(graph);
    expect(await runner.start("t", {})).toMatchObject({
      status: "error",
      failures: [{ node: "bad" }],
      values: { log: ["first", "slow"] },
    });
    expect(ended).toEqual(["slow, in peace"]);
  });

  test("all failures are listed, in the order of the tasks", async () => {
    const graph = fanOut(numbered(4), (name) => {
      if (name !== "task 2") throw new Error(`no ${name}`);
    });
    const { runner } = await memoryRunner(graph);
    const state = await runner.start("t", {});
    expect(state).toMatchObject({ status: "error", error: { message: "no task 0" }, values: { log: ["task 2"] } });
    expect(state.status === "error" && state.failures.map(({ message }) => message)).toEqual([
      "no task 0",
      "no task 1",
      "no task 3",
    ]);
  });

  test("asRunnable throws the error itself, also where the others had to be started after it", async () => {
    const thrown = new Error("no task 1");
    const graph = fanOut(numbered(6), (name) => {
      if (name === "task 1") throw thrown;
    });
    const { runner } = await memoryRunner(graph);
    const config = { configurable: { thread_id: "t" }, maxConcurrency: 1 };
    await expect(runner.asRunnable().invoke({}, config)).rejects.toBe(thrown);
    expect((await runner.inspect("t")).values.log).toHaveLength(5);
  });

  test("asRunnable throws several errors together", async () => {
    const graph = fanOut(numbered(3), (name) => {
      if (name !== "task 2") throw new Error(`no ${name}`);
    });
    const { runner } = await memoryRunner(graph);
    const thrown: unknown = await runner
      .asRunnable()
      .invoke({}, { configurable: { thread_id: "t" } })
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(AggregateError);
    expect((thrown as AggregateError).errors.map(String)).toEqual(["Error: no task 0", "Error: no task 1"]);
  });

  test.each([[undefined], [null], ["text"], [7], [Symbol("s")]])(
    "a node that throws %o has failed, and no other",
    async (thrown) => {
      const graph = new StateGraph(TextLog)
        .addNode("bad", () => {
          throw thrown;
        })
        .addNode("good", () => ({ log: "good" }))
        .addEdge(START, "bad")
        .addEdge(START, "good");
      const { runner } = await memoryRunner(graph);
      const state = await runner.start("t", {});
      expect(state).toMatchObject({
        status: "error",
        error: { node: "bad", message: expect.stringContaining(String(thrown)) as string },
        values: { log: ["good"] },
      });
    },
  );

  test("an error of a class of its own keeps its name and message", async () => {
    class OutOfStock extends Error {
      override readonly name = "OutOfStock";
    }
    const graph = new StateGraph(TextLog)
      .addNode("bad", () => {
        throw new OutOfStock("0 left");
      })
      .addEdge(START, "bad");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    expect(await runner.inspect("t")).toMatchObject({
      status: "error",
      error: { name: "OutOfStock", message: "0 left" },
    });
  });
});

describeOnEachCheckpointer("maxConcurrency", (store) => {
  test("H20: tasks that fail and tasks that ask lose none of the others, however few run at a time", async () => {
    for (const maxConcurrency of [1, 2, 5]) {
      const runs: string[] = [];
      const graph = fanOut(numbered(8), (name) => {
        runs.push(name);
        if (name === "task 1") interrupt("sure?");
        if (["task 0", "task 4"].includes(name) && runs.filter((run) => run === name).length === 1)
          throw new Error(name);
      });
      const runner = createRunner(graph, { name: "bounded", checkpointer: store.checkpointer });
      const thread = store.newThread();
      const failed = await runner.start(thread, {}, { maxConcurrency });
      expect(failed).toMatchObject({ status: "error", interrupts: [{ value: "sure?" }] });
      expect(failed.status === "error" && failed.failures.map(({ message }) => message)).toEqual(["task 0", "task 4"]);
      const asked = await runner.continue(thread, { maxConcurrency });
      expect(asked).toMatchObject({ status: "interrupted", interrupts: [{ value: "sure?" }] });
      const done = await runner.resume(thread, { answer: "yes" }, { maxConcurrency });
      expect(done.values.log).toEqual([...numbered(8), "after 8"]);
      const twice = ["task 0", "task 1", "task 4"];
      expect(runs.toSorted()).toEqual([...numbered(8), ...twice].toSorted());
    }
  });
});
