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

describe("rateLimit", () => {
  test("starts no more than its limit within any window of its length, in the order they came", async () => {
    const { node, startedAt } = scriptedNode("done");
    const limited = withPolicies(node, { rateLimit: { limit: 2, perMs: 1_000 } });

    await settled(Promise.all([1, 2, 3, 4, 5].map(() => limited({}, {}))));

    expect(startedAt).toEqual([0, 0, 1_000, 1_000, 2_000]);
  });

  test("time that passed unused is not saved up", async () => {
    const { node, startedAt } = scriptedNode("done");
    const limited = withPolicies(node, { rateLimit: { limit: 1, perMs: 100 } });
    await limited({}, {});
    vi.setSystemTime(1_000);

    await settled(Promise.all([limited({}, {}), limited({}, {})]));

    expect(startedAt).toEqual([0, 1_000, 1_100]);
  });

  test("counts attempts, not runs", async () => {
    const { node, startedAt } = scriptedNode(busy);
    await settled(run(node, { rateLimit: { limit: 1, perMs: 500 }, retry: { intervalMs: 10 } }));
    expect(startedAt).toEqual([0, 500, 1_000]);
  });

  test("cancelling one that waits ends it at once and gives its start to the next", async () => {
    const { node, startedAt } = scriptedNode("done");
    const limited = withPolicies(node, { rateLimit: { limit: 1, perMs: 1_000 } });
    const controller = new AbortController();
    await limited({}, {});
    const second = limited({}, { signal: controller.signal });
    controller.abort(new Error("stop"));
    await expect(second).rejects.toThrow("stop");

    await settled(limited({}, {}));

    expect(startedAt).toEqual([0, 1_000]);
  });
});
