import { appendFileSync } from "node:fs";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  chapters: Annotation<string[]>({ reducer: (before, more) => before.concat(more), default: () => [] }),
  wanted: Annotation<number>(),
});

/** A report of several chapters: one node that goes round until all are written. Each run of it is noted in `ledger`. */
export function reportGraph(ledger: string) {
  return new StateGraph(State)
    .addNode("write", async ({ chapters }) => {
      const chapter = `Chapter ${chapters.length + 1}`;
      appendFileSync(ledger, `${process.pid} ${chapter}\n`);
      await new Promise((resolve) => setTimeout(resolve, 300)); // the slow part: a model, a search
      return { chapters: [chapter] };
    })
    .addEdge(START, "write")
    .addConditionalEdges("write", ({ chapters, wanted }) => (chapters.length < wanted ? "write" : END), ["write", END]);
}
