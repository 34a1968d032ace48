import { Annotation, MessagesAnnotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import { createRunner } from "perdure/runner";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startOpenAiServer } from "../support/openai-server.ts";
import type { OpenAiServer } from "../support/openai-server.ts";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { TextLog } from "../support/text-log.ts";

/** Ends when its signal does. */
const untilAborted = ({ signal }: LangGraphRunnableConfig) =>
  new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));

function graphs(model: () => ChatOpenAI) {
  const begun: string[] = [];
  const gate = { open: Promise.withResolvers<void>(), isOpen: false };
  const chat = new StateGraph(MessagesAnnotation)
    .addNode("model", async ({ messages }, config) => ({ messages: [await model().invoke(messages, config)] }))
    .addEdge(START, "model");
  const deaf = new StateGraph(TextLog)
    .addNode("deaf", async () => {
      begun.push("deaf");
      if (!gate.isOpen) await gate.open.promise;
      return { log: `heard ${begun.length}` };
    })
    .addEdge(START, "deaf");
  const asking = new StateGraph(Annotation.Root({ answer: Annotation<unknown> }))
    .addNode("ask", () => ({ answer: interrupt("May I?") as unknown }))
    .addEdge(START, "ask");
  const spread = new StateGraph(TextLog)
    .addNode("work", async (n: number, config: LangGraphRunnableConfig) => {
      begun.push(`work ${n}`);
      if (n % 2 === 1 && !gate.isOpen) await untilAborted(config);
      return { log: `${n}` };
    })
    .addConditionalEdges(START, () => [0, 1, 2, 3, 4, 5].map((n) => new Send("work", n)), ["work"]);
  return { graphs: { chat, deaf, asking, spread }, begun, gate };
}

describeWithTemporal("cancelling a run", () => {
  let server: OpenAiServer;
  let made: ReturnType<typeof graphs>;
  let rig: TemporalRig<ReturnType<typeof graphs>["graphs"]>;
  /** What the model's server does with the next request. */
  let hangs = true;

  beforeAll(async () => {
    server = await startOpenAiServer(() => (hangs ? { hangs: true } : { text: "hello" }));
    made = graphs(
      () =>
        new ChatOpenAI({
          model: "scripted",
          apiKey: "none",
          maxRetries: 0,
          configuration: { baseURL: server.baseURL },
        }),
    );
    rig = await temporalRig(made.graphs, { settings: { spread: { maxParallelActivities: 3 } } });
  });
  afterAll(async () => {
    await rig.stop();
    await server.close();
  });

  it("ends the request to a model that is under way, seen by the model's server", async () => {
    hangs = true;
    const asked = server.requests.length;
    const run = await rig.executor.execute("chat", { id: rig.newId(), input: { messages: [["user", "hi"]] } });
    await expect.poll(() => server.requests.length).toBe(asked + 1);
    expect(server.aborted).toBe(0);
    const cancelledAt = performance.now();
    await rig.executor.cancel(run.id);
    await expect.poll(() => server.aborted).toBe(1);
    expect(performance.now() - cancelledAt).toBeLessThan(20_000);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    expect(await run.status()).toBe("cancelled");

    hangs = false;
    const again = await rig.executor.execute("chat", { id: run.id });
    expect((await again.result()).messages.map(({ content }) => content)).toEqual(["hi", "hello"]);
    expect(server.requests.length).toBe(asked + 2);
  });

  it("leaves the thread as it stands, to be looked at and to be continued by a runner", async () => {
    hangs = true;
    const asked = server.requests.length;
    const run = await rig.executor.execute("chat", { id: rig.newId(), input: { messages: [["user", "hi"]] } });
    await expect.poll(() => server.requests.length).toBe(asked + 1);
    await rig.executor.cancel(run.id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    const runner = createRunner(made.graphs.chat, { name: "chat", checkpointer: rig.checkpointer });
    const state = await runner.inspect(run.id);
    expect(state).toMatchObject({ status: "cancelled", next: ["model"] });
    expect(state.values.messages.map(({ content }) => content)).toEqual(["hi"]);
    hangs = false;
    expect((await runner.continue(run.id)).status).toBe("done");
  });

  it("applies nothing of a node that goes on in spite of its signal", async () => {
    const { begun, gate } = made;
    const run = await rig.executor.execute("deaf", { id: rig.newId(), input: { log: "in" } });
    await expect.poll(() => begun.filter((name) => name === "deaf").length).toBe(1);
    await rig.executor.cancel(run.id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    const runner = createRunner(made.graphs.deaf, { name: "deaf", checkpointer: rig.checkpointer });
    gate.isOpen = true;
    gate.open.resolve();
    await new Promise(setImmediate);
    expect(await runner.inspect(run.id)).toMatchObject({ status: "cancelled", values: { log: ["in"] } });
    const again = await rig.executor.execute("deaf", { id: run.id });
    expect(await again.result()).toEqual({ log: ["in", `heard ${begun.length}`] });
    expect(begun.filter((name) => name === "deaf")).toHaveLength(2);
    gate.isOpen = false;
  });

  it("that waits for an answer keeps the question for whoever goes on with it", async () => {
    const run = await rig.executor.execute("asking", { id: rig.newId(), input: {} });
    const { interrupts } = await rig.settled(run.id);
    await rig.executor.cancel(run.id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    const again = await rig.executor.execute("asking", { id: run.id });
    expect((await rig.settled(run.id)).interrupts).toEqual(interrupts);
    await rig.executor.resume(run.id, { [interrupts[0]!.id]: "you may" });
    expect(await again.result()).toEqual({ answer: "you may" });
  });

  it("in the middle of batches keeps the tasks that are finished, and the others run when it goes on", async () => {
    const { begun, gate } = made;
    begun.length = 0;
    const run = await rig.executor.execute("spread", { id: rig.newId(), input: { log: [] } });
    await expect.poll(() => begun.toSorted()).toEqual([0, 1, 2, 3, 4, 5].map((n) => `work ${n}`));
    const runner = createRunner(made.graphs.spread, { name: "spread", checkpointer: rig.checkpointer });
    await expect.poll(async () => (await runner.inspect(run.id)).values.log).toEqual(["0", "2", "4"]);
    await rig.executor.cancel(run.id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    gate.isOpen = true;
    begun.length = 0;
    const again = await rig.executor.execute("spread", { id: run.id });
    expect(await again.result()).toEqual({ log: ["0", "1", "2", "3", "4", "5"] });
    expect(begun.toSorted()).toEqual(["work 1", "work 3", "work 5"]);
    gate.isOpen = false;
  });

  it("is not what a worker does that is shut down: another one makes the request again", async () => {
    hangs = true;
    const { checkpointer } = rig;
    const { chat } = made.graphs;
    const taskQueue = `moved-${rig.newId()}`;
    const [asked, aborted] = [server.requests.length, server.aborted];
    const first = await temporalRig({ chat }, { checkpointer, taskQueue });
    const run = await first.executor.execute("chat", { id: rig.newId(), input: { messages: [["user", "hi"]] } });
    await expect.poll(() => server.requests.length).toBe(asked + 1);
    const second = await temporalRig({ chat }, { checkpointer, taskQueue });
    hangs = false;
    await first.stop();
    expect(server.aborted).toBe(aborted + 1);
    const moved = second.executor.get<"chat">(run.id);
    expect((await moved.result()).messages.map(({ content }) => content)).toEqual(["hi", "hello"]);
    expect(server.requests.length).toBe(asked + 2);
    await second.stop();
  });
});
