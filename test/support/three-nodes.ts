import { START, StateGraph } from "@langchain/langgraph";
import { TextLog } from "./text-log.ts";

/** Three nodes in a row, "a", "b" and "c", with a note of each run. */
export function threeNodes() {
  const runs: string[] = [];
  const node = (name: string) => () => {
    runs.push(name);
    return { log: name };
  };
  const graph = new StateGraph(TextLog)
    .addNode("a", node("a"))
    .addNode("b", node("b"))
    .addNode("c", node("c"))
    .addEdge(START, "a")
    .addEdge("a", "b")
    .addEdge("b", "c");
  return { graph, runs };
}
