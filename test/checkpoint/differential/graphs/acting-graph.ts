import type { BaseMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  Annotation,
  Command,
  DeltaChannel,
  END,
  START,
  Send,
  StateGraph,
  interrupt,
  messagesDeltaReducer,
  messagesStateReducer,
} from "@langchain/langgraph";
import type { Messages } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { Choices } from "../choices.ts";
import { perform } from "./deed.ts";
import type { Deed } from "./deed.ts";

const common = {
  log: Annotation<string[], string[] | "cut">({
    reducer: (log, change) => (change === "cut" ? log.slice(0, 1) : [...log, ...change]),
    default: () => [],
  }),
  notes: Annotation<unknown[]>({ reducer: (_notes, next) => next, default: () => [] }),
  bag: Annotation<Record<string, unknown>>({ reducer: (bag, change) => ({ ...bag, ...change }), default: () => ({}) }),
  plan: Annotation<Deed[]>({ reducer: (_plan, next) => next, default: () => [] }),
};

/** How the messages are stored: whole, or as LangGraph's DeltaChannel does. */
export type MessagesStored = "whole" | "delta";

const WholeState = Annotation.Root({
  ...common,
  messages: Annotation<BaseMessage[], Messages>({ reducer: messagesStateReducer, default: () => [] }),
});

// A channel has no types that a state can be told of; they are the same.
const DeltaState = Annotation.Root({
  ...common,
  messages: () => new DeltaChannel<BaseMessage[], Messages>(messagesDeltaReducer, { snapshotFrequency: 3 }),
}) as unknown as typeof WholeState;

/**
 * A graph that does what the plan in its state says, one deed a superstep: changes of every kind, questions,
 * failures, tasks side by side, a subgraph.
 */
export function actingGraph(checkpointer: BaseCheckpointSaver, stored: MessagesStored) {
  const State = stored === "whole" ? WholeState : DeltaState;

  const below = new StateGraph(State)
    .addNode("inner", (state) => {
      const { seed } = next(state)!;
      // Nothing in place: the graph above holds the same objects, and nobody returned them to it.
      return perform({ kind: new Choices(seed).pick(["say", "replace", "bag"]), seed }, state);
    })
    .addNode("question", (state) => {
      const asks = new Choices(next(state)!.seed).chance(60);
      return { log: [asks ? `told ${String(interrupt("below"))}` : "not asked"] };
    })
    .addEdge(START, "inner")
    .addEdge("inner", "question")
    .addEdge("question", END)
    .compile();

  return new StateGraph(State)
    .addNode("work", (state) => {
      const deed = next(state);
      if (deed === undefined) return { log: ["nothing to do"] };
      if (deed.kind === "ask")
        return { ...perform(deed, state), log: [String(interrupt(deed.seed))], plan: rest(state) };
      if (deed.kind === "askTwice") {
        const answers = [interrupt("first"), interrupt({ second: deed.seed })].map(String);
        return { log: answers, plan: rest(state) };
      }
      if (deed.kind === "fail") throw new Error(`failed ${deed.seed}`);
      return { ...perform(deed, state), plan: rest(state) };
    })
    .addNode("part", ({ plan }) => ({ log: [`part ${plan[0]?.seed}`] }))
    .addNode("below", below)
    .addNode(
      "after",
      (state: typeof WholeState.State) => new Command({ update: { plan: rest(state) }, goto: route(rest(state)) }),
      {
        ends: ["work", "part", "below", END],
      },
    )
    .addConditionalEdges(START, ({ plan }) => route(plan))
    .addConditionalEdges("work", ({ plan }) => route(plan))
    .addEdge("below", "after")
    .addEdge("part", "after")
    .compile({ checkpointer });
}

function next({ plan }: typeof WholeState.State): Deed | undefined {
  return plan[0];
}

function rest({ plan }: typeof WholeState.State): Deed[] {
  return plan.slice(1);
}

/** The graph. */
export type ActingGraph = ReturnType<typeof actingGraph>;

function route(plan: readonly Deed[]): string | Send[] {
  const deed = plan[0];
  if (deed === undefined) return END;
  if (deed.kind === "below") return "below";
  if (deed.kind !== "send") return "work";
  const { length } = String(deed.seed % 10_000);
  return Array.from({ length }, (_, part) => new Send("part", { plan: [{ ...deed, seed: part }] }));
}

/** The config of a thread, or of one of its checkpoints. */
export type ThreadConfig = RunnableConfig & { readonly configurable: Record<string, unknown> };
