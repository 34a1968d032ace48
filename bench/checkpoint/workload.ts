import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { assertSaid, conversation, counter, onThread } from "./conversation.ts";
import type { ConversationOptions } from "./conversation.ts";
import type { Script } from "./script.ts";

/** A graph that is run from its start to its end. */
export interface Workload {
  readonly about: string;
  readonly steps: number;
  /** Compiles the graph over a saver. */
  readonly over: (saver: BaseCheckpointSaver) => Walk;
}

/** Runs the graph on a new thread, to the end, and sees that it did. */
export type Walk = (threadId: string, signal?: AbortSignal) => Promise<void>;

/** Messages of 1 KB, one in each step. */
export function talk(script: Script, options: ConversationOptions): Workload {
  const compile = conversation(script, options);
  const { steps } = options;
  return {
    about: `${steps} steps of 1 KB messages`,
    steps,
    over: (saver) => {
      const graph = compile(saver);
      return async (threadId, signal) => {
        const values = await graph.invoke({ messages: [] }, { ...onThread(threadId), ...(signal && { signal }) });
        assertSaid(values, script, steps);
      };
    },
  };
}

/** A state of one number. */
export function count(steps: number): Workload {
  const compile = counter(steps);
  return {
    about: `${steps} steps of a counter`,
    steps,
    over: (saver) => {
      const graph = compile(saver);
      return async (threadId, signal) => {
        const values = await graph.invoke({ count: 0 }, { ...onThread(threadId), ...(signal && { signal }) });
        if (values.count !== steps) throw new Error(`It counted to ${values.count} of ${steps}.`);
      };
    },
  };
}
