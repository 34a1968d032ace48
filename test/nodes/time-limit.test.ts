import { GraphInterrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { withPolicies } from "perdure/nodes";
import type { Policies } from "perdure/nodes";
import { hangs, scriptedNode, settled, untilAborted } from "../support/scripted-node.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ["setTimeout", "clearTimeout", "Date"] });
  vi.spyOn(Math, "random").mockReturnValue(1);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const run = (node: Parameters<typeof withPolicies>[0], policies: Policies, config: LangGraphRunnableConfig = {}) =>
  withPolicies(node, policies)({}, config);

describe("timeout", () => {
  test("aborts the node's signal and fails with NODE_TIMEOUT, naming the node", async () => {
    const { node, signals } = scriptedNode(hangs);
    const result = run(node, { timeoutMs: 50 }, { metadata: { langgraph_node: "slow" } });

    expect(await settled(result)).toMatchObject({
      error: { code: "NODE_TIMEOUT", message: expect.stringContaining('"slow" took longer than 50 ms') },
    });
    expect(signals[0]?.aborted).toBe(true);
    expect(Date.now()).toBe(50);
  });

  test("is NODE_TIMEOUT also for a node that obeys its signal with an error of its own", async () => {
    const { node } = scriptedNode(untilAborted);
    expect(await settled(run(node, { timeoutMs: 50 }))).toMatchObject({ error: { code: "NODE_TIMEOUT" } });
  });

  test("leaves no timer behind, and a node in time its signal alone", async () => {
    const { node, signals } = scriptedNode("done");
    expect(await run(node, { timeoutMs: 50 })).toBe("done");
    expect(vi.getTimerCount()).toBe(0);
    expect(signals[0]?.aborted).toBe(false);
  });

  test("each attempt has its own time, and a timeout is tried again", async () => {
    const { node, startedAt, signals } = scriptedNode(hangs, "done");
    expect(await settled(run(node, { timeoutMs: 50, retry: { intervalMs: 10 } }))).toEqual({ value: "done" });
    expect(startedAt).toEqual([0, 60]);
    expect(signals[1]?.aborted).toBe(false);
  });

  test("H11: an interrupt is not timed out", async () => {
    const interrupt = new GraphInterrupt([]);
    const { error } = (await settled(run(scriptedNode(interrupt).node, { timeoutMs: 50 }))) as { error: unknown };
    expect(error).toBe(interrupt);
  });

  test("cancelling reaches the node, is no timeout and is not tried again", async () => {
    const { node, startedAt } = scriptedNode(untilAborted);
    const controller = new AbortController();
    const result = run(node, { timeoutMs: 50, retry: true }, { signal: controller.signal });
    await vi.advanceTimersByTimeAsync(10);

    controller.abort(new Error("stop"));

    await expect(result).rejects.toThrow("stopped");
    expect(startedAt).toEqual([0]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
