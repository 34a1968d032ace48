import { setTimeout as delay } from "node:timers/promises";
import { Annotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { once } from "perdure/nodes";

/** Siblings of the fan-out in each turn. */
const PARTS = 3;

/** So that a turn adds some kilobytes to its thread. */
const FILLER = "so much was said about it ".repeat(12);

const State = Annotation.Root({
  turn: Annotation<number>,
  log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});

/** A task that begins. */
export interface BegunTask {
  readonly thread: string;
  readonly task: string;
  readonly what: string;
}

/** What a load does to the world outside of the database. */
export interface LoadWorld {
  readonly began: (task: BegunTask) => void;
  readonly effect: (thread: string, what: string, key: string) => void;
}

/** Work for some milliseconds per node: a fan-out, an effect that must not be repeated, a question, a last word. */
export function loadGraph({ began, effect }: LoadWorld) {
  const told = async (what: string, { executionInfo }: LangGraphRunnableConfig): Promise<{ log: string[] }> => {
    began({ thread: executionInfo?.threadId ?? "", task: executionInfo?.taskId ?? "", what });
    await delay(2 + Math.random() * 40); // the work itself
    return { log: [what] };
  };
  return new StateGraph(State)
    .addNode("part", ({ turn, part }: { turn: number; part: number }, config) => told(lineOf(turn, part), config))
    .addNode("pay", async ({ turn }, config) => {
      const update = await told(lineOf(turn, "paid"), config);
      const thread = config.executionInfo?.threadId ?? "";
      await once("pay", ({ idempotencyKey }) => effect(thread, lineOf(turn, "paid"), idempotencyKey));
      return update;
    })
    .addNode("ask", async ({ turn }, config) => {
      const answer = interrupt({ question: turn });
      return told(lineOf(turn, `answered ${String(answer)}`), config);
    })
    .addNode("end", ({ turn }, config) => told(lineOf(turn, "done"), config))
    .addConditionalEdges(START, ({ turn }) =>
      Array.from({ length: PARTS }, (_, part) => new Send("part", { turn, part })),
    )
    .addEdge("part", "pay")
    .addEdge("pay", "ask")
    .addEdge("ask", "end");
}

/** The input of a turn. */
export function inputOf(turn: number): { turn: number; log: string[] } {
  return { turn, log: [lineOf(turn, "begun")] };
}

/** The answer to the question of a turn. */
export function answerOf(turn: number): string {
  return `yes ${turn}`;
}

/** The log of a thread after its turns 0 up to and with `last`. */
export function logAfter(last: number): string[] {
  return Array.from({ length: last + 1 }, (_, turn) => [
    lineOf(turn, "begun"),
    ...Array.from({ length: PARTS }, (__, part) => lineOf(turn, part)),
    lineOf(turn, "paid"),
    lineOf(turn, `answered ${answerOf(turn)}`),
    lineOf(turn, "done"),
  ]).flat();
}

function lineOf(turn: number, what: string | number): string {
  return `turn ${turn}, ${what}: ${FILLER}`;
}
