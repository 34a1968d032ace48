import { Annotation, START, Send, StateGraph, entrypoint, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { createTemporalExecutor } from "perdure/temporal/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";

const LARGE = 3_000_000;
const text = (size: number): string => "x".repeat(size);

const State = Annotation.Root({ text: Annotation<string>, answer: Annotation<string> });
const graphs = {
  passes: new StateGraph(State).addNode("pass", () => ({})).addEdge(START, "pass"),
  makes: new StateGraph(State).addNode("make", () => ({ text: text(LARGE) })).addEdge(START, "make"),
  asks: new StateGraph(State)
    .addNode("ask", () => ({ answer: interrupt(text(LARGE)) as string }))
    .addEdge(START, "ask"),
  asksMuch: new StateGraph(State)
    .addNode("ask", (n: number) => {
      interrupt(`${n}${text(30_000)}`);
      return {};
    })
    .addConditionalEdges(START, () => Array.from({ length: 30 }, (_, n) => new Send("ask", n))),
  returns: entrypoint("returns", async () => text(LARGE)),
};

describeWithTemporal("values that are too large for Temporal's history", () => {
  let rig: TemporalRig<typeof graphs>;
  beforeAll(async () => {
    rig = await temporalRig(graphs);
  });
  afterAll(() => rig.stop());

  async function historyBytes(id: string): Promise<number> {
    const { raw } = await rig.client.workflow.getHandle(id).describe();
    return Number(raw.workflowExecutionInfo?.historySizeBytes);
  }

  it("go in as an input by the checkpointer, which keeps no second copy", async () => {
    const id = rig.newId();
    const run = await rig.executor.execute("passes", { id, input: { text: text(LARGE) } });
    expect((await run.result()).text).toHaveLength(LARGE);
    expect(await historyBytes(id)).toBeLessThan(20_000);
    const threads = new Set<unknown>();
    for await (const { config } of rig.checkpointer.list({})) threads.add(config.configurable?.["thread_id"]);
    expect([...threads].filter((threadId) => !String(threadId).startsWith("run-"))).toEqual([]);
  });

  it("come out as final values, of a graph and of an entrypoint", async () => {
    const run = await rig.executor.execute("makes", { id: rig.newId(), input: {} });
    expect((await run.result()).text).toHaveLength(LARGE);
    const returned = await rig.executor.execute("returns", { id: rig.newId(), input: [] });
    expect(await returned.result()).toHaveLength(LARGE);
    expect(await historyBytes(run.id)).toBeLessThan(20_000);
  });

  it("are asked and answered", async () => {
    const run = await rig.executor.execute("asks", { id: rig.newId(), input: {} });
    const { interrupts } = await rig.settled(run.id);
    expect(interrupts[0]?.value).toBe(text(LARGE));
    await rig.executor.resume(run.id, { [interrupts[0]!.id]: text(LARGE) });
    expect((await run.result()).answer).toBe(text(LARGE));
    expect(await historyBytes(run.id)).toBeLessThan(20_000);
  });

  it("are asked in many questions that are too large together", async () => {
    const run = await rig.executor.execute("asksMuch", { id: rig.newId(), input: {} });
    const { interrupts } = await rig.settled(run.id);
    const asked = interrupts.map(({ value }) => Number.parseInt(value as string, 10));
    expect(asked.toSorted((one, other) => one - other)).toEqual(Array.from({ length: 30 }, (_, n) => n));
    const answers = Object.fromEntries(interrupts.map(({ id }) => [id, "yes"]));
    expect(await rig.executor.resume(run.id, answers)).toMatchObject({ interrupts: [] });
    await run.result();
    expect(await historyBytes(run.id)).toBeLessThan(1_000_000);
  });

  it("are refused, before anything is sent, by an executor without the checkpointer", async () => {
    const bare = createTemporalExecutor<typeof graphs>({ client: rig.client, taskQueue: rig.taskQueue });
    const id = rig.newId();
    const executing = bare.execute("passes", { id, input: { text: text(LARGE) } });
    await expect(executing).rejects.toMatchObject({
      code: "VALUE_TOO_LARGE",
      hint: expect.stringContaining("checkpointer"),
    });
    await expect(bare.query(id, "state")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  });

  it("are named as such where the final ones can't be read", async () => {
    const run = await rig.executor.execute("makes", { id: rig.newId(), input: {} });
    await run.result();
    const bare = createTemporalExecutor<typeof graphs>({ client: rig.client, taskQueue: rig.taskQueue });
    await expect(bare.get(run.id).result()).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    const empty = await openCheckpointer("memory:");
    const other = createTemporalExecutor({ client: rig.client, taskQueue: rig.taskQueue, checkpointer: empty });
    await expect(other.get(run.id).result()).rejects.toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
    await empty.close();
  });
});
