import { isGraphBubbleUp } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { z } from "zod";
import { PerdureError } from "../errors/index.ts";
import { originalScratchpad } from "./attempt.ts";
import { scratchpadOf } from "./running-task.ts";
import type { Scratchpad } from "./running-task.ts";

/** What {@link once} and {@link once.tx} hand to the work they run. */
export interface OnceContext {
  /**
   * The same each time this work is done: after a crash between the effect and its record it is done again,
   * with this very key. 64 hexadecimal digits.
   */
  readonly idempotencyKey: string;
  /** Aborts when the run is cancelled or the node's time is over. */
  readonly signal: AbortSignal;
}

/** The key of a piece of work. */
export const OnceKey = z
  .string()
  .min(1)
  .max(200)
  .refine((key) => key.isWellFormed(), "must be well-formed text");

/** A signal for where there is none. */
export const NEVER: AbortSignal = new AbortController().signal;

/** The task that a piece of work belongs to, and the work it stands inside of, outermost first. */
export interface OnceHome {
  readonly config: LangGraphRunnableConfig;
  readonly inside: readonly string[];
}

/** The homes of work under way, by the scratchpad of the LangGraph task that does it. */
const homes = new WeakMap<Scratchpad, OnceHome>();

/**
 * The task whose record counts. Work inside of work belongs to the task around both: the LangGraph task of a
 * try that failed is another one than that of the next try, and would not find what was done (H5).
 */
export function onceHome(config: LangGraphRunnableConfig): OnceHome {
  const home = homes.get(originalScratchpad(scratchpadOf(config) as Scratchpad));
  if (home === undefined) return { config, inside: [] };
  const { signal: _, ...without } = home.config;
  return { ...home, config: config.signal === undefined ? without : { ...without, signal: config.signal } };
}

/** Says where the work of the LangGraph task that runs now belongs. */
export function setOnceHome(config: LangGraphRunnableConfig, home: OnceHome): void {
  homes.set(scratchpadOf(config) as Scratchpad, home);
}

/** What the caller gets for what the work threw: a question inside of it is refused. */
export function refuseInterrupt(error: unknown, caller: string, key: string): unknown {
  if (!isGraphBubbleUp(error)) return error;
  return new PerdureError("ONCE_INTERRUPTED", `${caller} "${key}" stopped to ask or to leave the node.`, {
    hint: "Ask, wait and route in the node itself; keep only the effect inside of once.",
    cause: error,
  });
}
