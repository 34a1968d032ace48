import { START, StateGraph, interrupt } from "@langchain/langgraph";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";

describeWithTemporal("a run in bursts", () => {
  let attempts = 0;
  const failing = (times: number) => () => {
    attempts += 1;
    if (attempts <= times) throw new RangeError(`attempt ${attempts}`);
    return { log: `attempt ${attempts}` };
  };
  const retryPolicy = { maxAttempts: 3, initialInterval: 1, jitter: false };
  const graphs = {
    three: threeNodes().graph,
    short: threeNodes().graph,
    patient: threeNodes().graph,
    asks: new StateGraph(TextLog)
      .addNode("before", () => ({ log: "before" }))
      .addNode("ask", () => ({ log: interrupt("?") as string }))
      .addNode("after", () => ({ log: "after" }))
      .addEdge(START, "before")
      .addEdge("before", "ask")
      .addEdge("ask", "after"),
    recovers: new StateGraph(TextLog).addNode("n", failing(2), { retryPolicy }).addEdge(START, "n"),
    fails: new StateGraph(TextLog).addNode("n", failing(Infinity), { retryPolicy }).addEdge(START, "n"),
  };
  let rig: TemporalRig<typeof graphs>;
  beforeAll(async () => {
    const burst = { granularity: "burst" } as const;
    const short = { ...burst, burst: { maxSteps: 2 } };
    const patient = { ...burst, heartbeatTimeoutMs: 60_000 };
    const settings = { three: burst, short, patient, asks: burst, recovers: burst, fails: burst };
    rig = await temporalRig(graphs, { settings });
  });
  afterAll(() => rig.stop());
  beforeEach(() => {
    attempts = 0;
  });

  /** The activities that a run has had, by their types. */
  async function activities(id: string): Promise<(string | null | undefined)[]> {
    const { events } = await rig.client.workflow.getHandle(id).fetchHistory();
    return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled ? [scheduled.activityType?.name] : [],
    );
  }

  it("takes one activity from its input to its end", async () => {
    const run = await rig.executor.execute("three", { id: rig.newId(), input: { log: "in" } });
    expect(await run.result()).toEqual({ log: ["in", "a", "b", "c"] });
    expect(await activities(run.id)).toEqual(["graphStart"]);
  });

  it("ends after as many supersteps as it may have, and another one goes on", async () => {
    const run = await rig.executor.execute("short", { id: rig.newId(), input: { log: "in" } });
    expect(await run.result()).toEqual({ log: ["in", "a", "b", "c"] });
    expect(await activities(run.id)).toEqual(["graphStart", "graphTasks"]);
  });

  it("begins in an activity of its own where its nodes may be silent for longer than the one that starts", async () => {
    const run = await rig.executor.execute("patient", { id: rig.newId(), input: { log: "in" } });
    expect(await run.result()).toEqual({ log: ["in", "a", "b", "c"] });
    expect(await activities(run.id)).toEqual(["graphStart", "graphTasks"]);
  });

  it("stops at a question, and goes on after its answer", async () => {
    const run = await rig.executor.execute("asks", { id: rig.newId(), input: {} });
    const { interrupts } = await rig.settled(run.id);
    await rig.executor.resume(run.id, { [interrupts[0]!.id]: "yes" });
    expect(await run.result()).toEqual({ log: ["before", "yes", "after"] });
    expect(await activities(run.id)).toEqual(["graphStart", "graphAnswers", "graphTasks"]);
  });

  it("makes as many attempts at a node as its policy says, also in the activity that begins it", async () => {
    const run = await rig.executor.execute("recovers", { id: rig.newId(), input: {} });
    expect(await run.result()).toEqual({ log: ["attempt 3"] });
    attempts = 0;
    const failed = await rig.executor.execute("fails", { id: rig.newId(), input: {} });
    await expect(failed.result()).rejects.toMatchObject({
      code: "RUN_FAILED",
      message: expect.stringContaining("RangeError: attempt 3"),
    });
    expect(attempts).toBe(3);
    expect(await activities(failed.id)).toEqual(["graphStart", "graphClose"]);
  });
});
