/** I1: whoever did not hear of a turn's result calls `start` again, and it is the same turn. */
import { START, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** Two nodes in a row, with a note of each run; the first time, the second one waits until its signal aborts. */
function hangsOnce() {
  const begun = Promise.withResolvers<void>();
  const runs: string[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("one", () => {
      runs.push("one");
      return { log: "one" };
    })
    .addNode("two", async (_state, { signal }: LangGraphRunnableConfig) => {
      runs.push("two");
      if (runs.length === 2) {
        begun.resolve();
        await new Promise((_resolve, reject) => {
          signal!.addEventListener("abort", () => reject(signal!.reason as Error), { once: true });
        });
      }
      return { log: "two" };
    })
    .addEdge(START, "one")
    .addEdge("one", "two");
  return { graph, runs, begun: begun.promise };
}

const echo = new StateGraph(TextLog)
  .addNode("echo", ({ log }) => ({ log: `heard ${log.at(-1)}` }))
  .addEdge(START, "echo");

const askOnce = new StateGraph(TextLog)
  .addNode("ask", () => ({ log: `told ${String(interrupt("sure?"))}` }))
  .addEdge(START, "ask");

describeOnEachCheckpointer("start with the runId of the last turn", (store) => {
  const runnerOf = async (graph: typeof echo, another = false) =>
    createRunner(graph, {
      name: "run-id",
      checkpointer: (another ? await store.openAgain() : undefined) ?? store.checkpointer,
    });

  test("returns a done thread as it stands: the input is in it once", async () => {
    const runner = await runnerOf(echo);
    const thread = store.newThread();
    const done = await runner.start(thread, { log: "a" }, { runId: "message 1" });
    expect(done).toMatchObject({ status: "done", values: { log: ["a", "heard a"] } });
    const other = await runnerOf(echo, true);
    expect(await other.start(thread, { log: "a" }, { runId: "message 1" })).toEqual(done);
    expect((await store.checkpointer.readRecord(thread))?.run?.id).toBe("message 1");
  });

  test("goes on where the first call was cut off, and runs nothing again that was finished", async () => {
    const { graph, runs, begun } = hangsOnce();
    const runner = createRunner(graph, { name: "run-id", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const caller = new AbortController();
    const cutOff = runner.start(thread, { log: "in" }, { runId: "message 1", signal: caller.signal });
    await begun;
    caller.abort(new Error("cut off"));
    await expect(cutOff).rejects.toThrow("cut off");

    const other = createRunner(graph, {
      name: "run-id",
      checkpointer: (await store.openAgain()) ?? store.checkpointer,
    });
    const done = await other.start(thread, { log: "in" }, { runId: "message 1" });
    expect(done).toMatchObject({ status: "done", values: { log: ["in", "one", "two"] } });
    expect(runs).toEqual(["one", "two", "two"]);
  });

  test("returns a thread that waits as it stands, also with supersede: its question stays open", async () => {
    const runner = await runnerOf(askOnce as never);
    const thread = store.newThread();
    const asked = await runner.start(thread, {}, { runId: "message 1", supersede: true });
    expect(asked.interrupts).toMatchObject([{ value: "sure?" }]);
    expect(await runner.start(thread, {}, { runId: "message 1", supersede: true })).toEqual(asked);
    expect(await runner.resume(thread, { [asked.interrupts[0]!.id]: "yes" })).toMatchObject({ status: "done" });
    expect((await store.checkpointer.readRecord(thread))?.superseded).toEqual([]);
  });

  test("called five times at once by two runners it is one turn", async () => {
    const runners = [await runnerOf(echo), await runnerOf(echo, true)];
    const thread = store.newThread();
    const states = await Promise.all(
      Array.from({ length: 5 }, (_, index) =>
        runners[index % 2]!.start(thread, { log: "a" }, { runId: "message 1", whenBusy: "enqueue" }),
      ),
    );
    for (const { status, values } of states) {
      expect({ status, log: values.log }).toEqual({ status: "done", log: ["a", "heard a"] });
    }
  });
});

describe("start with a runId", () => {
  test("of the last turn runs a task again that failed", async () => {
    let broken = true;
    const graph = new StateGraph(TextLog)
      .addNode("work", () => {
        if (broken) throw new Error("no network");
        return { log: "worked" };
      })
      .addEdge(START, "work");
    const { runner } = await memoryRunner(graph);
    expect((await runner.start("t", { log: "in" }, { runId: "1" })).status).toBe("error");
    broken = false;
    const done = await runner.start("t", { log: "in" }, { runId: "1" });
    expect(done).toMatchObject({ status: "done", values: { log: ["in", "worked"] } });
  });

  test("of the last turn leaves a cancelled thread cancelled", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.start("t", {}, { runId: "1" });
    const cancelled = await runner.cancel("t", "enough");
    expect(await runner.start("t", {}, { runId: "1" })).toEqual(cancelled);
  });

  test("of the last turn is THREAD_BUSY while that is driven", async () => {
    const { graph, begun } = hangsOnce();
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {}, { runId: "1" });
    await begun;
    await expect(runner.start("t", {}, { runId: "1" })).rejects.toMatchObject({ code: "THREAD_BUSY" });
    await runner.cancel("t", "over");
    await started;
  });

  test("of the last turn counts on to its limit", async () => {
    const loop = new StateGraph(TextLog)
      .addNode("a", () => ({ log: "a" }))
      .addEdge(START, "a")
      .addEdge("a", "a");
    const { runner } = await memoryRunner(loop);
    const options = { runId: "1", maxSteps: 2 };
    expect((await runner.start("t", {}, options)).values.log).toHaveLength(2);
    await expect(runner.start("t", {}, options)).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
    expect((await runner.start("t", {}, { ...options, maxSteps: 3 })).values.log).toHaveLength(3);
  });

  test("of another turn begins a new one, and of an earlier one too: only the last is known", async () => {
    const { runner } = await memoryRunner(echo);
    for (const [runId, log] of [
      ["1", "a"],
      ["2", "b"],
      ["1", "c"],
    ] as const) {
      await runner.start("t", { log }, { runId });
    }
    await runner.start("t", { log: "d" });
    expect((await runner.inspect("t")).values.log).toEqual(
      ["a", "b", "c", "d"].flatMap((log) => [log, `heard ${log}`]),
    );
  });

  test("of another turn is refused on an unfinished thread, as without one", async () => {
    const { runner } = await memoryRunner(askOnce);
    const asked = await runner.start("t", {}, { runId: "1" });
    await expect(runner.start("t", {}, { runId: "2" })).rejects.toMatchObject({ code: "THREAD_INTERRUPTED" });
    expect(await runner.inspect("t")).toEqual(asked);
  });

  test("streams what is left of the turn, or only the state", async () => {
    const { runner } = await memoryRunner(echo);
    const stream = () => collect(runner.stream("t", { start: { log: "a" } }, { runId: "1" }));
    expect((await stream()).map(({ type }) => type)).toEqual(["task_start", "task_end", "update", "state"]);
    expect(await stream()).toMatchObject([{ type: "state", state: { values: { log: ["a", "heard a"] } } }]);
  });

  test.each([[""], [7], [null]])("%j is OPTIONS_INVALID, and no call but start takes one", async (runId) => {
    const { runner } = await memoryRunner(echo);
    const invalid = { code: "OPTIONS_INVALID", message: expect.stringContaining("runId") as string };
    await expect(runner.start("t", {}, { runId } as never)).rejects.toMatchObject(invalid);
    await expect(runner.inspect("t")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    await runner.start("t", {});
    await expect(runner.continue("t", { runId: "1" } as never)).rejects.toMatchObject(invalid);
    await expect(runner.resume("t", { answer: 1 }, { runId: "1" } as never)).rejects.toMatchObject(invalid);
  });
});
