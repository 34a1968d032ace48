import { collect } from "../../../support/collect.ts";
import { Choices } from "../choices.ts";
import { expectNoDifference } from "../expect-no-difference.ts";
import type { RunReport } from "../expect-no-difference.ts";
import { ReferenceSaver } from "../reference-saver.ts";
import type { DifferentialBackend, DifferentialStore } from "../stores.ts";
import { actingGraph } from "./acting-graph.ts";
import type { ActingGraph } from "./acting-graph.ts";
import { GRAPH_OPERATION_WEIGHTS, operate } from "./graph-operation.ts";
import type { GraphOperationKind } from "./graph-operation.ts";
import { TeeSaver } from "./tee-saver.ts";

/** What a run is made of. */
export interface GraphRunOptions {
  readonly seed: number;
  /** The numbers of the operations to do. */
  readonly operations: readonly number[];
}

/** What came out. */
export interface GraphRunReport extends RunReport {
  /** How often each kind of operation was done. */
  readonly counts: Readonly<Partial<Record<GraphOperationKind, number>>>;
  /** What graphs refused or failed with, by message, and how often: not every answer has a question. */
  readonly refused: ReadonlyMap<string, number>;
}

const THREADS = 4;
/** Checkpoints of a thread, after which another one takes its place. */
const MOST_CHECKPOINTS = 40;

/**
 * Does random operations with graphs on the saver under test and on MemorySaver at once; see {@link TeeSaver}.
 * After each one the state of the thread is read by any instance, with its subgraphs, and often its whole history;
 * in the end those of all threads, by instances that were just opened. Stops at the first difference.
 */
export async function runGraphsAgainstMemorySaver(
  backend: DifferentialBackend,
  options: GraphRunOptions,
): Promise<GraphRunReport> {
  const store = await backend.fresh();
  try {
    return await new GraphRun(store, backend, options.seed).run(options.operations);
  } finally {
    await store.remove();
  }
}

/** The first `count` operations of a seed find no difference; else an error that shows it with few of them. */
export function expectGraphsLikeOnMemorySaver(
  backend: DifferentialBackend,
  options: { readonly seed: number; readonly count: number },
): Promise<GraphRunReport> {
  const run = (operations: readonly number[]): Promise<GraphRunReport> =>
    runGraphsAgainstMemorySaver(backend, { ...options, operations });
  return expectNoDifference({ name: `A graph on ${backend.name}`, ...options, run });
}

class GraphRun {
  readonly #store: DifferentialStore;
  readonly #tee: TeeSaver;
  readonly #graphs: readonly ActingGraph[];
  readonly #seed: number;
  readonly #threads = Array.from({ length: THREADS }, (_, position) => ({ position, renewed: 0 }));
  readonly #refused = new Map<string, number>();
  readonly #story: string[] = [];
  readonly #counts: Partial<Record<GraphOperationKind, number>> = {};
  #done = 0;

  constructor(store: DifferentialStore, backend: DifferentialBackend, seed: number) {
    this.#store = store;
    this.#tee = new TeeSaver(store.actors[0]!.saver, new ReferenceSaver(backend));
    this.#graphs = [actingGraph(this.#tee, "whole"), actingGraph(this.#tee, "delta")];
    this.#seed = seed;
  }

  async run(operations: readonly number[]): Promise<GraphRunReport> {
    for (const operation of operations) {
      await this.#perform(operation);
      if (this.#tee.difference !== undefined) return this.#report();
    }
    for (const actor of this.#store.actors) await actor.reopen();
    const choices = new Choices(this.#seed, operations.length);
    for (const { position, renewed } of this.#threads) {
      for (let turn = 0; turn <= renewed; turn += 1) await this.#look(choices, position, turn, "all");
    }
    return this.#report();
  }

  async #perform(operation: number): Promise<void> {
    const { actors } = this.#store;
    const choices = new Choices(this.#seed, operation);
    const thread = choices.pick(this.#threads);
    const kind = choices.weighted(GRAPH_OPERATION_WEIGHTS);
    if (choices.chance(3)) await choices.pick(actors).reopen();
    this.#tee.ours = choices.pick(actors).saver;
    this.#done += 1;
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    this.#story.push(`${operation} ${kind} in ${threadId(thread.position, thread.renewed)}`);
    try {
      await operate(kind, {
        choices,
        graph: this.#graphOf(thread.position),
        saver: this.#tee,
        threadId: threadId(thread.position, thread.renewed),
      });
    } catch (error) {
      const text = error instanceof Error ? error.message.replaceAll(/\d{3,}/gu, "…") : String(error);
      this.#refused.set(text, (this.#refused.get(text) ?? 0) + 1);
    }
    const seen = await this.#look(choices, thread.position, thread.renewed, choices.chance(30) ? "all" : "now");
    if (seen > MOST_CHECKPOINTS) thread.renewed += 1;
  }

  /** Reads a thread; a difference is found in the tee. */
  async #look(choices: Choices, position: number, renewed: number, what: "now" | "all"): Promise<number> {
    if (this.#tee.difference !== undefined) return 0;
    this.#tee.ours = choices.pick(this.#store.actors).saver;
    const graph = this.#graphOf(position);
    const config = { configurable: { thread_id: threadId(position, renewed) } };
    try {
      await graph.getState(config, { subgraphs: true });
      return what === "all" ? (await collect(graph.getStateHistory(config))).length : 0;
    } catch (error) {
      if (this.#tee.difference === undefined) throw error;
      return 0;
    }
  }

  #graphOf(position: number): ActingGraph {
    return this.#graphs[position % this.#graphs.length]!;
  }

  #report(): GraphRunReport {
    const { difference } = this.#tee;
    const story = [`in ${difference?.call}, after`, ...this.#story.slice(-30)];
    return { difference, done: this.#done, counts: this.#counts, refused: this.#refused, story };
  }
}

function threadId(position: number, renewed: number): string {
  return `thread ${position} ${renewed}`;
}
