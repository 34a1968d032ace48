import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";

const Answer = Annotation.Root({ answer: Annotation<unknown> });

function graphs() {
  const { graph: three, runs } = threeNodes();
  const asking = new StateGraph(Answer)
    .addNode("ask", () => ({ answer: interrupt("May I?") as unknown }))
    .addEdge(START, "ask");
  const failing = new StateGraph(TextLog)
    .addNode("fail", () => {
      throw new TypeError("it is broken");
    })
    .addEdge(START, "fail");
  return { graphs: { three, asking, failing }, runs };
}

describeWithTemporal("a graph on Temporal", () => {
  const made = graphs();
  let rig: TemporalRig<typeof made.graphs>;
  beforeAll(async () => {
    rig = await temporalRig(made.graphs);
  });
  afterAll(() => rig.stop());

  it("runs each node once and returns the final values", async () => {
    const run = await rig.executor.execute("three", { id: rig.newId(), input: { log: "in" } });
    expect(await run.result()).toEqual({ log: "in a b c".split(" ") });
    expect(made.runs).toEqual(["a", "b", "c"]);
    expect(await run.status()).toBe("done");
  });

  it("waits for an answer that names its question, and refuses others at once", async () => {
    const run = await rig.executor.execute("asking", { id: rig.newId(), input: {} });
    const { interrupts, status } = await rig.settled(run.id);
    expect(status).toBe("interrupted");
    expect(interrupts).toMatchObject([{ kind: "input", node: "ask", value: "May I?" }]);
    await expect(rig.executor.resume(run.id, { wrong: true })).rejects.toMatchObject({ code: "INTERRUPT_NOT_OPEN" });
    await rig.executor.resume(run.id, { [interrupts[0]!.id]: false });
    expect(await run.result()).toEqual({ answer: false });
  });

  it("takes an answer from whoever finds the question in the checkpointer, at once", async () => {
    const run = await rig.executor.execute("asking", { id: rig.newId(), input: {} });
    const interruptId = await vi.waitUntil(
      async () => {
        const { items } = await rig.checkpointer.listInterrupts({ limit: 1_000 });
        return items.find(({ threadId }) => threadId === run.id)?.id;
      },
      { interval: 1, timeout: 60_000 },
    );
    await rig.executor.resume(run.id, { [interruptId]: "yes" });
    expect(await run.result()).toEqual({ answer: "yes" });
  });

  it("fails with what a node threw", async () => {
    const run = await rig.executor.execute("failing", { id: rig.newId(), input: { log: "in" } });
    await expect(run.result()).rejects.toMatchObject({
      code: "RUN_FAILED",
      message: expect.stringContaining("fail: TypeError: it is broken"),
    });
    expect(await run.status()).toBe("error");
  });
});
