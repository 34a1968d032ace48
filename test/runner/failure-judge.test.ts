/** `step({ onFailure })`: for an engine that makes the attempts at a node itself. */
import { START, StateGraph, interrupt, isGraphInterrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { withPolicies } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import type { FailedTask } from "perdure/runner";
import { beforeEach, describe, expect, it } from "vitest";
import { TextLog } from "../support/text-log.ts";

const threadId = "t";

describe("who decides about failures by onFailure", () => {
  let attempts: number;
  beforeEach(() => {
    attempts = 0;
  });

  function failUntil(succeeds: number) {
    return () => {
      attempts += 1;
      if (attempts < succeeds) throw new RangeError(`attempt ${attempts}`);
      return { log: `attempt ${attempts}` };
    };
  }

  async function started(graph: Parameters<typeof createRunner>[0]) {
    const runner = createRunner(graph, { name: "failing", checkpointer: await openCheckpointer("memory:") });
    const { tasks } = await runner.start(threadId, {}, { drive: false });
    const failures: FailedTask[] = [];
    const step = (verdict: "fail" | "retry") =>
      runner.step(threadId, {
        tasks: tasks.map(({ id }) => id),
        onFailure: (failure) => {
          failures.push(failure);
          return verdict;
        },
      });
    return { runner, step, failures };
  }

  const rules = {
    "LangGraph's retryPolicy": () =>
      new StateGraph(TextLog)
        .addNode("n", failUntil(3), { retryPolicy: { maxAttempts: 5, initialInterval: 20, jitter: false } })
        .addEdge(START, "n"),
    "a retryPolicy that is the default of all nodes": () =>
      new StateGraph(TextLog)
        .addNode("n", failUntil(3))
        .setNodeDefaults({ retryPolicy: { maxAttempts: 5, initialInterval: 20, jitter: false } })
        .addEdge(START, "n"),
    "withPolicies({ retry })": () =>
      new StateGraph(TextLog)
        .addNode("n", withPolicies(failUntil(3), { retry: { attempts: 5, intervalMs: 20, jitter: false } }))
        .addEdge(START, "n"),
  };

  it.each(Object.entries(rules))("is told of %s, which makes no attempt of its own", async (_rule, graph) => {
    const { step, failures } = await started(graph());
    expect(await step("retry")).toMatchObject({ status: "ready", next: ["n"] });
    expect(attempts).toBe(1);
    expect(failures).toMatchObject([{ node: "n", error: { name: "RangeError", message: "attempt 1" } }]);
    expect(failures[0]?.retry?.maxAttempts).toBe(5);
    expect([1, 2, 3].map((attempt) => failures[0]?.retry?.delayMs(attempt))).toEqual([20, 40, 80]);
    await step("retry");
    expect(await step("retry")).toMatchObject({ status: "done", values: { log: ["attempt 3"] } });
  });

  it("has a failure stored when it says so, as if nobody had been asked", async () => {
    const { step, failures } = await started(rules["LangGraph's retryPolicy"]());
    expect(await step("fail")).toMatchObject({ status: "error", error: { node: "n", message: "attempt 1" } });
    expect(failures).toHaveLength(1);
    expect(await step("fail")).toMatchObject({ status: "error", error: { message: "attempt 2" } });
    expect(await step("fail")).toMatchObject({ status: "done" });
  });

  it("is asked about a node without rules too, and told of none", async () => {
    const graph = new StateGraph(TextLog).addNode("n", failUntil(2)).addEdge(START, "n");
    const { step, failures } = await started(graph);
    expect(await step("fail")).toMatchObject({ status: "error" });
    expect(failures[0]).not.toHaveProperty("retry");
  });

  it("is told of no rule for an error that its retryOn does not want", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("n", failUntil(2), { retryPolicy: { retryOn: (error) => error instanceof TypeError } })
      .addEdge(START, "n");
    const { step, failures } = await started(graph);
    await step("fail");
    expect(failures[0]).not.toHaveProperty("retry");
  });

  it.each(["error", "time limit"])("decides when the error handler has its turn, after an %s", async (kind) => {
    const work =
      kind === "error"
        ? failUntil(Infinity)
        : async () => {
            attempts += 1;
            await new Promise(() => {});
            return {};
          };
    const graph = new StateGraph(TextLog)
      .addNode("n", work, {
        errorHandler: () => ({ log: "handled" }),
        retryPolicy: { maxAttempts: 3 },
        ...(kind === "error" ? {} : { timeout: 20 }),
      })
      .addEdge(START, "n");
    const { step } = await started(graph);
    expect(await step("retry")).toMatchObject({ status: "ready", next: ["n"], values: { log: [] } });
    expect(await step("retry")).toMatchObject({ status: "ready" });
    expect(await step("fail")).toMatchObject({ status: "done", values: { log: ["handled"] } });
    expect(attempts).toBe(3);
  });

  it("has a node that took too long tried again, or stored as failed", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("n", () => new Promise<object>(() => {}), { timeout: 20, retryPolicy: {} })
      .addEdge(START, "n");
    const { step, failures } = await started(graph);
    expect(await step("retry")).toMatchObject({ status: "ready", next: ["n"] });
    expect(await step("fail")).toMatchObject({ status: "error", error: { name: "NodeTimeoutError" } });
    expect(failures).toMatchObject([{ error: { name: "NodeTimeoutError" }, retry: { maxAttempts: 3 } }, {}]);
  });

  it("is not asked about an interrupt", async () => {
    let seen: unknown;
    const graph = new StateGraph(TextLog)
      .addNode(
        "n",
        withPolicies(
          () => {
            try {
              return { log: interrupt("?") as string };
            } catch (error) {
              seen = error;
              throw error;
            }
          },
          { retry: true },
        ),
      )
      .addEdge(START, "n");
    const { step, failures } = await started(graph);
    expect(await step("retry")).toMatchObject({ status: "interrupted" });
    expect(isGraphInterrupt(seen)).toBe(true);
    expect(failures).toEqual([]);
  });

  it("keeps what siblings of the failed task did", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("n", failUntil(2), { retryPolicy: {} })
      .addNode("sibling", () => ({ log: "sibling" }))
      .addEdge(START, "n")
      .addEdge(START, "sibling");
    const { step } = await started(graph);
    expect(await step("retry")).toMatchObject({ status: "ready", next: ["n"], values: { log: ["sibling"] } });
    expect(await step("retry")).toMatchObject({ status: "done", values: { log: ["attempt 2", "sibling"] } });
  });
});
