import { Command } from "@langchain/langgraph";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod/v3";
import { answerProblem, interruptKind, waitForSignal } from "perdure/nodes";
import { oneNodeGraph } from "../support/one-node-graph.ts";

const shipped = z.object({ tracking: z.string(), at: z.coerce.number().default(0) });
const due = { perdure: "due", at: "2026-01-01T00:01:00.000Z" };
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-01-01T00:00:00.000Z") });
});
afterEach(() => {
  vi.useRealTimers();
});

function waiting(wait: () => Promise<unknown>) {
  const { graph, run } = oneNodeGraph(wait);
  return {
    start: () => run({}),
    send: async (payload: unknown) => (await run(new Command({ resume: payload }))).log,
    open: async () => {
      const { tasks } = await graph.getState({ configurable: { thread_id: "thread-1" } });
      return tasks[0]?.interrupts[0] as unknown as { value: object; response_schema: Record<string, unknown> };
    },
  };
}

describe("waitForSignal", () => {
  test("asks for a signal by its name, with the schema of its payload", async () => {
    const { start, open } = waiting(() => waitForSignal("shipped", shipped));
    await start();
    const { value, response_schema } = await open();

    expect(value).toEqual({ kind: "signal", name: "shipped" });
    expect(interruptKind(value)).toBe("signal");
    expect(answerProblem(response_schema, { tracking: "T1" })).toBeUndefined();
    expect(answerProblem(response_schema, { tracking: 7 })).toContain("tracking");
  });

  test("gives the payload as the schema parses it", async () => {
    const { start, send } = waiting(() => waitForSignal("shipped", shipped));
    await start();

    expect(await send({ tracking: "T1", at: "5", other: true })).toEqual([{ tracking: "T1", at: 5 }]);
  });

  test("the schema it asks with is of what is sent: defaults may be left out, other fields come along, dates are text", async () => {
    const schema = z.object({ at: z.coerce.date(), count: z.number().default(1), note: z.string().transform(Number) });
    const { start, send, open } = waiting(() => waitForSignal("shipped", schema));
    await start();
    const payload = { at: "2026-01-01T00:00:00.000Z", note: "7", from: "dhl" };

    expect(answerProblem((await open()).response_schema, payload)).toBeUndefined();
    expect(await send(payload)).toEqual([{ at: new Date(payload.at), count: 1, note: 7 }]);
  });

  test("takes zod 3 schemas too", async () => {
    const { start, send, open } = waiting(() =>
      waitForSignal("shipped", z3.object({ tracking: z3.string() }) as unknown as z.ZodType),
    );
    await start();

    expect(answerProblem((await open()).response_schema, {})).toContain("tracking");
    expect(await send({ tracking: "T1" })).toEqual([{ tracking: "T1" }]);
  });

  test("a payload that does not fit is not taken: it goes on waiting, and says why", async () => {
    const { start, send, open } = waiting(() => waitForSignal("shipped", shipped, { expiresInMs: 60_000 }));
    await start();

    expect(await send({ tracking: 7 })).toEqual([]);
    expect((await open()).value).toEqual({
      kind: "signal",
      name: "shipped",
      dueAt: "2026-01-01T00:01:00.000Z",
      problem: "tracking: Invalid input: expected string, received number",
    });
    expect(await send({ tracking: "T1" })).toEqual([{ tracking: "T1", at: 0 }]);
  });

  test("fails with SIGNAL_EXPIRED when none comes in time", async () => {
    const { start, send, open } = waiting(() => waitForSignal("shipped", shipped, { expiresInMs: 60_000 }));
    await start();

    expect((await open()).value).toMatchObject({ dueAt: "2026-01-01T00:01:00.000Z" });
    await expect(send(due)).rejects.toMatchObject({
      code: "SIGNAL_EXPIRED",
      message: expect.stringContaining('"shipped" came until 2026-01-01T00:01:00.000Z'),
    });
  });

  test('gives undefined instead with onExpiry: "undefined"', async () => {
    const options = { expiresInMs: 60_000, onExpiry: "undefined" } as const;
    const { start, send } = waiting(async () => ({ got: await waitForSignal("shipped", shipped, options) }));
    await start();

    expect(await send(due)).toEqual([{ got: undefined }]);
  });

  test("without expiresInMs it waits for ever: a due answer is a payload that does not fit", async () => {
    const { start, send, open } = waiting(() => waitForSignal("shipped", shipped));
    await start();

    expect(await send(due)).toEqual([]);
    expect((await open()).value).toHaveProperty("problem");
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ["no schema", () => waitForSignal("a", undefined as never), "`schema`"],
    ["an empty name", () => waitForSignal("", shipped), "`name`"],
    ["a negative time", () => waitForSignal("a", shipped, { expiresInMs: -1 }), "`expiresInMs`"],
    ["an unknown expiry", () => waitForSignal("a", shipped, { onExpiry: "null" as never }), "`onExpiry`"],
  ])("refuses %s", async (_title, wait, named) => {
    await expect(waiting(wait).start()).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
      message: expect.stringContaining(named),
    });
  });

  test("outside of a graph it says so", async () => {
    await expect(waitForSignal("a", shipped)).rejects.toMatchObject({ code: "OUTSIDE_GRAPH" });
  });
});
