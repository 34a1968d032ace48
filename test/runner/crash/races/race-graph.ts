import { Annotation, START, StateGraph } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";

const State = Annotation.Root({
  log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});

/** What the nodes of {@link raceGraph} do; each returns the line that it writes. */
export interface RaceNodes {
  /** Beside `work`, and quick. */
  quick(): string;
  work(signal: AbortSignal): Promise<string>;
}

/** A quick node beside one whose work lasts as long as the test says, and one after them. */
export function raceGraph(nodes: RaceNodes) {
  return new StateGraph(State)
    .addNode("quick", () => ({ log: [nodes.quick()] }))
    .addNode("work", async (_state, { signal }: LangGraphRunnableConfig) => ({
      log: [await nodes.work(signal ?? new AbortController().signal)],
    }))
    .addNode("after", ({ log }) => ({ log: [`after ${log.length}`] }))
    .addEdge(START, "quick")
    .addEdge(START, "work")
    .addEdge(["quick", "work"], "after");
}
