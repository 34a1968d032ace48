import { Annotation, DeltaChannel, START, Send, StateGraph } from "@langchain/langgraph";
import type { CheckpointSaverTestInitializer } from "@langchain/langgraph-checkpoint-validation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import { newThread } from "./store.ts";
import type { Backend, Store } from "./store.ts";

// The published suite finds its test functions in the global scope, already while it is loaded.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });
const { deltaChannelHistoryTests, specTest } = await import("@langchain/langgraph-checkpoint-validation");

/** LangGraph's published conformance suite, with its opt-in part about delta channels. */
export function describeLangGraphSuite(backend: Backend): void {
  const stores = new Map<Checkpointer, Store>();
  const initializer: CheckpointSaverTestInitializer<Checkpointer> = {
    // The suite leaves a case out for savers that store whole checkpoints, which it knows by their names.
    checkpointerName: backend.storesChannelsApart ? "LangGraph's suite" : "MemorySaver",
    createCheckpointer: async () => {
      const store = await backend.fresh();
      const checkpointer = await store.open();
      stores.set(checkpointer, store);
      return checkpointer;
    },
    destroyCheckpointer: async (checkpointer) => {
      await checkpointer.close();
      await stores.get(checkpointer)?.remove?.();
    },
  };
  specTest(initializer);
  deltaChannelHistoryTests(initializer);

  it("a DeltaChannel is read as nodes side by side wrote it, in the order in which the run had it", async () => {
    const checkpointer = await initializer.createCheckpointer();
    const State = Annotation.Root({
      log: () => new DeltaChannel<string[], string[]>((kept, added) => kept.concat(...added)),
      seen: Annotation<string[]>,
    }) as unknown as typeof DeltaState;
    const graph = new StateGraph(State)
      .addNode("part", (name: unknown) => ({ log: [String(name)] }))
      .addNode("after", ({ log }) => ({ seen: log }))
      .addConditionalEdges(START, () => [...NAMES].map((name) => new Send("part", name)))
      .addEdge("part", "after");
    for (const name of NAMES) graph.addNode(name, () => ({ log: [name] })).addEdge(START, name as typeof START);
    const compiled = graph.compile({ checkpointer });
    const config = { configurable: { thread_id: newThread() } };
    const { seen } = await compiled.invoke({}, config);
    expect(seen).toHaveLength(2 * NAMES.length);
    expect((await compiled.getState(config)).values.log).toEqual(seen);
    await initializer.destroyCheckpointer?.(checkpointer);
  });
}

const NAMES = ["ape", "bee", "cat", "dog", "eel", "fox"];

/** What the state of a DeltaChannel looks like to TypeScript. */
const DeltaState = Annotation.Root({ log: Annotation<string[]>, seen: Annotation<string[]> });
