/** H1–H4, H10, H18, H19: an answer goes to the question it names, once, and is never lost. */
import { Annotation, Command, MemorySaver, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { describeOnEachCheckpointer } from "../../support/describe-on-each-checkpointer.ts";
import { LogState } from "../../support/one-node-graph.ts";

/** Two payments that wait for a click each, side by side. */
const twoPayments = new StateGraph(LogState)
  .addNode("pay_rent", () => ({ log: [`rent: ${String(interrupt("pay the rent?"))}`] }))
  .addNode("pay_fine", () => ({ log: [`fine: ${String(interrupt("pay the fine?"))}`] }))
  .addEdge(START, "pay_rent")
  .addEdge(START, "pay_fine");

/** One node that asks twice. */
const askTwice = new StateGraph(LogState)
  .addNode("ask", () => {
    const first: unknown = interrupt("first?");
    const second: unknown = interrupt("second?");
    return { log: [first, second] };
  })
  .addEdge(START, "ask");

/** One question; what the node is told lands in the log as it is. */
const askOnce = new StateGraph(LogState).addNode("ask", () => ({ log: [interrupt("sure?")] })).addEdge(START, "ask");

describe("plain LangGraph", () => {
  const config = { configurable: { thread_id: "plain" } };

  test("H1: gives one answer to both of two open questions", async () => {
    const graph = twoPayments.compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, config);
    const { log } = await graph.invoke(new Command({ resume: "yes" }), config);
    expect(new Set(log)).toEqual(new Set(["rent: yes", "fine: yes"]));
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

  test("H4: has one id for two questions of a node", async () => {
    const graph = askTwice.compile({ checkpointer: new MemorySaver() });
    const first = await graph.invoke({}, config);
    const second = await graph.invoke(new Command({ resume: "one" }), config);
    const idOf = (output: object) => (output as { __interrupt__: { id: string }[] }).__interrupt__[0]?.id;
    expect(idOf(second)).toBe(idOf(first));
  });

  test.each([[false], [0], [""]])("H10: refuses %j as an answer", async (answer) => {
    const graph = askOnce.compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, config);
    await expect(graph.invoke(new Command({ resume: answer }), config)).rejects.toThrow("Received empty Command input");
  });
});

describeOnEachCheckpointer("the runner", (store) => {
  test("H1: one answer never goes to two questions", async () => {
    const runner = createRunner(twoPayments, { name: "payments", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { interrupts } = await runner.start(thread, {});
    expect(interrupts.map(({ node }) => node).toSorted()).toEqual(["pay_fine", "pay_rent"]);

    await expect(runner.resume(thread, { answer: "yes" })).rejects.toMatchObject({ code: "INTERRUPT_AMBIGUOUS" });
    const rent = interrupts.find(({ node }) => node === "pay_rent");
    const state = await runner.resume(thread, { [rent!.id]: "yes" });

    expect(state.status).toBe("interrupted");
    expect(state.values.log).toEqual(["rent: yes"]);
    expect(state.interrupts.map(({ node }) => node)).toEqual(["pay_fine"]);
    const done = await runner.resume(thread, { answer: "no" }); // one is open now, so it needs no name
    expect(done.status).toBe("done");
    expect(done.values.log.toSorted()).toEqual(["fine: no", "rent: yes"]);
  });
});
