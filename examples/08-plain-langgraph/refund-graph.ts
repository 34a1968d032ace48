import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";

const State = Annotation.Root({ cents: Annotation<number>(), outcome: Annotation<string>() });

/** Asks before it refunds: plain LangGraph, with nothing of perdure in it. */
export const builder = new StateGraph(State)
  .addNode("refund", ({ cents }) => {
    const approved = interrupt<{ cents: number }, boolean>({ cents });
    return { outcome: approved ? `refunded ${cents} cents` : "refused" };
  })
  .addEdge(START, "refund");
