import { Annotation, Command, START, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { approval, budgetChannel, decisionsChannel, getIdempotencyKey, once, withPolicies } from "perdure/nodes";
import { describe, expect, test } from "vitest";
import { memoryRunner } from "../support/memory-runner.ts";
import { LogState } from "../support/one-node-graph.ts";

const Money = Annotation.Root({
  amount: Annotation<number>(),
  path: Annotation<string[], string>({ reducer: (kept, added) => [...kept, added], default: () => [] }),
  decisions: decisionsChannel(),
});

function refunds() {
  const ask = approval({
    actions: (state: typeof Money.State) => [
      {
        name: "refund",
        args: { amount: state.amount },
        argsSchema: { type: "object", properties: { amount: { type: "number", maximum: 100 } }, required: ["amount"] },
      },
    ],
    assignee: "ada",
    expiresInMs: 60_000,
    onExpiry: { escalateTo: "bob" },
    onApprove: "refund",
    onReject: "explain",
  });
  return new StateGraph(Money)
    .addNode("ask", ask, ask.options)
    .addNode("refund", () => ({ path: "refund" }))
    .addNode("explain", () => ({ path: "explain" }))
    .addEdge(START, "ask");
}

describe("an approval under a runner", () => {
  test("takes no answer that does not fit, keeps the first one that does, and records who gave it", async () => {
    const { runner } = await memoryRunner(refunds());
    const asked = await runner.start("t", { amount: 40 });
    const [question] = asked.interrupts;
    const edit = (amount: number) => ({
      decisions: [{ type: "edit", editedAction: { name: "refund", args: { amount } } }],
      decidedBy: "ada",
    });

    for (const wrong of ["yes", { decisions: [] }, edit(101), { perdure: "due", at: "2026-01-01T00:00:00.000Z" }]) {
      await expect(runner.resume("t", { answer: wrong })).rejects.toMatchObject({ code: "ANSWER_INVALID" });
    }
    expect(await runner.inspect("t")).toEqual(asked);
    const done = await runner.resume("t", { [question?.id as string]: edit(30) });

    expect(done).toMatchObject({ status: "done", values: { path: ["refund"] } });
    expect(done.values.decisions).toMatchObject([{ type: "edit", decidedBy: "ada", assignee: "ada" }]);
    await expect(runner.resume("t", { [question?.id as string]: edit(20) })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
  });

  test("that nobody answers is asked again of somebody else, as another question, and then rejected", async () => {
    let now = Date.now();
    const { runner } = await memoryRunner(refunds(), { now: () => now });
    const first = (await runner.start("t", { amount: 40 })).interrupts[0];
    expect((await runner.continue("t")).interrupts).toEqual([first]);

    now = first!.dueAt!;
    const second = (await runner.continue("t")).interrupts[0];
    expect(second).toMatchObject({ kind: "approval", value: { assignee: "bob" } });
    expect(second?.id).not.toBe(first?.id);
    await expect(
      runner.resume("t", { [first?.id as string]: { decisions: [{ type: "approve" }] } }),
    ).rejects.toMatchObject({ code: "INTERRUPT_ALREADY_ANSWERED" });

    now = second!.dueAt!;
    const done = await runner.continue("t");
    expect(done).toMatchObject({ status: "done", values: { path: ["explain"] } });
    expect(done.values.decisions.map(({ type, assignee, expired }) => [type, assignee, expired])).toEqual([
      ["escalate", "ada", true],
      ["reject", "bob", true],
    ]);
  });
});

describe("once under a runner", () => {
  test("keeps what was done before a question in a subgraph, and once inside of once", async () => {
    const done: string[] = [];
    const keys: string[] = [];
    const work = (name: string) => () => {
      done.push(name);
      return name;
    };
    const inner = new StateGraph(LogState)
      .addNode("inner", async () => {
        keys.push(getIdempotencyKey());
        const first = await once("first", work("first"));
        const outer = await once("outer", async () => `${await once("nested", work("nested"))} in outer`);
        return { log: [first, outer, interrupt("sure?")] };
      })
      .addEdge(START, "inner")
      .compile();
    const graph = new StateGraph(LogState).addNode("sub", inner).addEdge(START, "sub");
    const { runner, checkpointer } = await memoryRunner(graph);
    await runner.start("t", {});

    const { runner: other } = await memoryRunner(graph, { checkpointer });
    const state = await other.resume("t", { answer: "yes" });

    expect(state).toMatchObject({ status: "done", values: { log: ["first", "nested in outer", "yes"] } });
    expect(done).toEqual(["first", "nested"]);
    expect(new Set(keys).size).toBe(1);
  });

  test("a node that failed finds what it had done when the thread is continued", async () => {
    let fails = true;
    let charged = 0;
    const graph = new StateGraph(LogState)
      .addNode("pay", async () => {
        const receipt = await once("charge", () => `receipt ${(charged += 1)}`);
        if (fails) throw new Error("later trouble");
        return { log: [receipt] };
      })
      .addEdge(START, "pay");
    const { runner } = await memoryRunner(graph);
    expect((await runner.start("t", {})).status).toBe("error");
    fails = false;

    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["receipt 1"] } });
    expect(charged).toBe(1);
  });
});

describe("a budget under a runner", () => {
  const State = Annotation.Root({ ...LogState.spec, budget: budgetChannel() });
  const graph = new StateGraph(State)
    .addNode(
      "round",
      withPolicies(
        async ({ log }: typeof State.State, _config: LangGraphRunnableConfig) =>
          new Command({ update: { log: [log.length === 1 ? interrupt("go on?") : "round"] }, goto: "round" }),
        { budget: { iterations: 3, onExceeded: "stop" } },
      ),
      { ends: ["round", "stop"] },
    )
    .addNode("stop", () => ({}))
    .addEdge(START, "round");

  test("is one for the whole run, over a resume, and whole again for the next turn", async () => {
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    const first = await runner.resume("t", { answer: "yes" });
    const second = await runner.start("t", {});

    expect(first).toMatchObject({ status: "done", values: { log: { length: 3 }, budget: { iterations: 3 } } });
    expect(second).toMatchObject({ status: "done", values: { log: { length: 6 }, budget: { iterations: 3 } } });
    expect(second.values.budget.turn).toBeGreaterThan(first.values.budget.turn as number);
  });

  test("I5: is counted in the state just as plain LangGraph counts it", async () => {
    const { runner, checkpointer } = await memoryRunner(graph);
    await runner.start("a", {});
    const driven = await runner.resume("a", { answer: "yes" });
    const plain = graph.compile({ checkpointer });
    const thread = { configurable: { thread_id: "b" } };
    await plain.invoke({}, thread);
    const alone = await plain.invoke(new Command({ resume: "yes" }), thread);

    expect(driven.values.budget).toEqual(alone.budget);
  });
});
