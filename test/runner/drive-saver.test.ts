/** I1, I3: an answer that is stored stays stored, whatever LangGraph writes back. */
import { START, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import type { ThreadState } from "perdure/runner";
import { expect, test } from "vitest";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { TextLog } from "../support/text-log.ts";

const idOf = ({ interrupts }: Pick<ThreadState, "interrupts">, question: string) =>
  interrupts.find(({ value }) => value === question)!.id;

describeOnEachCheckpointer("a stored answer", (store) => {
  test("is kept by a task that fails before it reads it again", async () => {
    let fails: "never" | "between" | "after" = "after";
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => {
        const first = String(interrupt("first?"));
        if (fails === "between") throw new Error("between");
        const second = String(interrupt("second?"));
        if (fails === "after") throw new Error("after");
        return { log: `${first}, ${second}` };
      })
      .addEdge(START, "ask");
    const runner = createRunner(graph, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {});
    await runner.resume(thread, { answer: "one" });
    expect(await runner.resume(thread, { answer: "two" })).toMatchObject({
      status: "error",
      error: { message: "after" },
    });

    fails = "between";
    expect(await runner.continue(thread)).toMatchObject({
      status: "error",
      interrupts: [],
      error: { message: "between" },
    });
    fails = "never";
    expect(await runner.continue(thread)).toMatchObject({ status: "done", values: { log: ["one, two"] } });
  });

  test("is kept when it comes while its task, which a subgraph runs again, is about to ask for it", async () => {
    let asksAgain = Promise.resolve();
    let again = Promise.withResolvers<void>();
    const inner = new StateGraph(TextLog)
      .addNode("one", () => ({ log: `one: ${String(interrupt("one?"))}` }))
      .addNode("two", async () => {
        const first = String(interrupt("two, first?"));
        again.resolve();
        await asksAgain;
        return { log: `two: ${first}, ${String(interrupt("two, second?"))}` };
      })
      .addEdge(START, "one")
      .addEdge(START, "two");
    const graph = new StateGraph(TextLog).addNode("inner", inner.compile()).addEdge(START, "inner");
    const runner = createRunner(graph, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    const second = await runner.resume(thread, { [idOf(asked, "two, first?")]: "a" });

    const held = Promise.withResolvers<void>();
    asksAgain = held.promise;
    again = Promise.withResolvers<void>();
    const driving = runner.resume(thread, { [idOf(second, "one?")]: "b" });
    await again.promise;
    await runner.resume(thread, { [idOf(second, "two, second?")]: "c" });
    held.resolve();
    expect(await driving).toMatchObject({ status: "done", values: { log: ["one: b", "two: a, c"] } });
  });
});
