import { Annotation, END, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { requestApproval } from "perdure/nodes";
import { answer, effect, lines, told } from "./scenario.ts";
import type { Scenario, World } from "./scenario.ts";
import { start } from "./start.ts";

const State = Annotation.Root({
  log: lines(),
  turns: Annotation<number, number>({ reducer: (kept, added) => kept + added, default: () => 0 }),
  part: Annotation<number>,
});

/** A loop, a fan-out by Send, an effect under `once`, two approvals in parallel, a second question, a cancel. */
export const approvalsScenario: Scenario = {
  name: "approvals",
  graph: (world: World) =>
    new StateGraph(State)
      .addNode("think", async (state, config) => ({
        ...(await told(world, "think", () => `thought ${state.turns}`)(state, config)),
        turns: 1,
      }))
      .addNode(
        "lookUp",
        told(world, "lookUp", () => "looked up"),
      )
      .addNode(
        "weigh",
        told(world, "weigh", (state: { part: number }) => `weighed ${state.part}`),
      )
      .addNode(
        "charge",
        told(world, "charge", (_state, threadId) => effect(world, threadId, "charged")),
      )
      .addNode("left", told(world, "left", approve))
      .addNode(
        "right",
        told(world, "right", async () => `${await approve()}, because ${String(interrupt("why?"))}`),
      )
      .addNode(
        "report",
        told(world, "report", (state: typeof State.State) => `${state.log.length} lines`),
      )
      .addEdge(START, "think")
      .addConditionalEdges("think", ({ turns }) =>
        turns < 2 ? "lookUp" : [0, 1, 2].map((part) => new Send("weigh", { part })),
      )
      .addEdge("lookUp", "think")
      .addEdge("weigh", "charge")
      .addEdge("charge", "left")
      .addEdge("charge", "right")
      .addEdge(["left", "right"], "report")
      .addEdge("report", END),
  moves: [
    ["start", start],
    ["approve left", answer("left", { decisions: [{ type: "approve" }] })],
    ["reject right", answer("right", { decisions: [{ type: "reject" }] })],
    ["hold", ({ runner, threadId }) => runner.cancel(threadId, "on hold")],
    ["take up", ({ runner, threadId }) => runner.continue(threadId)],
    ["why", answer("right", false)],
  ],
};

async function approve(): Promise<string> {
  const { decisions } = await requestApproval({ actions: [{ name: "pay", args: {} }] });
  return decisions[0]?.type ?? "nothing";
}
