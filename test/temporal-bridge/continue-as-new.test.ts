import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { createTemporalExecutor } from "perdure/temporal/client";
import type { TemporalExecutor } from "perdure/temporal/client";
import { z } from "zod";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTemporal } from "../support/temporal-server.ts";
import type { TemporalServer } from "../support/temporal-server.ts";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { runsOfChain } from "./runs-of-chain.ts";

const SUGGESTED_EVENTS = 40;

const Said = Annotation.Root({
  said: Annotation<unknown[], unknown[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
  ticks: Annotation<number, number>({ reducer: (_, next) => next, default: () => 0 }),
  rounds: Annotation<number>(),
});
const INPUT = { said: [], ticks: 0 };

function graphs() {
  const tick = ({ ticks }: typeof Said.State) => ({ ticks: ticks + 1 });
  const more = (node: string) => (state: typeof Said.State) => (state.said.length < state.rounds ? node : "__end__");
  /** Hears one word after each two ticks. */
  const hearing = new StateGraph(Said)
    .addNode("tick", tick)
    .addNode("tock", tick)
    .addNode("hear", async () => ({ said: [await waitForSignal("word", z.number())] }))
    .addEdge(START, "tick")
    .addEdge("tick", "tock")
    .addEdge("tock", "hear")
    .addConditionalEdges("hear", more("tick"));
  const asking = new StateGraph(Said)
    .addNode("tick", tick)
    .addNode("ask", ({ ticks }) => ({ said: [interrupt(ticks)] }))
    .addEdge(START, "tick")
    .addEdge("tick", "ask")
    .addConditionalEdges("ask", more("tick"));
  /** Hears nothing until it is told to, and then all. */
  const deaf = new StateGraph(Said)
    .addNode("ask", () => {
      interrupt("Shall I listen?");
      return {};
    })
    .addNode("hear", async () => ({ said: [await waitForSignal("word", z.number())] }))
    .addEdge(START, "ask")
    .addEdge("ask", "hear")
    .addConditionalEdges("hear", more("hear"));
  return { hearing, asking, deaf };
}

describeWithTemporal("a run that continues as new", () => {
  const made = graphs();
  let server: TemporalServer;
  let rig: TemporalRig<typeof made>;
  beforeAll(async () => {
    server = await startTemporal({ dynamicConfig: { "limit.historyCount.suggestContinueAsNew": SUGGESTED_EVENTS } });
    rig = await temporalRig(made, { address: server.address });
  });
  afterAll(async () => {
    await rig.stop();
    await server.stop();
  });

  /** A run that continued as new while it waited, and has got words that it has not asked for yet. */
  async function waitingOn(executor: TemporalExecutor<typeof made> = rig.executor) {
    const words = numbers(12);
    const input = { ...INPUT, rounds: words.length };
    const run = await executor.execute("deaf", { id: rig.newId(), input });
    const [question] = (await rig.settled(run.id)).interrupts;
    for (const payload of words) await rig.executor.signal(run.id, { name: "word", payload });
    await expect.poll(async () => (await runsOfChain(rig.client, run.id, run.runId)).length).toBeGreaterThan(1);
    return { run, question: question!, words };
  }

  const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

  it("hears each signal sent around it once, in their order, and the first handle has the final values", async () => {
    const rounds = 10;
    const run = await rig.executor.execute("hearing", { id: rig.newId(), input: { ...INPUT, rounds } });
    for (const payload of numbers(rounds - 1)) await rig.executor.signal(run.id, { name: "word", payload });
    const isLast = async (): Promise<boolean> => (await rig.executor.query(run.id, "state")).step >= 3 * rounds - 1;
    await expect.poll(isLast, { interval: 20 }).toBe(true);
    await rig.executor.signal(run.id, { name: "word", payload: rounds - 1 });
    expect(await run.result()).toEqual({ said: numbers(rounds), ticks: 2 * rounds, rounds });
    expect(await run.status()).toBe("done");
    // one run after the other owned the thread
    const chain = await runsOfChain(rig.client, run.id, run.runId);
    expect(chain.length).toBeGreaterThan(2);
    const record = await rig.checkpointer.readRecord(run.id);
    expect(record).toMatchObject({ pastOwners: chain, run: { id: run.runId } });
    expect(record?.owner).toBeUndefined();
  });

  it("hears signals that all come at once", async () => {
    const rounds = 10;
    const run = await rig.executor.execute("hearing", { id: rig.newId(), input: { ...INPUT, rounds } });
    await Promise.all(numbers(rounds).map((payload) => rig.executor.signal(run.id, { name: "word", payload })));
    const { said } = await run.result();
    expect([...said].sort((one, other) => Number(one) - Number(other))).toEqual(numbers(rounds));
  });

  it("keeps signals that nobody asks for until somebody does", async () => {
    const { run, question, words } = await waitingOn();
    expect((await rig.settled(run.id)).interrupts).toEqual([question]);
    await rig.executor.resume(run.id, { [question.id]: true });
    expect((await run.result()).said).toEqual(words);
  });

  it("shows by its search attributes too that it waits", async () => {
    await rig.client.connection.operatorService.addSearchAttributes({
      namespace: "default",
      searchAttributes: { PerdureGraph: 2, PerdureStatus: 2 },
    });
    const { client, taskQueue } = rig;
    const { run } = await waitingOn(createTemporalExecutor<typeof made>({ client, taskQueue, searchAttributes: true }));
    const shown = async () => (await client.workflow.getHandle(run.id).describe()).searchAttributes;
    await expect.poll(shown).toMatchObject({ PerdureGraph: ["deaf"], PerdureStatus: ["interrupted"] });
    await rig.executor.cancel(run.id);
  });

  it("is cancelled while it waits, and its thread with it", async () => {
    const { run } = await waitingOn();
    await rig.executor.cancel(run.id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    expect(
      await createRunner(made.deaf, { name: "deaf", checkpointer: rig.checkpointer }).inspect(run.id),
    ).toMatchObject({
      status: "cancelled",
    });
    expect((await rig.checkpointer.readRecord(run.id))?.owner).toBeUndefined();
  });

  it("gives its thread back while it waits, with the signals that nobody has asked for", async () => {
    const { run, question, words } = await waitingOn();
    await rig.executor.release(run.id);
    const runner = createRunner(made.deaf, { name: "deaf", checkpointer: rig.checkpointer });
    const { status, values } = await runner.resume(run.id, { [question.id]: true });
    expect({ status, said: values.said }).toEqual({ status: "done", said: words });
  });

  it("takes each answer given around it once; one that comes again changes nothing, another is refused", async () => {
    const rounds = 10;
    const run = await rig.executor.execute("asking", { id: rig.newId(), input: { ...INPUT, rounds } });
    const answered: string[] = [];
    for (const round of numbers(rounds)) {
      const isNew = async (): Promise<string | undefined> =>
        (await rig.executor.query(run.id, "state")).interrupts.find(({ id }) => !answered.includes(id))?.id;
      await expect.poll(isNew, { interval: 5 }).toBeDefined();
      const id = (await isNew())!;
      answered.push(id);
      await rig.executor.resume(run.id, { [id]: round });
      if (round === rounds - 1) break;
      await rig.executor.resume(run.id, { [answered[0]!]: 0 });
      await expect(rig.executor.resume(run.id, { [answered[0]!]: "other" })).rejects.toMatchObject({
        code: "INTERRUPT_ALREADY_ANSWERED",
      });
    }
    expect(await run.result()).toEqual({ said: numbers(rounds), ticks: rounds, rounds });
    expect((await runsOfChain(rig.client, run.id, run.runId)).length).toBeGreaterThan(2);
  });
});
