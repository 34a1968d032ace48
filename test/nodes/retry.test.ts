import { GraphInterrupt, isGraphInterrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { withPolicies } from "perdure/nodes";
import type { Policies } from "perdure/nodes";
import { scriptedNode, settled } from "../support/scripted-node.ts";

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
const busy = new Error("busy");

describe("retry", () => {
  test("tries 3 times by default, after 100 and 200 ms, and ends with the last error as it was thrown", async () => {
    const last = new Error("still busy");
    const { node, startedAt } = scriptedNode(busy, busy, last);

    expect(await settled(run(node, { retry: true }))).toEqual({ error: last });
    expect(startedAt).toEqual([0, 100, 300]);
  });

  test("stops at the first success", async () => {
    const { node, startedAt } = scriptedNode(busy, "done");
    expect(await settled(run(node, { retry: {} }))).toEqual({ value: "done" });
    expect(startedAt).toHaveLength(2);
  });

  test("waits twice as long each time, up to maxIntervalMs", async () => {
    const { node, startedAt } = scriptedNode(busy);
    await settled(run(node, { retry: { attempts: 6, intervalMs: 10, maxIntervalMs: 50 } }));
    expect(startedAt).toEqual([0, 10, 30, 70, 120, 170]);
  });

  test("jitter takes away up to half of a wait; without it waits are exact", async () => {
    vi.mocked(Math.random).mockReturnValue(0);
    const jittered = scriptedNode(busy);
    await settled(run(jittered.node, { retry: { attempts: 2, intervalMs: 100 } }));
    const exact = scriptedNode(busy);
    const from = Date.now();
    await settled(run(exact.node, { retry: { attempts: 2, intervalMs: 100, jitter: false } }));

    expect(jittered.startedAt).toEqual([0, 50]);
    expect(exact.startedAt).toEqual([from, from + 100]);
  });

  test("attempts: 1 is no retry, intervalMs: 0 no wait", async () => {
    const once = scriptedNode(busy);
    await settled(run(once.node, { retry: { attempts: 1 } }));
    const atOnce = scriptedNode(busy);
    await settled(run(atOnce.node, { retry: { intervalMs: 0 } }));

    expect(once.startedAt).toEqual([0]);
    expect(atOnce.startedAt).toEqual([0, 0, 0]);
  });

  test("retryOn decides which errors are tried again", async () => {
    const { node, startedAt } = scriptedNode(busy, new Error("gone"));
    const { error } = (await settled(run(node, { retry: { attempts: 9, retryOn: (e) => e === busy } }))) as {
      error: Error;
    };

    expect(error.message).toBe("gone");
    expect(startedAt).toHaveLength(2);
  });

  test.each<[string, unknown, number]>([
    ["a refused request", Object.assign(new Error("bad"), { status: 400 }), 1],
    ["a refused request in its response", Object.assign(new Error("bad"), { response: { status: 404 } }), 1],
    ["too many requests", Object.assign(new Error("slow down"), { status: 429 }), 3],
    ["a server's failure", Object.assign(new Error("down"), { status: 503 }), 3],
    ["what was cancelled", new DOMException("stopped", "AbortError"), 1],
    ["a rejection with no error in it", "just text", 3],
  ])("by default: %s is tried so often", async (_title, error, attempts) => {
    const { node, startedAt } = scriptedNode(() => Promise.reject(error as Error));
    expect(await settled(run(node, { retry: true }))).toEqual({ error });
    expect(startedAt).toHaveLength(attempts);
  });

  test("cancelling ends the wait at once, leaves no timer, and the node is not tried again", async () => {
    const { node, startedAt } = scriptedNode(busy);
    const controller = new AbortController();
    const result = run(node, { retry: { intervalMs: 60_000 } }, { signal: controller.signal });
    await vi.advanceTimersByTimeAsync(10);

    controller.abort(new Error("stop"));

    await expect(result).rejects.toThrow("stop");
    expect(vi.getTimerCount()).toBe(0);
    expect(startedAt).toEqual([0]);
  });

  test("H11: an interrupt goes through untouched and is not tried again", async () => {
    const interrupt = new GraphInterrupt([{ value: "sure?" }]);
    const { node, startedAt } = scriptedNode(interrupt);

    const { error } = (await settled(run(node, { retry: { retryOn: () => true } }))) as { error: unknown };

    expect(error).toBe(interrupt);
    expect(isGraphInterrupt(error)).toBe(true);
    expect(startedAt).toHaveLength(1);
  });
});
