import { Annotation, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver, LangGraphRunnableConfig } from "@langchain/langgraph";

/** The state of a graph for tests: a log to add lines to. */
export const LogState = Annotation.Root({
  log: Annotation<unknown[], unknown[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});

/** A compiled graph of one node, which adds what `run` returns to the log. Durability is `sync`, as under the runner. */
export function oneNodeGraph(
  run: (config: LangGraphRunnableConfig) => unknown,
  options: { readonly checkpointer?: BaseCheckpointSaver; readonly retry?: { readonly maxAttempts: number } } = {},
) {
  const { checkpointer = new MemorySaver(), retry } = options;
  const graph = new StateGraph(LogState)
    .addNode(
      "node",
      async (_state, config) => ({ log: [await run(config)] }),
      retry === undefined ? {} : { retryPolicy: { ...retry, initialInterval: 0, jitter: false, logWarning: false } },
    )
    .addEdge(START, "node")
    .compile({ checkpointer });
  return {
    graph,
    checkpointer,
    /** Runs the thread, from its input or (with null or a Command) from where it stands. */
    run: (input: Parameters<typeof graph.invoke>[0], threadId = "thread-1") =>
      graph.invoke(input, { configurable: { thread_id: threadId }, durability: "sync" }),
  };
}
