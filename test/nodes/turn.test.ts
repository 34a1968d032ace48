import { Annotation, Command, MemorySaver, START, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { INPUT_STEP_KEY, currentTurn } from "perdure/nodes";

const State = Annotation.Root({ asks: Annotation<boolean>() });
const thread = { configurable: { thread_id: "thread-1" }, durability: "sync" } as const;

/** A graph of two nodes, the second may ask; notes the turn each of them finds. */
function noting() {
  const turns: number[] = [];
  const note = async (_state: unknown, config: LangGraphRunnableConfig) => {
    turns.push(await currentTurn(config));
    return {};
  };
  const graph = new StateGraph(State)
    .addNode("first", note)
    .addNode("second", async (state, config) => {
      if (state.asks) interrupt("go on?");
      return note(state, config);
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .compile({ checkpointer: new MemorySaver() });
  return { graph, turns };
}

describe("currentTurn", () => {
  test("is the step of the checkpoint that holds the turn's input, in every node of the turn", async () => {
    const { graph, turns } = noting();
    await graph.invoke({ asks: false }, thread);
    await graph.invoke({ asks: false }, thread);

    const inputs: unknown[] = [];
    for await (const { metadata } of graph.getStateHistory(thread)) {
      if (metadata?.source === "input") inputs.unshift(metadata.step);
    }
    expect(inputs).toHaveLength(2);
    expect(turns).toEqual([inputs[0], inputs[0], inputs[1], inputs[1]]);
  });

  test("stays the same over a resume, and changes with an input that drops the question", async () => {
    const { graph, turns } = noting();
    await graph.invoke({ asks: true }, thread);
    await graph.invoke(new Command({ resume: "yes" }), thread);
    await graph.invoke({ asks: true }, thread);
    await graph.invoke({ asks: false }, thread);

    const [first, resumed, dropped, next, last] = turns;
    expect(resumed).toBe(first);
    expect(new Set([first, dropped, next]).size).toBe(3);
    expect(last).toBe(next);
  });

  test("in a subgraph is the turn of its thread", async () => {
    const { graph: inner, turns } = noting();
    inner.checkpointer = undefined as never;
    const outer = new StateGraph(State)
      .addNode("before", async (_state, config) => {
        turns.push(await currentTurn(config));
        return {};
      })
      .addNode("inner", inner)
      .addEdge(START, "before")
      .addEdge("before", "inner")
      .compile({ checkpointer: new MemorySaver() });

    await outer.invoke({ asks: false }, thread);
    await outer.invoke({ asks: false }, thread);

    expect(turns.slice(0, 3)).toEqual([turns[0], turns[0], turns[0]]);
    expect(turns.slice(3)).toEqual([turns[3], turns[3], turns[3]]);
    expect(turns[3]).not.toBe(turns[0]);
  });

  test("is what the driver says, when it says so", async () => {
    const { graph, turns } = noting();
    await graph.invoke({ asks: false }, { configurable: { thread_id: "1", [INPUT_STEP_KEY]: 41 } });
    expect(turns).toEqual([41, 41]);
  });

  test("is -1 without a checkpointer", async () => {
    const { graph, turns } = noting();
    graph.checkpointer = false;
    await graph.invoke({ asks: false });
    await graph.invoke({ asks: false });
    expect(turns).toEqual([-1, -1, -1, -1]);
  });
});
