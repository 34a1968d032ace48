import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { waitForSignal } from "perdure/nodes";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";

const State = Annotation.Root({ answer: Annotation<string>, work: Annotation<string> });
const working = Promise.withResolvers<string>();
const hearing = Promise.withResolvers<string>();
const graphs = {
  hears: new StateGraph(State)
    .addNode("hear", async () => ({ answer: await waitForSignal("shipped", z.string()) }))
    .addNode("labour", async () => ({ work: await hearing.promise }))
    .addEdge(START, "hear")
    .addEdge(START, "labour"),
  both: new StateGraph(State)
    .addNode("ask", () => ({ answer: interrupt("May I?") as string }))
    .addNode("labour", async () => ({ work: await working.promise }))
    .addEdge(START, "ask")
    .addEdge(START, "labour"),
};

describeWithTemporal("a question of one task while its sibling is at work", () => {
  let rig: TemporalRig<typeof graphs>;
  beforeAll(async () => {
    rig = await temporalRig(graphs);
  });
  afterAll(() => rig.stop());

  it("is shown and can be answered before the sibling is done", async () => {
    const run = await rig.executor.execute("both", { id: rig.newId(), input: {} });
    const open = async () => (await rig.executor.query(run.id, "state")).interrupts;
    await expect.poll(open).toMatchObject([{ node: "ask", value: "May I?" }]);
    const [question] = await open();
    const state = await rig.executor.resume(run.id, { [question!.id]: "yes" });
    expect(state.interrupts).toEqual([]);
    expect(await run.status()).toBe("running");
    working.resolve("done");
    expect(await run.result()).toEqual({ answer: "yes", work: "done" });
  });

  it("that waits for a signal gets it before the sibling is done, so its time can't run out meanwhile", async () => {
    const run = await rig.executor.execute("hears", { id: rig.newId(), input: {} });
    const open = async () => (await rig.executor.query(run.id, "state")).interrupts;
    await expect.poll(open).toMatchObject([{ node: "hear", kind: "signal" }]);
    await rig.executor.signal(run.id, { name: "other", payload: "not this" });
    await rig.executor.signal(run.id, { name: "shipped", payload: "today" });
    await expect.poll(open).toEqual([]);
    expect(await run.status()).toBe("running");
    hearing.resolve("done");
    expect(await run.result()).toEqual({ answer: "today", work: "done" });
  });
});
