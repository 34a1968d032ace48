import { Command, MemorySaver } from "@langchain/langgraph";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { interruptKind, questionDueAt, sleep, sleepUntil } from "perdure/nodes";
import { oneNodeGraph } from "../support/one-node-graph.ts";

const NOW = "2026-01-01T00:00:00.000Z";
const due = { perdure: "due", at: NOW };
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date(NOW) });
});
afterEach(() => {
  vi.useRealTimers();
});

async function openInterrupt(graph: ReturnType<typeof oneNodeGraph>["graph"]) {
  const { tasks } = await graph.getState({ configurable: { thread_id: "thread-1" } });
  return tasks[0]?.interrupts[0];
}

async function openQuestion(graph: ReturnType<typeof oneNodeGraph>["graph"]): Promise<unknown> {
  return (await openInterrupt(graph))?.value;
}

describe("sleep", () => {
  test("asks to be woken after its time, and goes on when it is", async () => {
    const { graph, run } = oneNodeGraph(async () => {
      await sleep(90_000);
      return "awake";
    });

    await run({});
    const question = await openQuestion(graph);

    expect(question).toEqual({ kind: "timer", dueAt: "2026-01-01T00:01:30.000Z" });
    expect(interruptKind(question)).toBe("timer");
    expect(questionDueAt(question)).toBe(Date.parse("2026-01-01T00:01:30.000Z"));
    expect((await run(new Command({ resume: due }))).log).toEqual(["awake"]);
  });

  test("H5: its time runs from the first call, though the node runs again in another process", async () => {
    const checkpointer = new MemorySaver();
    const graph = () =>
      oneNodeGraph(
        async () => {
          await sleep(1_000);
          await sleep(60_000);
        },
        { checkpointer },
      );
    const first = graph();
    await first.run({});
    const id = (await openInterrupt(first.graph))?.id as string;
    await first.run(new Command({ resume: { [id]: due } }));
    vi.setSystemTime("2026-01-01T00:00:30.000Z");

    const second = graph();
    await second.run(null);

    expect(await openQuestion(second.graph)).toEqual({ kind: "timer", dueAt: "2026-01-01T00:01:00.000Z" });
  });

  test("0 ms is due at once, and asked all the same", async () => {
    const { graph, run } = oneNodeGraph(() => sleep(0));
    await run({});
    expect(await openQuestion(graph)).toEqual({ kind: "timer", dueAt: NOW });
  });

  test.each([[-1], [Number.NaN], [Infinity], ["5"], [undefined]])("refuses %s", async (ms) => {
    const { run } = oneNodeGraph(() => sleep(ms as number));
    await expect(run({})).rejects.toMatchObject({ code: "OPTIONS_INVALID", message: expect.stringContaining("`ms`") });
  });

  test("outside of a graph it says so", async () => {
    await expect(sleep(1)).rejects.toMatchObject({ code: "OUTSIDE_GRAPH" });
    await expect(sleepUntil(new Date())).rejects.toMatchObject({ code: "OUTSIDE_GRAPH" });
  });
});

describe("sleepUntil", () => {
  test("asks to be woken at its date", async () => {
    const { graph, run } = oneNodeGraph(() => sleepUntil(new Date("2027-03-04T05:06:07.000Z")));
    await run({});
    expect(await openQuestion(graph)).toEqual({ kind: "timer", dueAt: "2027-03-04T05:06:07.000Z" });
  });

  test("a date that is past by the time the node runs again still takes its own answer, not the next one's", async () => {
    const { graph, run } = oneNodeGraph(async () => {
      await sleepUntil(new Date("2026-01-01T00:00:10.000Z"));
      await sleepUntil(new Date("2026-01-01T00:00:20.000Z"));
      return "awake";
    });
    await run({});
    vi.setSystemTime("2026-01-01T00:01:00.000Z");

    await run(new Command({ resume: due }));

    expect(await openQuestion(graph)).toEqual({ kind: "timer", dueAt: "2026-01-01T00:00:20.000Z" });
    expect((await run(new Command({ resume: due }))).log).toEqual(["awake"]);
  });

  test.each([[new Date(Number.NaN)], ["2026-01-01"], [undefined]])("refuses %s", async (date) => {
    const { run } = oneNodeGraph(() => sleepUntil(date as Date));
    await expect(run({})).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
      message: expect.stringContaining("`date`"),
    });
  });
});
