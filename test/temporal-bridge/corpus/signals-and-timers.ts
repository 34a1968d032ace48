import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { approval, decisionsChannel, sleep, waitForSignal } from "perdure/nodes";
import { z } from "zod";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph } from "./corpus-graph.ts";

const Money = Annotation.Root({
  amount: Annotation<number>(),
  path: Annotation<string[], string>({ reducer: (kept, added) => [...kept, added], default: () => [] }),
  decisions: decisionsChannel(),
});

export const signalsAndTimers: readonly CorpusGraph[] = [
  {
    name: "signals, one before anybody waits for it",
    script: [
      { input: {} },
      { signal: { name: "later", payload: "L", id: "s1" } },
      { signal: { name: "go", payload: "A", id: "s2" } },
      { signal: { name: "go", payload: "A again", id: "s2" } },
      { signal: { name: "go", payload: "B", id: "s3" } },
    ],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("wait", async () => {
          world.note("wait");
          return { log: await waitForSignal("go", z.string()) };
        })
        .addNode("later", async () => {
          world.note("later");
          return { log: await waitForSignal("later", z.string()) };
        })
        .addEdge(START, "wait")
        .addConditionalEdges("wait", ({ log }) => (log.length < 2 ? "wait" : "later"), ["wait", "later"])
        .addEdge("later", END),
  },
  {
    name: "a signal that a subgraph waits for, beside a branch that goes on",
    script: [{ input: {} }, { signal: { name: "go", payload: "now", id: "s1" } }],
    build: (world) => {
      const inner = new StateGraph(TextLog)
        .addNode("wait", async () => ({ log: await waitForSignal("go", z.string()) }))
        .addEdge(START, "wait")
        .compile();
      return new StateGraph(TextLog)
        .addNode("inner", inner)
        .addNode("beside", () => ({ log: `beside ${world.note("beside")}` }))
        .addEdge(START, "inner")
        .addEdge(START, "beside");
    },
  },
  {
    name: "a sleep",
    script: [{ input: {} }, { due: true }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("sleep", async () => {
          world.note("sleep");
          await sleep(50);
          return { log: "awake" };
        })
        .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
        .addEdge(START, "sleep")
        .addEdge("sleep", "after"),
  },
  {
    name: "a wait for a signal that does not come",
    script: [{ input: {} }, { due: true }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("wait", async () => {
          world.note("wait");
          const signal = await waitForSignal("go", z.string(), { expiresInMs: 50, onExpiry: "undefined" });
          return { log: signal === undefined ? "nothing" : String(signal) };
        })
        .addEdge(START, "wait"),
  },
  {
    name: "an approval",
    script: [{ input: { amount: 40 } }, { answer: () => ({ decisions: [{ type: "approve" }], decidedBy: "ada" }) }],
    build: (world) => {
      const ask = approval({
        actions: (state: typeof Money.State) => [{ name: "refund", args: { amount: state.amount } }],
        assignee: "ada",
        onApprove: "refund",
        onReject: "explain",
      });
      return new StateGraph(Money)
        .addNode("ask", ask, ask.options)
        .addNode("refund", () => ({ path: `refund ${world.note("refund")}` }))
        .addNode("explain", () => ({ path: `explain ${world.note("explain")}` }))
        .addEdge(START, "ask");
    },
  },
  {
    name: "an approval that nobody gives in time",
    script: [{ input: { amount: 40 } }, { due: true }],
    build: (world) => {
      const ask = approval({
        actions: (state: typeof Money.State) => [{ name: "refund", args: { amount: state.amount } }],
        assignee: "ada",
        expiresInMs: 50,
        onApprove: "refund",
        onReject: "explain",
      });
      return new StateGraph(Money)
        .addNode("ask", ask, ask.options)
        .addNode("refund", () => ({ path: `refund ${world.note("refund")}` }))
        .addNode("explain", () => ({ path: `explain ${world.note("explain")}` }))
        .addEdge(START, "ask");
    },
  },
];
