import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { scratchpadOf, withScratchpad } from "./running-task.ts";
import type { Scratchpad } from "./running-task.ts";

/** The scratchpads LangGraph made, by the ones that attempts got in their place. */
const originals = new WeakMap<Scratchpad, Scratchpad>();

/**
 * Lets a task's questions, calls and subgraphs be counted from the start again. LangGraph goes on
 * counting over the attempts of a `retryPolicy`, so a node that fails after its question would ask
 * the person a second time (H15). The runner calls it before each attempt of each node.
 * @param config the config the node is about to get
 */
export function beginAttempt(config: LangGraphRunnableConfig): void {
  const scratchpad = scratchpadOf(config);
  if (scratchpad === undefined) return;
  scratchpad.interruptCounter = -1;
  scratchpad.callCounter = 0;
  scratchpad.subgraphCounter = 0;
}

/** One attempt out of several that a wrapper makes within one run of a node. */
export interface Attempt {
  /** The config to run it with. */
  readonly config: LangGraphRunnableConfig;
  /** Call it when this attempt is the one whose result counts. */
  settle(): void;
}

/**
 * Prepares several attempts at the same piece of work: each call of the returned function starts one
 * that counts questions and subgraphs from where the work began. Each has counters of its own, so an
 * attempt that was given up but still runs can't take the next one's answers.
 */
export function attemptsOf(config: LangGraphRunnableConfig): () => Attempt {
  const shared = scratchpadOf(config);
  if (shared === undefined) return () => ({ config, settle: () => {} });
  const { interruptCounter, callCounter, subgraphCounter } = shared;
  return () => {
    originalScratchpad(shared).callCounter = callCounter; // LangGraph counts calls on its own one only
    const own: Scratchpad = Object.assign(Object.create(shared) as Scratchpad, { interruptCounter, subgraphCounter });
    originals.set(own, originalScratchpad(shared));
    return {
      config: withScratchpad(config, own),
      settle: () => {
        shared.interruptCounter = own.interruptCounter;
        shared.subgraphCounter = own.subgraphCounter;
      },
    };
  };
}

/** The scratchpad LangGraph made for the task, also from within an attempt. */
export function originalScratchpad(scratchpad: Scratchpad): Scratchpad {
  return originals.get(scratchpad) ?? scratchpad;
}
