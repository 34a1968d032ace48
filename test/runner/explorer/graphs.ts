import { START, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { waitForSignal } from "perdure/nodes";
import { z } from "zod";
import { TextLog } from "../../support/text-log.ts";
import type { NodeLedger } from "./account.ts";

type Node = (state: unknown, config: LangGraphRunnableConfig) => { log: string } | Promise<{ log: string }>;

/** A node that only writes its name. */
function works(ledger: NodeLedger, name: string): Node {
  return (_state, config) => {
    ledger.began(name, config);
    return { log: name };
  };
}

/** A node that asks, and writes what it was told. */
function asks(ledger: NodeLedger, name: string): Node {
  return (_state, config) => {
    ledger.began(name, config);
    const answer = String(interrupt(`${name}?`));
    ledger.answered(0, answer, config);
    return { log: `${name}=${answer}` };
  };
}

/** Two siblings, and one node after both. */
export function siblings(ledger: NodeLedger) {
  return new StateGraph(TextLog)
    .addNode("left", works(ledger, "left"))
    .addNode("right", works(ledger, "right"))
    .addNode("join", works(ledger, "join"))
    .addEdge(START, "left")
    .addEdge(START, "right")
    .addEdge(["left", "right"], "join")
    .compile();
}

/** One node that asks, and one after it. */
export function approval(ledger: NodeLedger) {
  return new StateGraph(TextLog)
    .addNode("ask", asks(ledger, "ask"))
    .addNode("act", works(ledger, "act"))
    .addEdge(START, "ask")
    .addEdge("ask", "act")
    .compile();
}

/** Two siblings that ask, and one node after both. */
export function twoApprovals(ledger: NodeLedger) {
  return new StateGraph(TextLog)
    .addNode("left", asks(ledger, "left"))
    .addNode("right", asks(ledger, "right"))
    .addNode("join", works(ledger, "join"))
    .addEdge(START, "left")
    .addEdge(START, "right")
    .addEdge(["left", "right"], "join")
    .compile();
}

/** One node that waits for a signal, and one after it. */
export function signalled(ledger: NodeLedger) {
  return new StateGraph(TextLog)
    .addNode("wait", async (_state, config) => {
      ledger.began("wait", config);
      const payload = await waitForSignal("go", z.string());
      ledger.answered(0, payload, config);
      return { log: `wait=${payload}` };
    })
    .addNode("act", works(ledger, "act"))
    .addEdge(START, "wait")
    .addEdge("wait", "act")
    .compile();
}

/** Three nodes in a row. */
export function row(ledger: NodeLedger) {
  return new StateGraph(TextLog)
    .addNode("one", works(ledger, "one"))
    .addNode("two", works(ledger, "two"))
    .addEdge(START, "one")
    .addEdge("one", "two")
    .compile();
}

/** A node that is a graph of two, of which the first asks or works, and one after it. */
export function subgraph(first: "asks" | "works") {
  return (ledger: NodeLedger) => {
    const inner = new StateGraph(TextLog)
      .addNode("first", (first === "asks" ? asks : works)(ledger, "first"))
      .addNode("second", works(ledger, "second"))
      .addEdge(START, "first")
      .addEdge("first", "second")
      .compile();
    return new StateGraph(TextLog)
      .addNode("inside", inner)
      .addNode("after", works(ledger, "after"))
      .addEdge(START, "inside")
      .addEdge("inside", "after")
      .compile();
  };
}
