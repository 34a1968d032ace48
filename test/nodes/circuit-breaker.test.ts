import { Command, GraphInterrupt, ParentCommand } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { withPolicies } from "perdure/nodes";
import { scriptedNode, settled, untilAborted } from "../support/scripted-node.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ["setTimeout", "clearTimeout", "Date"] });
  vi.spyOn(Math, "random").mockReturnValue(1);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const busy = new Error("busy");

describe("breaker", () => {
  const fail = (node: (state: unknown, config: LangGraphRunnableConfig) => Promise<unknown>) =>
    settled(node({}, { metadata: { langgraph_node: "pay" } }));

  test("opens after 5 failures in a row, for 60 s: the node is not tried, and CIRCUIT_OPEN says which and why", async () => {
    const { node, startedAt } = scriptedNode(busy);
    const guarded = withPolicies(node, { breaker: true });
    for (let i = 0; i < 5; i += 1) expect(await fail(guarded)).toEqual({ error: busy });

    expect(await fail(guarded)).toMatchObject({
      error: {
        code: "CIRCUIT_OPEN",
        message: expect.stringContaining(
          '"pay" failed 5 times in a row and is not tried until 1970-01-01T00:01:00.000Z',
        ),
        cause: busy,
      },
    });
    vi.setSystemTime(59_999);
    expect(await fail(guarded)).toMatchObject({ error: { code: "CIRCUIT_OPEN" } });
    expect(startedAt).toHaveLength(5);
  });

  test("lets one run through after its time: its success closes the circuit, its failure opens it again", async () => {
    const { node, startedAt } = scriptedNode(busy, busy, busy, "done", busy, "done");
    const guarded = withPolicies(node, { breaker: { failures: 2, openMs: 1_000 } });
    await fail(guarded);
    await fail(guarded);
    vi.setSystemTime(1_000);
    expect(await fail(guarded)).toEqual({ error: busy });
    expect(await fail(guarded)).toMatchObject({ error: { code: "CIRCUIT_OPEN" } });
    vi.setSystemTime(2_000);

    expect(await fail(guarded)).toEqual({ value: "done" });
    expect(await fail(guarded)).toEqual({ error: busy });
    expect(await fail(guarded)).toEqual({ value: "done" });
    expect(startedAt).toHaveLength(6);
  });

  test("a success in between starts the count anew", async () => {
    const { node, startedAt } = scriptedNode(busy, "done", busy, "done", busy);
    const guarded = withPolicies(node, { breaker: { failures: 2 } });
    for (let i = 0; i < 5; i += 1) await fail(guarded);
    expect(startedAt).toHaveLength(5);
  });

  test("counts every attempt of a retry, and an open circuit is not tried again", async () => {
    const { node, startedAt } = scriptedNode(busy);
    const guarded = withPolicies(node, { breaker: { failures: 2 }, retry: { attempts: 5, intervalMs: 1 } });

    expect(await fail(guarded)).toMatchObject({ error: { code: "CIRCUIT_OPEN" } });
    expect(startedAt).toHaveLength(2);
  });

  test("H11: interrupts, a Command to the parent and cancelling are no failures", async () => {
    for (const leaving of [new GraphInterrupt([]), new ParentCommand(new Command({ graph: Command.PARENT }))]) {
      const { node, startedAt } = scriptedNode(leaving);
      const guarded = withPolicies(node, { breaker: { failures: 1 } });
      for (let i = 0; i < 3; i += 1) expect(await fail(guarded)).toEqual({ error: leaving });
      expect(startedAt).toHaveLength(3);
    }

    const cancelled = scriptedNode(({ signal }: LangGraphRunnableConfig) => signal?.reason as Error);
    const other = withPolicies(cancelled.node, { breaker: { failures: 1 } });
    for (let i = 0; i < 3; i += 1) {
      const controller = new AbortController();
      const result = other({}, { signal: controller.signal });
      controller.abort(new Error("stop"));
      await expect(result).rejects.toThrow("stop");
    }
    expect((await settled(other({}, {}))) as object).not.toMatchObject({ error: { code: "CIRCUIT_OPEN" } });
  });

  test("a probe that is cancelled leaves the circuit open", async () => {
    const { node } = scriptedNode(busy, untilAborted, "done");
    const guarded = withPolicies(node, { breaker: { failures: 1, openMs: 1_000 } });
    await fail(guarded);
    vi.setSystemTime(1_000);
    const controller = new AbortController();
    const probe = guarded({}, { signal: controller.signal });
    await vi.advanceTimersByTimeAsync(0);
    controller.abort(new Error("stop"));
    await expect(probe).rejects.toThrow("stopped");

    expect(await fail(guarded)).toMatchObject({ error: { code: "CIRCUIT_OPEN" } });
    vi.setSystemTime(2_000);
    expect(await fail(guarded)).toEqual({ value: "done" });
  });

  test("belongs to the function: another one around the same node has its own", async () => {
    const { node } = scriptedNode(busy);
    const one = withPolicies(node, { breaker: { failures: 1 } });
    const other = withPolicies(node, { breaker: { failures: 1 } });
    await fail(one);

    expect(await fail(one)).toMatchObject({ error: { code: "CIRCUIT_OPEN" } });
    expect(await fail(other)).toEqual({ error: busy });
  });
});
