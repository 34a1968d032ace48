/** `start` as an engine calls it that makes the attempts itself, and runs so much at a time. */
import { START, StateGraph } from "@langchain/langgraph";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import type { FailedTask } from "perdure/runner";
import { expect, test } from "vitest";
import { z } from "zod";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";
import { unreliableCheckpointer } from "../support/unreliable-checkpointer.ts";

describeOnEachCheckpointer("start with bounds of its own", (store) => {
  function threeNodesRunner() {
    const { graph, runs } = threeNodes();
    return { runner: createRunner(graph, { name: "three", checkpointer: store.checkpointer }), runs };
  }

  test("runs so many supersteps, and leaves the others to whoever goes on", async () => {
    const { runner, runs } = threeNodesRunner();
    const thread = store.newThread();
    const first = await runner.start(thread, {}, { runId: "1", maxStepsOfCall: 2 });
    expect(first).toMatchObject({ status: "ready", next: ["c"], values: { log: ["a", "b"] } });
    expect(runs).toEqual(["a", "b"]);
    expect(await runner.continue(thread)).toMatchObject({ status: "done", values: { log: ["a", "b", "c"] } });
  });

  test("counts them from where the thread stands when the same turn is started again", async () => {
    const { runner, runs } = threeNodesRunner();
    const thread = store.newThread();
    const options = { runId: "1", maxStepsOfCall: 1 };
    for (const next of [["b"], ["c"], []]) expect((await runner.start(thread, {}, options)).next).toEqual(next);
    expect((await runner.start(thread, {}, options)).status).toBe("done");
    expect(runs).toEqual(["a", "b", "c"]);
  });

  test("goes no further than the limit of the whole run, which stays an error to go beyond", async () => {
    const { runner, runs } = threeNodesRunner();
    const thread = store.newThread();
    const options = { runId: "1", maxSteps: 1, maxStepsOfCall: 3 };
    expect((await runner.start(thread, {}, options)).next).toEqual(["b"]);
    await expect(runner.start(thread, {}, options)).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
    expect(runs).toEqual(["a"]);
  });

  test("takes the input in where its time is over, and begins nothing", async () => {
    const { runner, runs } = threeNodesRunner();
    const thread = store.newThread();
    const state = await runner.start(thread, { log: "in" }, { deadline: 0 });
    expect(state).toMatchObject({ status: "ready", next: ["a"], values: { log: ["in"] } });
    expect(runs).toEqual([]);
  });

  test("asks onFailure about what fails: of one turn, only what is to be retried runs again", async () => {
    let runs: string[] = [];
    const failing = (node: string) => () => {
      runs.push(node);
      throw new RangeError(node);
    };
    const graph = new StateGraph(TextLog)
      .addNode("early", failing("early"), { retryPolicy: { maxAttempts: 5 } })
      .addNode("late", failing("late"))
      .addNode("fine", () => ({ log: "fine" }))
      .addEdge(START, "early")
      .addEdge(START, "late")
      .addEdge(START, "fine");
    const runner = createRunner(graph, { name: "failing", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked: FailedTask[] = [];
    const onFailure = (failed: FailedTask) => {
      asked.push(failed);
      return failed.retry === undefined ? "fail" : "retry";
    };
    const first = await runner.start(thread, {}, { runId: "1", onFailure });
    expect(runs.toSorted()).toEqual(["early", "late"]);
    expect(asked.map(({ node }) => node).toSorted()).toEqual(["early", "late"]);
    expect(first.tasks.map(({ node }) => node)).toEqual(["early"]);
    runs = [];
    await runner.start(thread, {}, { runId: "1", onFailure });
    expect(runs).toEqual(["early"]);
    await runner.start(thread, {}, { runId: "1", onFailure: () => "fail" });
    expect(await runner.inspect(thread)).toMatchObject({ status: "error" });
  });

  test("runs what is to be retried once, also where a waiting signal lets its sibling go on", async () => {
    const runs: string[] = [];
    const graph = new StateGraph(TextLog)
      .addNode("flaky", () => {
        runs.push("flaky");
        throw new RangeError("flaky");
      })
      .addNode("waits", async () => ({ log: await waitForSignal("go", z.string()) }))
      .addEdge(START, "flaky")
      .addEdge(START, "waits");
    const runner = createRunner(graph, { name: "failing", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.signal(thread, { name: "go", payload: "now" });
    const asked: FailedTask[] = [];
    const onFailure = (failed: FailedTask) => {
      asked.push(failed);
      return "retry" as const;
    };
    const first = await runner.start(thread, {}, { runId: "1", onFailure });
    expect(first).toMatchObject({ status: "ready", interrupts: [] });
    expect(first.tasks.map(({ node }) => node).toSorted()).toEqual(["flaky", "waits"]);
    await runner.start(thread, {}, { runId: "1", onFailure });
    expect(runs).toEqual(["flaky", "flaky"]);
    expect(asked).toHaveLength(2);
    expect((await runner.inspect(thread)).tasks.map(({ node }) => node)).toEqual(["flaky"]);
  });

  test("leaves it to whoever makes the attempts when the connection is lost", async () => {
    const { graph, runs } = threeNodes();
    const unreliable = unreliableCheckpointer(store.checkpointer);
    const runner = createRunner(graph, { name: "three", checkpointer: unreliable.checkpointer });
    const thread = store.newThread();
    unreliable.lose(1);
    const attempt = () => runner.start(thread, {}, { runId: "1", onFailure: () => "fail" });
    await expect(attempt()).rejects.toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
    expect(runs).toEqual([]);
    expect(await attempt()).toMatchObject({ status: "done", values: { log: ["a", "b", "c"] } });
  });
});
