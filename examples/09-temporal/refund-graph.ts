import { setTimeout as pause } from "node:timers/promises";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { once, requestApproval } from "perdure";

const State = Annotation.Root({ orderId: Annotation<string>, cents: Annotation<number>, outcome: Annotation<string> });

/** Asks a person, then pays; `onPaying` hears of each attempt. An ordinary graph: nothing of it is Temporal's. */
export function refundGraph(onPaying: () => void) {
  return new StateGraph(State)
    .addNode("ask", async ({ orderId, cents }) => {
      const { decisions } = await requestApproval({ actions: [{ name: "refund", args: { orderId, cents } }] });
      return { outcome: decisions[0]?.type === "approve" ? "approved" : "rejected" };
    })
    .addNode("pay", async ({ orderId, cents }) => {
      const receipt = await once("pay", async ({ idempotencyKey }) => {
        onPaying();
        await pause(1_000); // a bank takes its time, and knows the key again
        return `paid ${cents} cents for ${orderId}, key of ${idempotencyKey.length} characters`;
      });
      return { outcome: receipt };
    })
    .addEdge(START, "ask")
    .addConditionalEdges("ask", ({ outcome }) => (outcome === "approved" ? "pay" : END))
    .compile();
}
