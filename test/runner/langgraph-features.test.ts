/** What LangGraph can do, a graph can do under the runner: driven in one go and task by task, with the same result. */
import {
  Command,
  DeltaValue,
  InMemoryStore,
  START,
  Send,
  StateGraph,
  StateSchema,
  getStore,
  interrupt,
  isNodeError,
} from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import type { DrivableGraph } from "perdure/runner";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { commitInput } from "../support/commit-input.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** Drives a graph by start, and one task at a time, and returns the log that both ways end with. */
async function logOf(graph: DrivableGraph, input: object = {}): Promise<unknown> {
  const { runner, checkpointer } = await memoryRunner(graph as ReturnType<typeof simplest>);
  const done = await runner.start("whole", input);
  expect(done.status).toBe("done");

  let state = await commitInput(runner, checkpointer, "steps", input);
  for (let steps = 0; state.status === "ready"; steps += 1) {
    expect(steps).toBeLessThan(20);
    const [task] = state.tasks;
    state = await runner.step("steps", { tasks: task === undefined ? [] : [task.id] });
  }
  expect(state).toMatchObject({ status: "done", values: done.values as object });
  const past = async (threadId: string) =>
    (await collect(runner.history(threadId))).map(({ step, next, values }) => ({ step, next, values }));
  expect(await past("steps")).toEqual(await past("whole"));
  return (done.values as { log: unknown }).log;
}

const simplest = () => new StateGraph(TextLog).addNode("a", () => ({ log: "a" })).addEdge(START, "a");

describe("a graph with", () => {
  test("Command goto, with updates, to several nodes", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("a", () => new Command({ goto: ["b", new Send("c", "sent")], update: { log: "a" } }), {
        ends: ["b", "c"],
      })
      .addNode("b", () => ({ log: "b" }))
      .addNode("c", (input: unknown) => ({ log: `c ${String(input)}` }))
      .addEdge(START, "a");
    expect(await logOf(graph)).toEqual(["a", "b", "c sent"]);
  });

  test("a map over Send, and a reduce", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("split", () => ({ log: "split" }))
      .addNode("map", (n: number) => ({ log: `map ${n}` }))
      .addNode("reduce", ({ log }) => ({ log: `reduce ${log.length}` }))
      .addEdge(START, "split")
      .addConditionalEdges("split", () => [1, 2, 3].map((n) => new Send("map", n)), ["map"])
      .addEdge("map", "reduce");
    expect(await logOf(graph)).toEqual(["split", "map 1", "map 2", "map 3", "reduce 4"]);
  });

  test("a node that waits until all others are done (defer)", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("short", () => ({ log: "short" }))
      .addNode("long 1", () => ({ log: "long 1" }))
      .addNode("long 2", () => ({ log: "long 2" }))
      .addNode("last", () => ({ log: "last" }), { defer: true })
      .addEdge(START, "short")
      .addEdge(START, "long 1")
      .addEdge("long 1", "long 2")
      .addEdge("short", "last")
      .addEdge("long 2", "last");
    expect(await logOf(graph)).toEqual(["long 1", "short", "long 2", "last"]);
  });

  test("branches that join, and branches of different lengths", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("a", () => ({ log: "a" }))
      .addNode("b", () => ({ log: "b" }))
      .addNode("b2", () => ({ log: "b2" }))
      .addNode("join", ({ log }) => ({ log: `join ${log.length}` }))
      .addEdge(START, "a")
      .addEdge(START, "b")
      .addEdge("b", "b2")
      .addEdge(["a", "b2"], "join");
    expect(await logOf(graph)).toEqual(["a", "b", "b2", "join 3"]);
  });

  test("an error handler for its node", async () => {
    const graph = new StateGraph(TextLog)
      .addNode(
        "work",
        () => {
          throw new RangeError("too far");
        },
        {
          errorHandler: (_state: unknown, error: unknown) => ({
            log: `handled ${isNodeError(error) ? error.error.message : "?"}`,
          }),
        } as never,
      )
      .addNode("good", () => ({ log: "good" }))
      .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
      .addEdge(START, "work")
      .addEdge(START, "good")
      .addEdge(["work", "good"], "after");
    const log = (await logOf(graph)) as string[];
    expect(log).toContain("good");
    expect(log.some((line) => line.startsWith("handled"))).toBe(true);
  });

  test("a DeltaChannel, which stores only what was added", async () => {
    const appended = { reducer: (kept: string[], added: string[][]) => kept.concat(...added) };
    const State = new StateSchema({
      log: new DeltaValue(
        z.array(z.string()).default(() => []),
        appended,
      ),
    });
    const graph = new StateGraph(State)
      .addNode("a", () => ({ log: ["a"] }))
      .addNode("b", ({ log }) => ({ log: [`b ${log.length}`] }))
      .addEdge(START, "a")
      .addEdge("a", "b");
    expect(await logOf(graph, { log: ["in"] })).toEqual(["in", "a", "b 2"]);
    const { runner } = await memoryRunner(graph);
    await runner.start("t", { log: ["one"] });
    expect((await runner.start("t", { log: ["two"] })).values.log).toEqual(["one", "a", "b 2", "two", "a", "b 5"]);
  });

  test("a DeltaChannel that nodes write side by side: it is read in the order in which the run had it", async () => {
    const names = ["ape", "bee", "cat", "dog", "eel", "fox"];
    const appended = { reducer: (kept: string[], added: string[][]) => kept.concat(...added) };
    const State = new StateSchema({
      log: new DeltaValue(
        z.array(z.string()).default(() => []),
        appended,
      ),
      seen: z.array(z.string()).default(() => []),
    });
    const graph = new StateGraph(State).addNode("after", ({ log }) => ({ seen: log }));
    for (const name of names) {
      graph
        .addNode(name, () => ({ log: [name] }))
        .addEdge(START, name as typeof START)
        .addEdge(name as typeof START, "after");
    }
    const { runner } = await memoryRunner(graph);
    const { values } = await runner.start("t", {});
    expect(values.seen).toHaveLength(names.length);
    expect(values.log).toEqual(values.seen);
  });

  test("a Store, and context that reaches every node", async () => {
    const store = new InMemoryStore();
    const graph = new StateGraph(TextLog)
      .addNode("write", async (_state, config: LangGraphRunnableConfig) => {
        await config.store!.put(["notes"], "one", { text: `by ${String(config.context?.["user"])}` });
        return {};
      })
      .addNode("read", async (_state, config: LangGraphRunnableConfig) => {
        const note = await getStore()!.get(["notes"], "one");
        return { log: [String(note?.value["text"]), `read by ${String(config.context?.["user"])}`] };
      })
      .addEdge(START, "write")
      .addEdge("write", "read")
      .compile({ store });
    const { runner } = await memoryRunner(graph);
    const done = await runner.start("t", {}, { context: { user: "ann" } });
    expect(done.values.log).toEqual(["by ann", "read by ann"]);
  });
});

describe("an error handler", () => {
  /** A node that fails, its handler, and a sibling. */
  function handled(handle: () => unknown) {
    const runs: string[] = [];
    const note = (name: string) => void runs.push(name);
    const graph = new StateGraph(TextLog)
      .addNode(
        "work",
        () => {
          note("work");
          throw new RangeError("too far");
        },
        {
          errorHandler: async () => {
            note("handle");
            return handle();
          },
        } as never,
      )
      .addNode("good", () => {
        note("good");
        return { log: "good" };
      })
      .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
      .addEdge(START, "work")
      .addEdge(START, "good")
      .addEdge(["work", "good"], "after");
    return { graph, runs };
  }

  test("runs once, whatever the siblings do, and its task is not listed any more", async () => {
    const { graph, runs } = handled(() => ({ log: "handled" }));
    const { runner, checkpointer } = await memoryRunner(graph);
    const ready = await commitInput(runner, checkpointer, "t", {});
    const [work, good] = ["work", "good"].map((node) => ready.tasks.find((task) => task.node === node)!.id);
    const one = await runner.step("t", { tasks: [work!] });
    expect(one).toMatchObject({ status: "ready", next: ["good"], tasks: [{ id: good }] });
    await runner.step("t", { tasks: [good!] });
    expect(runs).toEqual(["work", "handle", "good"]);
  });

  test("is not run by a call that runs a sibling", async () => {
    let broken = true;
    const { graph, runs } = handled(() => {
      if (broken) throw new Error("no hands");
      return { log: "handled" };
    });
    const { runner, checkpointer } = await memoryRunner(graph);
    const ready = await commitInput(runner, checkpointer, "t", {});
    const [work, good] = ["work", "good"].map((node) => ready.tasks.find((task) => task.node === node)!.id);
    await runner.step("t", { tasks: [work!] });
    broken = false;
    await runner.step("t", { tasks: [good!] });
    expect(runs).toEqual(["work", "handle", "good"]);
    await runner.step("t", { tasks: [work!] });
    expect(runs).toEqual(["work", "handle", "good", "handle"]); // not the work again
  });

  test("that fails itself leaves the thread in error, and continue runs it again and not the node", async () => {
    let broken = true;
    const { graph, runs } = handled(() => {
      if (broken) throw new Error("no hands");
      return { log: "handled" };
    });
    const { runner } = await memoryRunner(graph);
    const failed = await runner.start("t", {});
    expect(failed).toMatchObject({ status: "error", error: { node: "work", name: "Error", message: "no hands" } });
    expect(await runner.continue("t")).toEqual(failed);
    broken = false;
    expect((await runner.continue("t")).status).toBe("done");
    expect(runs.toSorted()).toEqual(["good", "handle", "handle", "handle", "work"]);
  });
});

describe("a retryPolicy", () => {
  const quick = { maxAttempts: 3, initialInterval: 0, jitter: false, logWarning: false };

  test("tries the node again, as LangGraph does, and is over after its attempts", async () => {
    let attempts = 0;
    const graph = new StateGraph(TextLog)
      .addNode(
        "work",
        () => {
          attempts += 1;
          throw new Error(`attempt ${attempts}`);
        },
        { retryPolicy: quick },
      )
      .addEdge(START, "work");
    const { runner } = await memoryRunner(graph);
    expect(await runner.start("t", {})).toMatchObject({ status: "error", error: { message: "attempt 3" } });
    await runner.continue("t");
    expect(attempts).toBe(6);
  });

  test("does not repeat a question that was answered, nor one that was not", async () => {
    let attempts = 0;
    const graph = new StateGraph(TextLog)
      .addNode(
        "work",
        () => {
          const first = String(interrupt("first?"));
          attempts += 1;
          if (attempts < 3) throw new Error("again");
          return { log: [first, String(interrupt("second?"))] };
        },
        { retryPolicy: quick },
      )
      .addEdge(START, "work");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    expect((await runner.resume("t", { answer: "one" })).interrupts).toMatchObject([{ value: "second?" }]);
    expect(attempts).toBe(3);
    expect((await runner.resume("t", { answer: "two" })).values.log).toEqual(["one", "two"]);
  });
});

describe("timeouts", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Works until its signal aborts; then tells why. */
  function hanging() {
    const begun = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    const node = (_state: unknown, { signal }: LangGraphRunnableConfig) => {
      begun.resolve();
      signal!.addEventListener("abort", () => aborted.resolve(signal!.reason), { once: true });
      return new Promise<never>(() => {});
    };
    return { node, begun: begun.promise, aborted: aborted.promise };
  }

  test("a node's own timeout aborts it, and fails its task and no other", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { node, begun, aborted } = hanging();
    const graph = new StateGraph(TextLog)
      .addNode("first", () => ({ log: "first" }))
      .addNode("slow", node, { timeout: { runTimeout: 1_000 } } as never)
      .addNode("good", () => ({ log: "good" }))
      .addEdge(START, "first")
      .addEdge("first", "slow")
      .addEdge("first", "good");
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await begun;
    await vi.advanceTimersByTimeAsync(1_000);
    await aborted;
    expect(await started).toMatchObject({
      status: "error",
      error: { node: "slow", name: "NodeTimeoutError" },
      values: { log: ["first", "good"] },
    });
  });

  test("a sibling's failure does not abort a node with a timeout of its own", async () => {
    const failed = Promise.withResolvers<void>();
    let aborted = false;
    const graph = new StateGraph(TextLog)
      .addNode("first", () => ({}))
      .addNode("bad", () => {
        setImmediate(failed.resolve);
        throw new Error("bad");
      })
      .addNode(
        "timed",
        async (_state, { signal }: LangGraphRunnableConfig) => {
          await failed.promise;
          await new Promise(setImmediate);
          aborted = signal!.aborted;
          return { log: "finished" };
        },
        { timeout: { runTimeout: 10_000 } } as never,
      )
      .addEdge(START, "first")
      .addEdge("first", "bad")
      .addEdge("first", "timed");
    const { runner } = await memoryRunner(graph);
    expect(await runner.start("t", {})).toMatchObject({ status: "error", values: { log: ["finished"] } });
    expect(aborted).toBe(false);
  });

  test("the graph's stepTimeout ends the drive, aborts the node, and the thread can be continued", async () => {
    const { node, begun, aborted } = hanging();
    let hangs = true;
    const graph = new StateGraph(TextLog)
      .addNode("first", () => ({ log: "first" }))
      .addNode("slow", (state, config) => (hangs ? node(state, config) : { log: "quick" }))
      .addEdge(START, "first")
      .addEdge("first", "slow")
      .compile();
    graph.stepTimeout = 20;
    // fake timers do not reach AbortSignal.timeout, by which LangGraph measures it
    const steps: AbortController[] = [];
    const clock = vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      expect(ms).toBe(20);
      return (steps[steps.length] = new AbortController()).signal;
    });
    const { runner } = await memoryRunner(graph);
    const refused = runner.start("t", {}).catch((error: unknown) => error);
    await begun;
    steps.at(-1)!.abort(new DOMException("The operation timed out.", "TimeoutError"));
    expect(String(await refused)).toMatch(/abort|timeout/i);
    expect(await aborted).toMatchObject({ name: "TimeoutError" });
    hangs = false;
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["first", "quick"] } });
    clock.mockRestore();
  });
});

test("a failure keeps the error's code, and the error itself for the call whose node threw it", async () => {
  const graph = new StateGraph(TextLog)
    .addNode("pay", () => {
      throw Object.assign(new TypeError("no money"), { code: "E_POOR" });
    })
    .addEdge(START, "pay");
  const { runner, checkpointer } = await memoryRunner(graph);
  const failed = await runner.start("t", {});
  expect(failed).toMatchObject({ status: "error", error: { name: "TypeError", message: "no money", code: "E_POOR" } });
  expect(failed.status === "error" && failed.error.cause).toBeInstanceOf(TypeError);
  expect(JSON.stringify(failed)).not.toContain("cause");
  const seenLater = await createRunner(graph, { name: "pay", checkpointer }).inspect("t");
  expect(seenLater).toMatchObject({ status: "error", error: { code: "E_POOR" } });
  expect(seenLater.status === "error" && seenLater.error.cause).toBeUndefined();
});
