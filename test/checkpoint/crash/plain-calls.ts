import { Command } from "@langchain/langgraph";
import type { Checkpointer } from "perdure/checkpoint";
import { answerOf, inputOf } from "./load-graph.ts";
import type { loadGraph } from "./load-graph.ts";
import type { LoadCalls, Stand } from "./thread-load.ts";

/** Drives threads with LangGraph alone, for which the checkpointer is one as any other. */
export function plainCalls(graph: ReturnType<typeof loadGraph>, checkpointer: Checkpointer): LoadCalls {
  const compiled = graph.compile({ checkpointer });
  const configOf = (thread: string) => ({ configurable: { thread_id: thread }, durability: "sync" as const });
  const look = async (thread: string): Promise<Stand> => {
    const { config, values, tasks } = await compiled.getState(configOf(thread));
    const checkpoint: unknown = config.configurable?.["checkpoint_id"];
    if (typeof checkpoint !== "string") return { status: "new", turn: -1, checkpoint: "" };
    const { turn = 0 } = values as { turn?: number };
    if (tasks.length === 0) return { status: "done", turn, checkpoint };
    return {
      status: tasks.some(({ interrupts }) => interrupts.length > 0) ? "interrupted" : "ready",
      turn,
      checkpoint,
    };
  };
  return {
    look,
    start: async (thread, turn) => {
      await compiled.invoke(inputOf(turn), configOf(thread));
      return look(thread);
    },
    answer: async (thread, { turn }) => {
      await compiled.invoke(new Command({ resume: answerOf(turn) }), configOf(thread));
      return look(thread);
    },
    goOn: async (thread) => {
      await compiled.invoke(null, configOf(thread));
      return look(thread);
    },
  };
}
