/** Questions that LangGraph stores under a task that is none of the superstep's own: nobody may miss them. */
import { START, StateGraph, entrypoint, interrupt, task } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import type { ThreadState } from "perdure/runner";
import { expect, test } from "vitest";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { TextLog } from "../support/text-log.ts";

const ask = task("ask", async (question: string) => `${question} ${String(interrupt(question))}`);
const asked = ({ interrupts }: Pick<ThreadState, "interrupts">) => interrupts.map(({ node, value }) => [node, value]);
const idOf = ({ interrupts }: Pick<ThreadState, "interrupts">, question: string) =>
  interrupts.find(({ value }) => value === question)!.id;

describeOnEachCheckpointer("a question asked", (store) => {
  test("in a task() of an entrypoint is open, and so is the next one", async () => {
    const flow = entrypoint({ name: "flow" }, async (_input: object) => [await ask("who?"), await ask("why?")]);
    const runner = createRunner(flow, { name: "flow", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const first = await runner.start(thread, {});
    expect(first.status).toBe("interrupted");
    expect(asked(first)).toEqual([["flow", "who?"]]);

    const second = await runner.resume(thread, { answer: "me" });
    expect(asked(second)).toEqual([["flow", "why?"]]);
    expect(second.interrupts[0]?.id).not.toBe(first.interrupts[0]?.id);
    const done = await runner.resume(thread, { answer: "because" });
    expect(done).toMatchObject({ status: "done", values: ["who? me", "why? because"] });
    expect(await runner.resume(thread, { [first.interrupts[0]!.id]: "me" })).toEqual(done);
  });

  test("in task()s side by side, in a node, is open beside the other, and answered alone", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("desk", async () => ({ log: (await Promise.all([ask("a?"), ask("b?")])).join(", ") }))
      .addEdge(START, "desk");
    const runner = createRunner(graph, { name: "desk", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const both = await runner.start(thread, {});
    expect(asked(both).map(String).toSorted()).toEqual(["desk,a?", "desk,b?"]);
    const one = await runner.resume(thread, { [idOf(both, "b?")]: 2 });
    expect(asked(one)).toEqual([["desk", "a?"]]);
    expect(idOf(one, "a?")).toBe(idOf(both, "a?"));
    const done = await runner.resume(thread, { answer: 1 });
    expect(done).toMatchObject({ status: "done", values: { log: ["a? 1, b? 2"] } });
  });

  test("by a node's error handler is open, and its answer reaches the handler; the node is not run again", async () => {
    const runs: string[] = [];
    const graph = new StateGraph(TextLog)
      .addNode(
        "work",
        () => {
          runs.push("work");
          throw new Error("broken");
        },
        {
          errorHandler: () => {
            runs.push("handler");
            return { log: `told to ${String(interrupt("what now?"))}` };
          },
        },
      )
      .addEdge(START, "work");
    const runner = createRunner(graph, { name: "work", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const stopped = await runner.start(thread, {});
    expect(stopped.status).toBe("interrupted");
    expect(asked(stopped)).toEqual([["work", "what now?"]]);
    expect(await runner.continue(thread)).toEqual(stopped);
    expect(await runner.resume(thread, { answer: "skip it" })).toMatchObject({
      status: "done",
      values: { log: ["told to skip it"] },
    });
    expect(runs).toEqual(["work", "handler", "handler"]);
  });
});
