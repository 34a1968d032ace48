/** I7: cancelling reaches the running node and leaves a thread that can be inspected and continued. */
import { START, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** A node that works until it is told to stop, the first time; then it works at once. */
function longWork() {
  const begun = Promise.withResolvers<AbortSignal>();
  let runs = 0;
  const graph = new StateGraph(TextLog)
    .addNode("work", async (_state, { signal }: LangGraphRunnableConfig) => {
      runs += 1;
      if (runs === 1) {
        begun.resolve(signal!);
        await new Promise((_resolve, reject) => {
          signal!.addEventListener("abort", () => reject(signal!.reason as Error), { once: true });
        });
      }
      return { log: `run ${runs}` };
    })
    .addEdge(START, "work");
  return { graph, begun: begun.promise, runs: () => runs };
}

/** A node that does not look at its signal; what it returns is in the caller's hands. */
function deafWork() {
  const begun = Promise.withResolvers<void>();
  const results: ((line: string) => void)[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("work", async () => {
      const log = await new Promise<string>((resolve) => {
        results.push(resolve);
        begun.resolve();
      });
      return { log };
    })
    .addNode("after", () => ({ log: "after" }))
    .addEdge(START, "work")
    .addEdge("work", "after");
  return { graph, begun: begun.promise, results };
}

const askOnce = new StateGraph(TextLog)
  .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
  .addEdge(START, "ask");

describe("runner.cancel", () => {
  test("aborts the signal of the running node, and both callers get the cancelled thread", async () => {
    const { graph, begun } = longWork();
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    const signal = await begun;
    const cancelled = await runner.cancel("t", "too slow");
    expect(signal.aborted).toBe(true);
    expect(cancelled).toMatchObject({ status: "cancelled", reason: "too slow", next: ["work"] });
    expect(await started).toEqual(cancelled);
    expect(await runner.inspect("t")).toEqual(cancelled);
  });

  test("continue takes a cancelled thread up again", async () => {
    const { graph, begun } = longWork();
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await begun;
    await runner.cancel("t", "too slow");
    await started;
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["run 2"] } });
  });

  test("what a node that ignores its signal returns later is not applied, not even after continue", async () => {
    const { graph, begun, results } = deafWork();
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await begun;
    const cancelled = await runner.cancel("t", "enough"); // it does not wait for the node
    expect((await started).status).toBe("cancelled");

    const continued = runner.continue("t");
    while (results.length < 2) await new Promise(setImmediate);
    results[0]!("too late");
    await new Promise(setImmediate);
    expect((await runner.inspect("t")).values).toEqual(cancelled.values);
    results[1]!("in time");
    expect(await continued).toMatchObject({ status: "done", values: { log: ["in time", "after"] } });
  });

  test("siblings that were finished before stay finished", async () => {
    const { graph, begun, runs } = longWork();
    let quick = 0;
    graph.addNode("quick", () => ({ log: `quick ${(quick += 1)}` })).addEdge(START, "quick" as never);
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await begun;
    await runner.cancel("t", "enough");
    await started;
    const done = await runner.continue("t");
    expect(done.values.log.toSorted()).toEqual(["quick 1", "run 2"]);
    expect([quick, runs()]).toEqual([1, 2]);
  });

  test("a question stays open, takes no answer while the thread is cancelled, and can be answered after continue", async () => {
    const { runner } = await memoryRunner(askOnce);
    const asked = await runner.start("t", {});
    const cancelled = await runner.cancel("t", "on hold");
    expect(cancelled).toMatchObject({ status: "cancelled", interrupts: asked.interrupts });
    await expect(runner.resume("t", { answer: "yes" })).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    expect(await runner.inspect("t")).toEqual(cancelled);
    expect(await runner.continue("t")).toEqual(asked);
    expect((await runner.resume("t", { answer: "yes" })).status).toBe("done");
  });

  test("a signal that comes while the thread is cancelled is kept for later", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => ({ log: await waitForSignal("go", z.string()) }))
      .addEdge(START, "wait");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    const cancelled = await runner.cancel("t", "on hold");
    expect(await runner.signal("t", { name: "go", payload: "kept" })).toEqual(cancelled);
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["kept"] } });
  });

  test("start begins a new turn on a cancelled thread", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.start("t", {});
    await runner.cancel("t", "forget it");
    expect((await runner.start("t", { log: "new" })).status).toBe("interrupted");
    expect(await runner.resume("t", { answer: "yes" })).toMatchObject({
      status: "done",
      values: { log: ["new", "yes"] },
    });
  });

  test("a done thread can't be cancelled, and stays done", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.start("t", {});
    const done = await runner.resume("t", { answer: "yes" });
    expect(await runner.cancel("t", "late")).toEqual(done);
    expect((await runner.start("t", {})).status).toBe("interrupted");
  });

  test("cancelling twice keeps the thread cancelled, for the newer reason", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.start("t", {});
    await runner.cancel("t", "first");
    expect(await runner.cancel("t", "second")).toMatchObject({ status: "cancelled", reason: "second" });
    expect((await runner.continue("t")).status).toBe("interrupted");
  });

  test("stops a step that runs beside others", async () => {
    const { graph, begun } = longWork();
    const { runner } = await memoryRunner(graph);
    const ready = await runner.update("t", {}, { asNode: "__start__" as never });
    const stepped = runner.step("t", { tasks: ready.tasks.map(({ id }) => id) });
    await begun;
    const cancelled = await runner.cancel("t", "enough");
    expect(cancelled.status).toBe("cancelled");
    expect(await stepped).toEqual(cancelled);
  });

  test.each([[undefined], [7], [{}]])("%j is no reason", async (reason) => {
    const { runner } = await memoryRunner(askOnce);
    const asked = await runner.start("t", {});
    await expect(runner.cancel("t", reason as never)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    expect(await runner.inspect("t")).toEqual(asked);
  });
});

describe("the caller's own signal", () => {
  test("stops driving: the call throws its reason, the node is told, and the thread can be continued", async () => {
    const { graph, begun } = longWork();
    const { runner } = await memoryRunner(graph);
    const caller = new AbortController();
    const started = runner.start("t", {}, { signal: caller.signal });
    const signal = await begun;
    caller.abort(new Error("browser closed"));
    await expect(started).rejects.toThrow("browser closed");
    expect(signal.aborted).toBe(true);
    expect(await runner.inspect("t")).toMatchObject({ status: "ready", next: ["work"] });
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["run 2"] } });
  });

  test("ends the waiting of a call that was enqueued", async () => {
    const { graph, begun } = longWork();
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await begun;
    const caller = new AbortController();
    const waiting = runner.start("t", { log: "b" }, { whenBusy: "enqueue", signal: caller.signal });
    caller.abort(new Error("changed my mind"));
    await expect(waiting).rejects.toThrow("changed my mind");
    await runner.cancel("t", "over");
    expect((await started).values.log).toEqual([]);
  });
});

describeOnEachCheckpointer("a cancel by another runner", (store) => {
  test("reaches the running node, and what it returns later is not applied", async () => {
    const { graph, begun } = longWork();
    const runner = createRunner(graph, { name: "driver", checkpointer: store.checkpointer });
    const other = createRunner(graph, {
      name: "other",
      checkpointer: (await store.openAgain()) ?? store.checkpointer,
    });
    const thread = store.newThread();
    const started = runner.start(thread, {});
    const signal = await begun;
    const told = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const cancelled = await other.cancel(thread, "from afar");
    expect(cancelled).toMatchObject({ status: "cancelled", reason: "from afar" });
    await told;
    expect(await started).toEqual(cancelled);
    expect(await other.continue(thread, { whenBusy: "enqueue" })).toMatchObject({
      status: "done",
      values: { log: ["run 2"] },
    });
  });

  test("keeps a node that is just ending from being committed", async () => {
    const { graph, begun, results } = deafWork();
    const runner = createRunner(graph, { name: "driver", checkpointer: store.checkpointer });
    const other = createRunner(graph, {
      name: "other",
      checkpointer: (await store.openAgain()) ?? store.checkpointer,
    });
    const thread = store.newThread();
    const started = runner.start(thread, {});
    await begun;
    const cancelled = await other.cancel(thread, "from afar");
    results[0]!("too late");
    expect(await started).toEqual(cancelled);
    expect((await other.inspect(thread)).values.log).toEqual([]);
  });
});

test("I1: a start whose input was not stored, because a cancel came first, does not return as if it was", async () => {
  const graph = new StateGraph(TextLog)
    .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
    .addEdge(START, "ask");
  const { runner, checkpointer } = await memoryRunner(graph);
  await runner.start("t", { log: "one" });
  const put = checkpointer.put.bind(checkpointer);
  checkpointer.put = async (...args) => {
    checkpointer.put = put;
    const cancelled = Promise.withResolvers<void>();
    const updateRecord = checkpointer.updateRecord.bind(checkpointer);
    checkpointer.updateRecord = async (...change) => {
      const record = await updateRecord(...change);
      cancelled.resolve();
      return record;
    };
    void runner.cancel("t", "too late");
    await cancelled.promise;
    return put(...args);
  };
  await expect(runner.start("t", { log: "two" }, { supersede: true })).rejects.toMatchObject({ code: "RUN_CANCELLED" });
  expect(await runner.inspect("t")).toMatchObject({ status: "cancelled", values: { log: ["one"] } });
  expect((await runner.start("t", { log: "two" })).values.log).toEqual(["one", "two"]);
});
