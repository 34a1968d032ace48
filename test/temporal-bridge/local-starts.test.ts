import { START, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";
import { historiesOf, replay } from "./recorded-history.ts";

describeWithTemporal("a run that begins in a local activity", () => {
  let attempts: number[] = [];
  const failing = (times: number) => () => {
    attempts.push(Date.now());
    if (attempts.length <= times) throw new RangeError(`attempt ${attempts.length}`);
    return { log: `attempt ${attempts.length}` };
  };
  const retryPolicy = { maxAttempts: 3, initialInterval: 200, backoffFactor: 1, jitter: false };
  let begun = 0;
  const graphs = {
    three: threeNodes().graph,
    nodes: threeNodes().graph,
    asks: new StateGraph(TextLog)
      .addNode("before", () => ({ log: "before" }))
      .addNode("ask", () => ({ log: interrupt("?") as string }))
      .addEdge(START, "before")
      .addEdge("before", "ask"),
    recovers: new StateGraph(TextLog).addNode("n", failing(2), { retryPolicy }).addEdge(START, "n"),
    fails: new StateGraph(TextLog).addNode("n", failing(Infinity), { retryPolicy }).addEdge(START, "n"),
    long: new StateGraph(TextLog)
      .addNode("slow", async () => {
        await new Promise((resolve) => setTimeout(resolve, 3_500));
        return { log: "slow" };
      })
      .addNode("after", () => ({ log: "after" }))
      .addEdge(START, "slow")
      .addEdge("slow", "after"),
    verbose: new StateGraph(TextLog)
      .addNode("verbose", () => {
        throw new RangeError("m".repeat(3_000_000));
      })
      .addEdge(START, "verbose"),
    hangs: new StateGraph(TextLog)
      .addNode("hang", async (_state, { signal }: LangGraphRunnableConfig) => {
        begun += 1;
        if (begun > 1) return { log: "went on" };
        return new Promise<never>((_, reject) =>
          signal?.addEventListener("abort", () => reject(signal.reason as Error)),
        );
      })
      .addEdge(START, "hang"),
  };
  let rig: TemporalRig<typeof graphs>;
  beforeAll(async () => {
    const burst = { granularity: "burst" } as const;
    const settings = {
      three: burst,
      asks: burst,
      recovers: burst,
      fails: burst,
      long: burst,
      verbose: burst,
      hangs: burst,
    };
    rig = await temporalRig(graphs, { settings });
  });
  afterAll(() => rig.stop());
  beforeEach(() => {
    attempts = [];
  });

  /** What a run's history shows of its activities and timers. */
  async function events(id: string): Promise<string[]> {
    const history = await rig.client.workflow.getHandle(id).fetchHistory();
    return (history.events ?? []).flatMap((event) => {
      if (event.markerRecordedEventAttributes) return ["local activity"];
      if (event.timerStartedEventAttributes) return ["timer"];
      return event.activityTaskScheduledEventAttributes?.activityType?.name ?? [];
    });
  }

  it("takes one workflow task from its input to its end", async () => {
    const run = await rig.executor.execute("three", { id: rig.newId(), input: { log: "in" }, localStart: true });
    expect(await run.result()).toEqual({ log: ["in", "a", "b", "c"] });
    expect(await events(run.id)).toEqual(["local activity"]);
    const history = await rig.client.workflow.getHandle(run.id).fetchHistory();
    expect(history.events).toHaveLength(6);
  });

  it("at node granularity runs its nodes in activities of their own", async () => {
    const run = await rig.executor.execute("nodes", { id: rig.newId(), input: { log: "in" }, localStart: true });
    expect(await run.result()).toEqual({ log: ["in", "a", "b", "c"] });
    expect(await events(run.id)).toEqual(["local activity", "graphTasks", "graphTasks", "graphTasks"]);
  });

  it("stops at a question, and goes on after its answer", async () => {
    const run = await rig.executor.execute("asks", { id: rig.newId(), input: {}, localStart: true });
    const { interrupts } = await rig.settled(run.id);
    await rig.executor.resume(run.id, { [interrupts[0]!.id]: "yes" });
    expect(await run.result()).toEqual({ log: ["before", "yes"] });
    expect(await events(run.id)).toEqual(["local activity", "graphAnswers", "graphTasks"]);
  });

  it("makes as many attempts at a node as its policy says, the others in ordinary activities after its delay", async () => {
    const run = await rig.executor.execute("recovers", { id: rig.newId(), input: {}, localStart: true });
    expect(await run.result()).toEqual({ log: ["attempt 3"] });
    expect(attempts[1]! - attempts[0]!).toBeGreaterThanOrEqual(190);
    expect(attempts[2]! - attempts[1]!).toBeGreaterThanOrEqual(190);
    expect(await events(run.id)).toEqual(["local activity", "timer", "graphStart"]);
    attempts = [];
    const failed = await rig.executor.execute("fails", { id: rig.newId(), input: {}, localStart: true });
    await expect(failed.result()).rejects.toMatchObject({
      code: "RUN_FAILED",
      message: expect.stringContaining("RangeError: attempt 3"),
    });
    expect(attempts).toHaveLength(3);
  });

  it("that has gone on for some seconds goes on in an ordinary activity after it", async () => {
    const run = await rig.executor.execute("long", { id: rig.newId(), input: { log: "in" }, localStart: true });
    expect(await run.result()).toEqual({ log: ["in", "slow", "after"] });
    expect(await events(run.id)).toEqual(["local activity", "graphTasks"]);
  });

  it("can be cancelled while it is under way, and continued", async () => {
    const run = await rig.executor.execute("hangs", { id: rig.newId(), input: { log: "in" }, localStart: true });
    await expect.poll(() => begun).toBe(1);
    await rig.executor.cancel(run.id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    expect(await run.status()).toBe("cancelled");
    expect(begun).toBe(1);
    const again = await rig.executor.execute("hangs", { id: run.id, localStart: true });
    expect(await again.result()).toEqual({ log: ["in", "went on"] });
  });

  it("moves to another worker when its own is shut down", async () => {
    const { checkpointer } = rig;
    const settings = { moves: { granularity: "burst" } } as const;
    const begun: boolean[] = [];
    const moves = new StateGraph(TextLog)
      .addNode("work", async (_state, { signal }: LangGraphRunnableConfig) => {
        begun.push(true);
        if (begun.length > 1) return { log: "moved" };
        return new Promise<never>((_, reject) =>
          signal?.addEventListener("abort", () => reject(signal.reason as Error)),
        );
      })
      .addEdge(START, "work");
    const first = await temporalRig({ moves }, { settings, checkpointer });
    const run = await first.executor.execute("moves", { id: rig.newId(), input: {}, localStart: true });
    await expect.poll(() => begun.length).toBe(1);
    const { taskQueue } = first;
    const second = await temporalRig({ moves }, { settings, checkpointer, taskQueue });
    await first.stop();
    expect(await second.executor.get<"moves">(run.id).result()).toEqual({ log: ["moved"] });
    await second.stop();
  });

  it("ends as failed also where the message of a node's error is larger than Temporal takes", async () => {
    const run = await rig.executor.execute("verbose", { id: rig.newId(), input: {}, localStart: true });
    await expect(run.result()).rejects.toMatchObject({
      code: "RUN_FAILED",
      message: expect.stringMatching(/verbose: RangeError: m{1000,2000} … \(\d+ characters\)/) as unknown,
    });
    expect(await run.status()).toBe("error");
  });

  it("leaves a history that replays", async () => {
    for (const graph of ["three", "asks", "recovers"] as const) {
      const run = await rig.executor.execute(graph, { id: rig.newId(), input: { log: "in" }, localStart: true });
      if (graph === "asks") {
        const { interrupts } = await rig.settled(run.id);
        await rig.executor.resume(run.id, { [interrupts[0]!.id]: "yes" });
      }
      await run.result();
      const handle = (runId?: string) => rig.client.workflow.getHandle(run.id, runId);
      for (const history of await historiesOf(handle, run.runId)) await replay(history);
    }
  });
});
