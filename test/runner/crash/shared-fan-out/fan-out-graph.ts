import { setTimeout as delay } from "node:timers/promises";
import { Annotation, START, Send, StateGraph } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";

/** Siblings of each fan-out. */
const WIDTH = 12;
/** Fan-outs of a run, one after the other. */
const ROUNDS = 2;

/** A task that begins. */
export interface BegunTask {
  readonly thread: string;
  readonly task: string;
  readonly what: string;
}

const State = Annotation.Root({
  log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
  round: Annotation<number, number>({ reducer: (_, next) => next, default: () => 0 }),
});
type Item = { readonly round: number; readonly item: number };

/** A graph of wide fan-outs whose tasks last a few milliseconds, one longer than the other. */
export function fanOutGraph(began: (task: BegunTask) => void) {
  const tell = (what: string, { executionInfo }: LangGraphRunnableConfig): void =>
    began({ thread: executionInfo?.threadId ?? "", task: executionInfo?.taskId ?? "", what });
  const spread = ({ round }: { round: number }) =>
    Array.from({ length: WIDTH }, (_, item) => new Send("work", { round, item } satisfies Item));

  return new StateGraph(State)
    .addNode("work", async ({ round, item }: Item, config) => {
      tell(workOf(round, item), config);
      await delay((item * 5) % 13); // the work itself
      return { log: [workOf(round, item)] };
    })
    .addNode("gather", ({ round }, config) => {
      tell(gatherOf(round), config);
      return { log: [gatherOf(round)], round: round + 1 };
    })
    .addConditionalEdges(START, spread)
    .addEdge("work", "gather")
    .addConditionalEdges("gather", (state) => (state.round < ROUNDS ? spread(state) : "__end__"));
}

/** The log of a finished run: each task once, in the order in which they were sent. */
export const FINISHED_LOG: readonly string[] = Array.from({ length: ROUNDS }, (_, round) => [
  ...Array.from({ length: WIDTH }, (__, item) => workOf(round, item)),
  gatherOf(round),
]).flat();

function workOf(round: number, item: number): string {
  return `work ${round}.${item}`;
}

function gatherOf(round: number): string {
  return `gather ${round}`;
}
