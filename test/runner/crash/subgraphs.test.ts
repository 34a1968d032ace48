import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { once } from "perdure/nodes";
import { createRunner } from "perdure/runner";

const State = Annotation.Root({
  log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});

/** Two nodes in parallel, of which one asks after an effect; `wraps` of graphs around them. */
function nestedGraph(wraps: readonly ("node" | "call")[], ran: string[]) {
  let graph = new StateGraph(State)
    .addNode("sound", () => {
      ran.push("sound");
      return { log: ["sound"] };
    })
    .addNode("asks", async () => {
      ran.push("asks");
      await once("effect", () => ran.push("effect"));
      return { log: [String(interrupt("sure?"))] };
    })
    .addEdge(START, "sound")
    .addEdge(START, "asks")
    .compile();
  for (const wrap of wraps) {
    const inner = graph;
    const node = wrap === "node" ? inner : (state: typeof State.State) => inner.invoke(state);
    graph = new StateGraph(State).addNode("inner", node).addEdge(START, "inner").compile() as never;
  }
  return graph;
}

/** How the graph is wrapped, innermost first. */
const nestings: readonly (readonly ("node" | "call")[])[] = [
  [],
  ["node"],
  ["call"],
  ["node", "node"],
  ["call", "node"],
  ["node", "node", "node"],
  ["call", "node", "node"],
];

it.each(nestings.map((wraps) => ({ wraps })))(
  "I2: what is finished below $wraps does not run again",
  async ({ wraps }) => {
    const ran: string[] = [];
    const graph = nestedGraph(wraps, ran);
    const runner = createRunner(graph, { name: "nested", checkpointer: await openCheckpointer("memory:") });

    expect(await runner.start("t", { log: [] })).toMatchObject({ status: "interrupted" });
    expect(await runner.resume("t", { answer: "yes" })).toMatchObject({ status: "done" });
    expect(ran.toSorted()).toEqual(["asks", "asks", "effect", "sound"]);
  },
);
