import { Annotation, Command, END, START, Send, StateGraph, entrypoint, interrupt, task } from "@langchain/langgraph";
import type { StateSnapshot } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isFinished } from "../../src/checkpoint/finished-thread.ts";
import type { ThreadHead } from "../../src/checkpoint/finished-thread.ts";
import { collect } from "../support/collect.ts";

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (all, added) => [...all, ...added], default: () => [] }),
});
const says = (name: string) => () => ({ log: [name] });

/** A graph that LangGraph runs and says of what is next. */
interface Runnable {
  invoke(input: unknown, config: object): Promise<unknown>;
  getStateHistory(config: object): AsyncIterable<StateSnapshot>;
}

const GRAPHS: Readonly<Record<string, (checkpointer: Checkpointer) => Runnable>> = {
  "a chain": (checkpointer) =>
    new StateGraph(State)
      .addNode("a", says("a"))
      .addNode("b", says("b"))
      .addEdge(START, "a")
      .addEdge("a", "b")
      .compile({ checkpointer }) as unknown as Runnable,
  "a join of branches of different lengths": (checkpointer) =>
    new StateGraph(State)
      .addNode("a", says("a"))
      .addNode("b", says("b"))
      .addNode("c", says("c"))
      .addNode("last", says("last"))
      .addEdge(START, "a")
      .addEdge(START, "b")
      .addEdge("b", "c")
      .addEdge(["a", "c"], "last")
      .compile({ checkpointer }) as unknown as Runnable,
  "a join that never has all its nodes": (checkpointer) =>
    new StateGraph(State)
      .addNode("a", says("a"))
      .addNode("b", says("b"))
      .addNode("last", says("last"))
      .addConditionalEdges(START, () => ["a"], ["a", "b"])
      .addEdge(["a", "b"], "last")
      .compile({ checkpointer }) as unknown as Runnable,
  sends: (checkpointer) =>
    new StateGraph(State)
      .addNode("a", says("a"))
      .addNode("each", says("each"))
      .addEdge(START, "a")
      .addConditionalEdges("a", () => [new Send("each", {}), new Send("each", {})], ["each"])
      .compile({ checkpointer }) as unknown as Runnable,
  "a node that waits for all others, and goto": (checkpointer) =>
    new StateGraph(State)
      .addNode("a", says("a"))
      .addNode("b", () => new Command({ goto: "c", update: { log: ["b"] } }), { ends: ["c"] })
      .addNode("c", says("c"))
      .addNode("last", says("last"), { defer: true })
      .addEdge(START, "a")
      .addEdge(START, "b")
      .addEdge("a", "last")
      .addEdge("c", "last")
      .compile({ checkpointer }) as unknown as Runnable,
  "a loop": (checkpointer) =>
    new StateGraph(State)
      .addNode("a", says("a"))
      .addEdge(START, "a")
      .addConditionalEdges("a", ({ log }) => (log.length < 4 ? "a" : END), ["a", END])
      .compile({ checkpointer }) as unknown as Runnable,
  "a question": (checkpointer) =>
    new StateGraph(State)
      .addNode("a", says("a"))
      .addNode("ask", () => ({ log: [String(interrupt("?"))] }))
      .addEdge(START, "a")
      .addEdge("a", "ask")
      .compile({ checkpointer }) as unknown as Runnable,
  "a breakpoint": (checkpointer) =>
    new StateGraph(State)
      .addNode("a", says("a"))
      .addNode("b", says("b"))
      .addEdge(START, "a")
      .addEdge("a", "b")
      .compile({ checkpointer, interruptBefore: ["b"] }) as unknown as Runnable,
  "an entrypoint": (checkpointer) =>
    entrypoint({ name: "main", checkpointer }, async () => task("inside", async () => 1)()) as unknown as Runnable,
};

describe("isFinished", () => {
  let checkpointer: Checkpointer;
  beforeAll(async () => {
    checkpointer = await openCheckpointer("memory:");
  });
  afterAll(() => checkpointer.close());

  it.each(Object.keys(GRAPHS))(
    "tells at each checkpoint of %s whether there is something to run, over two turns",
    async (name) => {
      const graph = (GRAPHS[name] as (typeof GRAPHS)[string])(checkpointer);
      const config = { configurable: { thread_id: name } };
      for (const turn of ["one", "two"]) await graph.invoke({ log: [turn] }, config);
      const history = await collect(graph.getStateHistory(config));
      expect(history.length).toBeGreaterThan(1);
      for (const snapshot of history) {
        const tuple = (await checkpointer.getTuple(snapshot.config)) as ThreadHead;
        const finished = isFinished({ checkpoint: tuple.checkpoint });
        expect([snapshot.values, finished]).toEqual([snapshot.values, snapshot.next.length === 0]);
      }
    },
  );

  it("says no while results, questions or errors of tasks are stored with the checkpoint", () => {
    const checkpoint = { channel_values: {}, channel_versions: {}, versions_seen: {} };
    expect(isFinished({ checkpoint })).toBe(true);
    expect(isFinished({ checkpoint, pendingWrites: [["task", "log", ["a"]]] })).toBe(false);
  });

  it("goes by what nodes have seen, and not by what LangGraph notes of its snapshots among them", () => {
    const checkpoint = {
      channel_values: { mine: 1 },
      channel_versions: { mine: 3 },
      versions_seen: { node: { mine: 3 }, __snapshot_bumps__: { mine: 2, "node|mine": 3 } },
    };
    expect(isFinished({ checkpoint })).toBe(true);
  });

  it("goes by the versions that nodes have seen of channels of somebody's own", () => {
    const at = (version: number) => ({
      checkpoint: {
        channel_values: { mine: 1 },
        channel_versions: { mine: version },
        versions_seen: { node: { mine: 2 } },
      },
    });
    expect(isFinished(at(2))).toBe(true);
    expect(isFinished(at(3))).toBe(false);
  });
});
