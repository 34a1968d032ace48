import { Command } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { RunnableLambda } from "@langchain/core/runnables";
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

describe("withPolicies", () => {
  test("without a rule, and with every rule false or undefined, it runs the node once, as it is", async () => {
    for (const policies of [
      {},
      { retry: false, timeoutMs: false, breaker: false, concurrency: false, rateLimit: false, budget: false },
      { retry: undefined, timeoutMs: undefined, breaker: undefined, concurrency: undefined, budget: undefined },
    ]) {
      const { node, startedAt } = scriptedNode(busy);
      expect(await settled(run(node, policies as Policies))).toEqual({ error: busy });
      expect(startedAt).toEqual([0]);
    }
  });

  test("takes anything with invoke for a node", async () => {
    const runnable = RunnableLambda.from((state: { n: number }) => ({ n: state.n + 1 }));
    expect(await withPolicies(runnable, { retry: true })({ n: 1 }, {})).toEqual({ n: 2 });
  });

  test.each<[object, string]>([
    [{ retry: { attempts: 0 } }, "`retry.attempts` can't be 0"],
    [{ retry: { intervalMs: -1 } }, "`retry.intervalMs` can't be -1"],
    [{ retry: { retryOn: "always" } }, "`retry.retryOn`"],
    [{ retry: 3 }, "`retry` can't be 3"],
    [{ timeoutMs: 0 }, "`timeoutMs` can't be 0"],
    [{ timeoutMs: "5s" }, "`timeoutMs`"],
    [{ timeoutMs: 2 ** 31 }, "`timeoutMs` can't be 2147483648"], // Node's timer would fire at once
    [{ breaker: { failures: 0 } }, "`breaker.failures`"],
    [{ breaker: { openMs: 0 } }, "`breaker.openMs`"],
    [{ concurrency: 0 }, "`concurrency` can't be 0"],
    [{ concurrency: 1.5 }, "`concurrency`"],
    [{ rateLimit: { limit: 0, perMs: 1 } }, "`rateLimit.limit`"],
    [{ rateLimit: { limit: 1 } }, "`rateLimit.perMs`"],
    [{ budget: { tokens: -1 } }, "`budget.tokens`"],
    [{ budget: { cost: 1 } }, "`budget.cost`"],
  ])("refuses %j", (policies, named) => {
    expect(() => withPolicies(() => ({}), policies as Policies)).toThrow(
      expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining(named) }),
    );
  });
});

test("a node that goes on to its end though the run is cancelled keeps its result: its effect has happened", async () => {
  const { node } = scriptedNode(() => new Promise((resolve) => setTimeout(resolve, 40, "refunded")));
  const all = { retry: true, timeoutMs: 50, breaker: true, concurrency: 1, rateLimit: { limit: 1, perMs: 1 } };
  for (const policies of [all, { timeoutMs: 50 }, { breaker: true }, { concurrency: 1 }, { retry: true }]) {
    const controller = new AbortController();
    const result = run(node, policies, { signal: controller.signal });
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(new Error("stop"));

    expect(await settled(result)).toEqual({ value: "refunded" });
  }
});

describe("concurrency", () => {
  function gated() {
    const waiting: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const node = async (id: unknown) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      running -= 1;
      return id;
    };
    return { node, waiting, most: () => most, running: () => running };
  }

  test("runs so many at a time, the others in the order they came", async () => {
    const { node, waiting, most } = gated();
    const limited = withPolicies(node, { concurrency: 2 });
    const results = Promise.all([1, 2, 3, 4, 5].map((id) => limited(id, {})));
    for (let i = 0; i < 5; i += 1) {
      await vi.advanceTimersByTimeAsync(0);
      waiting[i]?.();
    }

    expect(await results).toEqual([1, 2, 3, 4, 5]);
    expect(most()).toBe(2);
  });

  test("cancelling one that waits ends it at once and takes no place", async () => {
    const { node, waiting, running } = gated();
    const limited = withPolicies(node, { concurrency: 1 });
    const controller = new AbortController();
    const first = limited(1, {});
    const second = limited(2, { signal: controller.signal });
    const third = limited(3, {});
    await vi.advanceTimersByTimeAsync(0);

    controller.abort(new Error("stop"));
    await expect(second).rejects.toThrow("stop");
    expect(running()).toBe(1);
    waiting[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    waiting[1]?.();

    expect(await Promise.all([first, third])).toEqual([1, 3]);
    expect(waiting).toHaveLength(2);
  });

  test("a failure gives its place free, and a node that waits to be tried again holds none", async () => {
    const { node, startedAt } = scriptedNode(busy, "second", "first again");
    const limited = withPolicies(node, { concurrency: 1, retry: { intervalMs: 100 } });
    const first = limited({}, {});
    const second = limited({}, {});

    expect(await settled(second)).toEqual({ value: "second" });
    expect(await settled(first)).toEqual({ value: "first again" });
    expect(startedAt).toEqual([0, 0, 100]);
  });

  test("waiting takes none of the node's time", async () => {
    const { node } = scriptedNode(() => new Promise((resolve) => setTimeout(resolve, 40, "done")));
    const limited = withPolicies(node, { concurrency: 1, timeoutMs: 50 });

    expect(await settled(Promise.all([limited({}, {}), limited({}, {}), limited({}, {})]))).toEqual({
      value: ["done", "done", "done"],
    });
  });
});

test("all rules at once, in their order: the node's answer comes through, a Command too", async () => {
  const { node } = scriptedNode(busy, new Command({ goto: "next" }));
  const all = withPolicies(node, {
    retry: true,
    timeoutMs: 1_000,
    breaker: true,
    concurrency: 1,
    rateLimit: { limit: 1, perMs: 10 },
  });
  expect(await settled(all({}, {}))).toEqual({ value: new Command({ goto: "next" }) });
});
