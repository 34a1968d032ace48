/** H1–H4, H10, H18, H19: an answer goes to the question it names, once, and is never lost. */
import { Command, MemorySaver, START, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { describeOnEachCheckpointer } from "../../support/describe-on-each-checkpointer.ts";
import { langgraphSince } from "../../support/langgraph-since.ts";
import { LogState } from "../../support/one-node-graph.ts";
import { TextLog } from "../../support/text-log.ts";

/** Two payments that wait for a click each, side by side. */
const twoPayments = new StateGraph(TextLog)
  .addNode("pay_rent", () => ({ log: `rent: ${String(interrupt("pay the rent?"))}` }))
  .addNode("pay_fine", () => ({ log: `fine: ${String(interrupt("pay the fine?"))}` }))
  .addEdge(START, "pay_rent")
  .addEdge(START, "pay_fine");

/** The same two payments, in a subgraph. */
const paymentsBelow = new StateGraph(TextLog).addNode("payments", twoPayments.compile()).addEdge(START, "payments");

/** One node that asks twice. */
const askTwice = new StateGraph(TextLog)
  .addNode("ask", () => {
    const first = String(interrupt("first?"));
    const second = String(interrupt("second?"));
    return { log: [first, second] };
  })
  .addEdge(START, "ask");

/** One question; what the node is told lands in the log as it is. */
const askOnce = new StateGraph(LogState).addNode("ask", () => ({ log: [interrupt("sure?")] })).addEdge(START, "ask");

/** One question, and then work during which the process dies: the first time it never ends. */
function dyingAfterAnswer() {
  const died = Promise.withResolvers<void>();
  let runs = 0;
  const graph = new StateGraph(TextLog)
    .addNode("ask", async () => {
      const answer = String(interrupt("sure?"));
      runs += 1;
      if (runs === 1) {
        died.resolve();
        await new Promise(() => {});
      }
      return { log: answer };
    })
    .addEdge(START, "ask");
  return { graph, died: died.promise };
}

interface Shown {
  readonly __interrupt__: readonly { readonly id: string; readonly value: unknown }[];
}

describe("plain LangGraph", () => {
  const config = { configurable: { thread_id: "plain" } };

  test("H1: gives one answer to both of two open questions", async () => {
    const graph = twoPayments.compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, config);
    const { log } = await graph.invoke(new Command({ resume: "yes" }), config);
    expect(log.toSorted()).toEqual(["fine: yes", "rent: yes"]);
  });

  test("H2: uses a first answer for the second question when the thread is continued", async () => {
    const graph = askTwice.compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, config);
    await graph.invoke(new Command({ resume: "one" }), config);
    expect((await graph.invoke(null, config)).log).toEqual(["one", "one"]);
  });

  test("H3: takes an answer to a finished thread without a word", async () => {
    const graph = askOnce.compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, config);
    await graph.invoke(new Command({ resume: "no" }), config);
    expect((await graph.invoke(new Command({ resume: "yes" }), config)).log).toEqual(["no"]);
  });

  test("H4: before 1.7 has one id for two questions of a node", async () => {
    const graph = askTwice.compile({ checkpointer: new MemorySaver() });
    const idOf = (output: unknown) => (output as Shown).__interrupt__[0]?.id;
    const first = idOf(await graph.invoke({}, config));
    const second = idOf(await graph.invoke(new Command({ resume: "one" }), config));
    expect(first).toBeDefined();
    expect(second === first).toBe(!langgraphSince(7));
  });

  test.each([[false], [0], [""]])("H10: before 1.7 refuses %j as an answer", async (answer) => {
    const graph = askOnce.compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, config);
    const answered = graph.invoke(new Command({ resume: answer }), config);
    if (langgraphSince(7)) expect((await answered).log).toEqual([answer]);
    else await expect(answered).rejects.toThrow("Received empty Command input");
  });

  test("H10: asks again when the process dies in the node that was answered by id", async () => {
    const { graph, died } = dyingAfterAnswer();
    const compiled = graph.compile({ checkpointer: new MemorySaver() });
    const [asked] = ((await compiled.invoke({}, config)) as unknown as Shown).__interrupt__;
    void compiled.invoke(new Command({ resume: { [asked!.id]: "yes" } }), config);
    await died;
    const after = (await compiled.invoke(null, config)) as unknown as Shown;
    expect(after.__interrupt__.map(({ value }) => value)).toEqual(["sure?"]);
  });

  test("H18: goes on listing an answered question until its siblings are answered too", async () => {
    const graph = twoPayments.compile({ checkpointer: new MemorySaver() });
    const { __interrupt__: asked } = (await graph.invoke({}, config)) as unknown as Shown;
    await graph.invoke(new Command({ resume: { [asked[0]!.id]: "yes" } }), config);
    const { tasks } = await graph.getState(config);
    expect(
      tasks
        .flatMap(({ interrupts }) => interrupts)
        .map(({ value }) => String(value))
        .toSorted(),
    ).toEqual(["pay the fine?", "pay the rent?"]);
  });

  test("H19: before 1.7 shows one of two questions that a subgraph asks side by side", async () => {
    const graph = paymentsBelow.compile({ checkpointer: new MemorySaver() });
    const { __interrupt__: asked } = (await graph.invoke({}, config)) as unknown as Shown;
    expect(asked).toHaveLength(langgraphSince(7) ? 2 : 1);
  });
});

describeOnEachCheckpointer("the runner", (store) => {
  test("H1: one answer never goes to two questions", async () => {
    const runner = createRunner(twoPayments, { name: "payments", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    expect(asked.interrupts.map(({ node }) => node).toSorted()).toEqual(["pay_fine", "pay_rent"]);

    await expect(runner.resume(thread, { answer: "yes" })).rejects.toMatchObject({ code: "INTERRUPT_AMBIGUOUS" });
    expect(await runner.inspect(thread)).toEqual(asked);

    const rent = asked.interrupts.find(({ node }) => node === "pay_rent");
    const state = await runner.resume(thread, { [rent!.id]: "yes" });
    expect(state.status).toBe("interrupted");
    expect(state.values.log).toEqual(["rent: yes"]);
    expect(state.interrupts.map(({ node }) => node)).toEqual(["pay_fine"]);

    const done = await runner.resume(thread, { answer: "no" }); // one is open now, so it needs no name
    expect(done.status).toBe("done");
    expect(done.values.log.toSorted()).toEqual(["fine: no", "rent: yes"]);
  });

  test("H2: a first answer is never used for the second question, however often the thread is continued", async () => {
    const runner = createRunner(askTwice, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {});
    const second = await runner.resume(thread, { answer: "one" });
    expect(second.interrupts.map(({ value }) => value)).toEqual(["second?"]);

    for (let times = 0; times < 3; times += 1) expect(await runner.continue(thread)).toEqual(second);
    const { values } = await runner.resume(thread, { answer: "two" });
    expect(values.log).toEqual(["one", "two"]);
  });

  test("H3: an answer that comes too late is an error, and changes nothing", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { interrupts } = await runner.start(thread, {});
    const id = interrupts[0]!.id;
    const done = await runner.resume(thread, { [id]: "no" });
    expect(done.status).toBe("done");
    const record = await store.checkpointer.readRecord(thread);

    const late = [
      [{ [id]: "yes" }, "INTERRUPT_ALREADY_ANSWERED"],
      [{ answer: "yes" }, "INTERRUPT_NOT_OPEN"],
      [{ ["f".repeat(32)]: "yes" }, "INTERRUPT_NOT_OPEN"],
      [{ [id]: "no", ["f".repeat(32)]: "yes" }, "INTERRUPT_NOT_OPEN"],
    ] as const;
    for (const [answers, code] of late) await expect(runner.resume(thread, answers)).rejects.toMatchObject({ code });

    expect(await runner.inspect(thread)).toEqual(done);
    expect(await store.checkpointer.readRecord(thread)).toEqual(record);
  });

  test("H3: an answer to a question that was superseded is INTERRUPT_NOT_OPEN", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const dropped = await runner.start(thread, {});
    const asked = await runner.start(thread, {}, { supersede: true });
    expect(asked.interrupts[0]!.id).not.toBe(dropped.interrupts[0]!.id);

    const answers = { [dropped.interrupts[0]!.id]: "yes" };
    await expect(runner.resume(thread, answers)).rejects.toMatchObject({ code: "INTERRUPT_NOT_OPEN" });
    expect(await runner.inspect(thread)).toEqual(asked);
  });

  test("H4: a retried answer to the first question never answers the second", async () => {
    const runner = createRunner(askTwice, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const first = (await runner.start(thread, {})).interrupts[0]!.id;
    const asked = await runner.resume(thread, { [first]: "approve" });
    expect(asked.interrupts[0]!.id).not.toBe(first);

    expect(await runner.resume(thread, { [first]: "approve" })).toEqual(asked); // sent again: a no-op
    await expect(runner.resume(thread, { [first]: "reject" })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
    expect(await runner.inspect(thread)).toEqual(asked);
    expect((await runner.resume(thread, { answer: "reject" })).values.log).toEqual(["approve", "reject"]);
  });

  test.each([[false], [0], [""], [null]])("H10: %j is an answer", async (answer) => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {});
    const done = await runner.resume(thread, { answer });
    expect(done.status).toBe("done");
    expect(done.values.log).toEqual([answer]);
  });

  test("H10: an answer outlives the process that ran the node it was given to", async () => {
    const { graph, died } = dyingAfterAnswer();
    const runner = createRunner(graph, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { interrupts } = await runner.start(thread, {});
    const process = new AbortController();
    const resumed = runner.resume(thread, { [interrupts[0]!.id]: "yes" }, { signal: process.signal });
    await died;
    process.abort(new Error("SIGKILL"));
    await expect(resumed).rejects.toThrow("SIGKILL");

    const state = await runner.inspect(thread);
    expect(state.status).toBe("ready");
    expect(state.interrupts).toEqual([]);
    expect((await runner.continue(thread)).values.log).toEqual(["yes"]);
  });

  test("H18: an answered question is not listed, though its sibling still waits", async () => {
    const runner = createRunner(twoPayments, { name: "payments", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { interrupts } = await runner.start(thread, {});
    await runner.resume(thread, { [interrupts[0]!.id]: "yes" });
    expect((await runner.inspect(thread)).interrupts).toEqual([interrupts[1]]);
  });

  test("H18: an answered question is not listed while the node that got the answer runs", async () => {
    const { graph, died } = dyingAfterAnswer();
    const runner = createRunner(graph, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {});
    const process = new AbortController();
    const resumed = runner.resume(thread, { answer: "yes" }, { signal: process.signal });
    await died;
    expect((await runner.inspect(thread)).interrupts).toEqual([]);
    process.abort(new Error("enough"));
    await expect(resumed).rejects.toThrow("enough");
  });

  test("H19: both questions that a subgraph asks side by side are shown, and answered one by one", async () => {
    const runner = createRunner(paymentsBelow, { name: "payments", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { interrupts } = await runner.start(thread, {});
    expect(interrupts.map(({ value }) => String(value)).toSorted()).toEqual(["pay the fine?", "pay the rent?"]);
    expect(interrupts.map(({ node }) => node)).toEqual(["payments", "payments"]);

    const fine = interrupts.find(({ value }) => value === "pay the fine?")!;
    const rent = interrupts.find(({ value }) => value === "pay the rent?")!;
    const state = await runner.resume(thread, { [fine.id]: "no" });
    expect(state.interrupts).toEqual([rent]);
    const done = await runner.resume(thread, { [rent.id]: "yes" });
    expect(done.status).toBe("done");
    expect(done.values.log.toSorted()).toEqual(["fine: no", "rent: yes"]);
  });
});
