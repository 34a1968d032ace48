import { Annotation, END, START, StateGraph, interrupt } from "@langchain/langgraph";
import { sleep, waitForSignal } from "perdure/nodes";
import { z } from "zod";
import { answer, effect, idOf, lines, told } from "./scenario.ts";
import type { Move, Scenario, World } from "./scenario.ts";
import { start } from "./start.ts";

const State = Annotation.Root({ log: lines(), label: lines() });
/** Of the subgraph: what it shares with the graph is only what it writes. */
const ParcelState = Annotation.Root({ label: lines() });

const scan =
  (payload: number): Move =>
  ({ runner, threadId }) =>
    runner.signal(threadId, { name: "scan", payload, id: `scan ${payload}` });

/** An effect and a question in a subgraph, two signals of one name, one of them early, a failure, a timer. */
export const parcelScenario: Scenario = {
  name: "parcel",
  graph: (world: World) =>
    new StateGraph(State)
      .addNode("parcel", parcel(world))
      .addNode(
        "scans",
        told(world, "scans", async () => {
          const first = await waitForSignal("scan", z.number());
          const second = await waitForSignal("scan", z.number());
          return `scans ${first} and ${second}`;
        }),
      )
      .addNode(
        "flaky",
        told(world, "flaky", (_state, threadId) => {
          if (!world.isRepaired(threadId)) throw new Error("broken");
          return "repaired";
        }),
      )
      .addNode(
        "rest",
        told(world, "rest", async () => {
          await sleep(1_000_000);
          return "rested";
        }),
      )
      .addEdge(START, "parcel")
      .addEdge("parcel", "scans")
      .addEdge("scans", "flaky")
      .addEdge("flaky", "rest")
      .addEdge("rest", END),
  moves: [
    ["start", start],
    ["early scan", scan(1)],
    ["address", answer("parcel", "Anna")],
    ["scan", scan(2)],
    [
      "repair",
      async ({ repair, runner, threadId }) => {
        await repair();
        return runner.continue(threadId);
      },
    ],
    ["wake", ({ runner, threadId, known }) => runner.continue(threadId, { due: [idOf(known, "rest")] })],
  ],
};

function parcel(world: World) {
  return new StateGraph(ParcelState)
    .addNode(
      "pack",
      told(world, "pack", (_state, threadId) => effect(world, threadId, "packed"), "label"),
    )
    .addNode(
      "address",
      told(world, "address", () => `to ${String(interrupt("where to?"))}`, "label"),
    )
    .addEdge(START, "pack")
    .addEdge("pack", "address")
    .addEdge("address", END)
    .compile();
}
