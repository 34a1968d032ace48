import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { QUESTION, STEPS, work } from "./case-file.ts";
import type { CaseFile } from "./case-file.ts";

const State = Annotation.Root({
  customer: Annotation<CaseFile["customer"]>,
  order: Annotation<CaseFile["order"]>,
  question: Annotation<string>,
  status: Annotation<string>,
  log: Annotation<readonly string[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
  approved: Annotation<boolean>,
});

/** The same as graphs: a node for each activity. */
export const caseGraphs = { handleCase: handleCase(), askPerson: askPerson() };

function handleCase() {
  const graph = new StateGraph(State) as unknown as StateGraph<typeof State.spec, CaseFile, Partial<CaseFile>, string>;
  for (const step of STEPS) graph.addNode(step, () => worked(step));
  for (const [n, step] of STEPS.entries()) graph.addEdge(STEPS[n - 1] ?? START, step);
  return graph.compile();
}

function askPerson() {
  return new StateGraph(State)
    .addNode("step1", () => worked("step1"))
    .addNode("ask", () => ({ approved: interrupt<string, boolean>(QUESTION) }))
    .addEdge(START, "step1")
    .addEdge("step1", "ask")
    .compile();
}

function worked(step: string) {
  const { status, line } = work(step);
  return { status, log: [line] };
}
