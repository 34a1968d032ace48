import type { DrivableGraph, OpenInterrupt, ThreadSignal } from "perdure/runner";
import type { World } from "./world.ts";

/** A graph and what is done with it, the same in process and on Temporal. */
export interface CorpusGraph {
  readonly name: string;
  /** Makes the graph, with counters of its own. */
  readonly build: (world: World) => DrivableGraph | Promise<DrivableGraph>;
  /** Or `end`: whatever brings it to its end. */
  readonly script: readonly Move[] | "end";
  /** Goes to the nodes. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/** What somebody does with a run, once it has come to rest. */
export type Move =
  /** Begins a turn. */
  | { readonly input: unknown; readonly supersede?: boolean }
  /** Answers the open questions, all in one call, or those that are chosen. */
  | { readonly answer: (question: OpenInterrupt) => unknown; readonly choose?: (question: OpenInterrupt) => boolean }
  | { readonly signal: ThreadSignal }
  /** Lets the time of all questions be over. */
  | { readonly due: true }
  /** Goes on with a run that failed. */
  | { readonly again: true };

/** Answers every open question with what it asks and a number. */
export const answerAll: Move = { answer: ({ value }) => `re ${JSON.stringify(value)}` };
