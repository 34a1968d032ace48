import { setTimeout as delay } from "node:timers/promises";
import { Annotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { Checkpointer } from "perdure/checkpoint";
import { once, waitForSignal } from "perdure/nodes";
import { z } from "zod";
import type { Ledger } from "./ledger.ts";

/** Rounds of each run. */
export const ROUNDS = 2;
/** Tasks of each fan-out. */
const WIDTH = 6;

const list = Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] });
const State = Annotation.Root({
  /** What each node that ran to its end has returned. */
  tokens: list,
  /** What was asked for, prepared, answered, charged and heard. */
  log: list,
  round: Annotation<number, number>({ reducer: (_, next) => next, default: () => 0 }),
});

/** What the state's log holds at the end. */
export const FINISHED_LOG: readonly string[] = Array.from({ length: ROUNDS }, (_, round) => [
  ...Array.from({ length: WIDTH }, (__, item) => `work ${round}.${item}`),
  `answer ${round}`,
  `charged ${round}`,
  `signal ${round}`,
]).flat();

/**
 * A loop of fan-outs, questions, effects that must happen once and signals. Its nodes last a few milliseconds and
 * write down when they begin and end.
 */
export function crashGraph(ledger: Ledger, checkpointer: Checkpointer) {
  const noted = async (
    node: string,
    config: LangGraphRunnableConfig,
    work: () => Promise<string[]>,
  ): Promise<{ tokens: string[]; log: string[] }> => {
    const token = await ledger.begin(node, config, checkpointer);
    const log = await work();
    await ledger.finish(token);
    return { tokens: [token], log };
  };
  const lasting = async (ms: number, ...log: string[]): Promise<string[]> => {
    await delay(ms); // the work itself
    return log;
  };
  const spread = ({ round }: { round: number }) =>
    Array.from({ length: WIDTH }, (_, item) => new Send("work", { round, item }));

  return new StateGraph(State)
    .addNode("plan", (_, config) => noted("plan", config, () => lasting(5)))
    .addNode("work", ({ round, item }: { round: number; item: number }, config) =>
      noted(`work ${round}.${item}`, config, () => lasting(40 + ((item * 137) % 300), `work ${round}.${item}`)),
    )
    .addNode("ask", async ({ round }, config) => {
      const answer = z.string().parse(interrupt({ round }));
      return noted("ask", config, () => lasting(5, answer));
    })
    .addNode("charge", ({ round }, config) =>
      noted("charge", config, async () => {
        const text = "INSERT INTO charges VALUES ($1, $2)";
        await once.tx("charge", (sql) => sql.query(text, [config.executionInfo?.threadId, round]).then(() => true));
        return lasting(20, `charged ${round}`);
      }),
    )
    .addNode("hear", async (_, config) => {
      const heard = await waitForSignal("word", z.string());
      return noted("hear", config, () => lasting(5, heard));
    })
    .addNode("next", async ({ round }, config) => ({
      ...(await noted("next", config, () => lasting(5))),
      round: round + 1,
    }))
    .addEdge(START, "plan")
    .addConditionalEdges("plan", spread)
    .addEdge("work", "ask")
    .addEdge("ask", "charge")
    .addEdge("charge", "hear")
    .addEdge("hear", "next")
    .addConditionalEdges("next", ({ round }) => (round < ROUNDS ? "plan" : "__end__"));
}
