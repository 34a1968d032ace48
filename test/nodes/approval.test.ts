import { Annotation, Command, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { approval, decisionsChannel, readNodeTraits } from "perdure/nodes";
import type { ApprovalNode, DueAnswer } from "perdure/nodes";

const State = Annotation.Root({
  amount: Annotation<number>(),
  path: Annotation<string[], string>({ reducer: (kept, added) => [...kept, added], default: () => [] }),
  decisions: decisionsChannel(),
});

const thread = { configurable: { thread_id: "thread-1" } };
const due: DueAnswer = { perdure: "due", at: "2026-01-01T00:00:00.000Z" };

const routed = {
  actions: (state: typeof State.State) => [{ name: "refund", args: { amount: state.amount } }],
  onApprove: "refund",
  onReject: "explain",
} as const;

function graphOf(ask: ApprovalNode<typeof State.State, "refund" | "explain" | "call", object>) {
  return new StateGraph(State)
    .addNode("ask", ask, ask.options)
    .addNode("refund", ({ amount }) => ({ path: `refund ${amount}` }))
    .addNode("explain", () => ({ path: "explain" }))
    .addNode("call", () => ({ path: "call" }))
    .addConditionalEdges(START, () => "ask", ["ask", "call"])
    .compile({ checkpointer: new MemorySaver() });
}

describe("approval", () => {
  test("an approved action goes on at onApprove, a rejected one at onReject; the decision is in the state", async () => {
    for (const [type, node] of [
      ["approve", "refund 40"],
      ["reject", "explain"],
    ]) {
      const graph = graphOf(approval(routed));
      await graph.invoke({ amount: 40 }, thread);
      const state = await graph.invoke(new Command({ resume: { decisions: [{ type }], decidedBy: "ada" } }), thread);

      expect(state.path).toEqual([node]);
      expect(state.decisions).toMatchObject([
        { type, decidedBy: "ada", action: { name: "refund", args: { amount: 40 } } },
      ]);
    }
  });

  test("one rejection among several actions is a rejection", async () => {
    const actions = [
      { name: "a", args: {} },
      { name: "b", args: {} },
    ];
    const graph = graphOf(approval({ ...routed, actions }));
    await graph.invoke({}, thread);

    const decisions = [{ type: "approve" }, { type: "reject" }];
    const state = await graph.invoke(new Command({ resume: { decisions } }), thread);

    expect(state.path).toEqual(["explain"]);
    expect(state.decisions.map(({ type }) => type)).toEqual(["approve", "reject"]);
  });

  test("an edited action goes on at onApprove, with what `update` makes of the edit", async () => {
    const graph = graphOf(
      approval({
        ...routed,
        update: ({ decisions: [decision] }, state) => ({
          amount: decision?.type === "edit" ? Number(decision.editedAction.args["amount"]) : state.amount,
        }),
      }),
    );
    await graph.invoke({ amount: 40 }, thread);

    const decisions = [{ type: "edit", editedAction: { name: "refund", args: { amount: 5 } } }];
    const state = await graph.invoke(new Command({ resume: { decisions } }), thread);

    expect(state.path).toEqual(["refund 5"]);
  });

  test("when its time is over it goes to the node onExpiry names, else to onReject", async () => {
    for (const [onExpiry, node] of [
      ["call", "call"],
      ["reject", "explain"],
    ] as const) {
      const graph = graphOf(approval({ ...routed, expiresInMs: 1, onExpiry }));
      await graph.invoke({ amount: 40 }, thread);
      const state = await graph.invoke(new Command({ resume: due }), thread);

      expect(state.path).toEqual([node]);
      expect(state.decisions).toMatchObject([{ type: "reject", decidedBy: null, expired: true, at: due.at }]);
    }
  });

  test("with nothing to decide it goes on as approved, and asks nobody", async () => {
    const state = await graphOf(approval({ ...routed, actions: [] })).invoke({ amount: 40 }, thread);

    expect(state.path).toEqual(["refund 40"]);
    expect(state.decisions).toEqual([]);
  });

  test("without onApprove and onReject it goes along the node's edges, which read the decision in the state", async () => {
    const ask = approval({ actions: [{ name: "refund", args: {} }] });
    const graph = new StateGraph(State)
      .addNode("ask", ask, ask.options)
      .addNode("after", () => ({ path: "after" }))
      .addEdge(START, "ask")
      .addConditionalEdges("ask", ({ decisions }) => (decisions.at(-1)?.type === "approve" ? "after" : END))
      .compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, thread);

    const state = await graph.invoke(new Command({ resume: { decisions: [{ type: "approve" }] } }), thread);

    expect(state.path).toEqual(["after"]);
  });

  test("keeps decisions of earlier turns", async () => {
    const graph = graphOf(approval(routed));
    for (const type of ["reject", "approve"]) {
      await graph.invoke({ amount: 1 }, thread);
      await graph.invoke(new Command({ resume: { decisions: [{ type }] } }), thread);
    }

    const { values } = await graph.getState(thread);
    expect((values as typeof State.State).decisions.map(({ type }) => type)).toEqual(["reject", "approve"]);
  });

  test("its options say where it can go and that it asks, for addNode", () => {
    const ask = approval({ ...routed, expiresInMs: 1, onExpiry: { escalateTo: "bob", onExpiry: "call" } });

    expect(ask.options.ends).toEqual(["refund", "explain", "call"]);
    expect(readNodeTraits(ask.options.metadata)).toEqual({ approval: true });
    expect(approval({ actions: [] }).options).not.toHaveProperty("ends");
  });

  test("keeps the decisions in the channel it is told to", async () => {
    const Other = Annotation.Root({ verdicts: decisionsChannel() });
    const graph = new StateGraph(Other)
      .addNode("ask", approval({ actions: [{ name: "refund", args: {} }], decisionsKey: "verdicts" }))
      .addEdge(START, "ask")
      .compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, thread);

    const state = await graph.invoke(new Command({ resume: { decisions: [{ type: "approve" }] } }), thread);

    expect(state.verdicts).toMatchObject([{ type: "approve" }]);
  });

  test.each<[string, object, string]>([
    ["onApprove without onReject", { onApprove: "refund" }, "onReject"],
    ["onReject without onApprove", { onReject: "refund" }, "onApprove"],
    [
      "an expiry that goes to a node where the rest goes along edges",
      { expiresInMs: 1, onExpiry: "call" },
      "`onExpiry`",
    ],
    [
      "the same at the end of an escalation",
      { expiresInMs: 1, onExpiry: { escalateTo: "b", onExpiry: "call" } },
      "`onExpiry`",
    ],
  ])("refuses %s", (_title, options, named) => {
    expect(() => approval({ actions: [], ...options } as never)).toThrow(
      expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining(named) }),
    );
  });
});
