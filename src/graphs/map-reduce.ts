import {
  Annotation,
  Command,
  isGraphBubbleUp,
  type LangGraphRunnableConfig,
  Send,
  START,
  type StateDefinitionInit,
  StateGraph,
  type StateType,
  type UpdateType,
} from "@langchain/langgraph";
import { z } from "zod";

import { anyFunction, parseOptions, PerdureError, show } from "../errors/index.ts";
import { decisionsChannel, type Effect, once, type Policies, withPolicies } from "../nodes/index.ts";
import { refuseUnsafe } from "./check-graph.ts";
import { type Extended, extendState, type StateOf, type UpdateOf } from "./extend-state.ts";
import { type NodeFailure, nodesFailed, type StoredError, storedError } from "./node-failure.ts";
import { refuseNodeName } from "./node-name.ts";
import { Slots } from "./slots.ts";
import { askForStep, type StepApproval, type StepDecision, stepOptions, type StepUpdate } from "./step.ts";
import { addTurnChannel, type ChannelHolder, TurnChannel } from "./turn-channel.ts";

/** The channels of a {@link mapReduce}: the caller's, and what people decided. */
export type MapReduceDefinition<Schema> = Extended<Schema, { decisions: ReturnType<typeof decisionsChannel> }>;

/** What `map` is told beside its item. */
export interface MapContext {
  /** The item's place, from 0. */
  readonly index: number;
  /** Aborts when the run is cancelled or the item's time is over. */
  readonly signal: AbortSignal | undefined;
  readonly config: LangGraphRunnableConfig;
}

/** An item that has no result. */
export interface MapFailure<Item> {
  readonly index: number;
  readonly item: Item;
  readonly error: StoredError;
}

/** What `reduce` is told beside the results. */
export interface ReduceContext<State, Item> {
  readonly state: State;
  /** The items without a result, in their order; always empty unless `onFailure` is `"report"`. */
  readonly failures: readonly MapFailure<Item>[];
}

/** What a {@link mapReduce} is made of. */
export interface MapReduceOptions<Schema extends StateDefinitionInit, Item, Result> {
  /** The state: an `Annotation.Root`, a zod object or a `StateSchema`. */
  readonly state: Schema;
  /** What there is to do, from the state with the turn's input. */
  readonly items: (state: StateOf<Schema>) => readonly Item[];
  /** Does one item, in a task of its own. What it returns is stored, so it must be serialisable. */
  readonly map: (item: Item, context: MapContext) => Result | Promise<Result>;
  /** Makes an update for the state from all results, which come in the order of the items whatever finished first. */
  readonly reduce: (
    results: readonly NoInfer<Result>[],
    context: ReduceContext<StateOf<Schema>, NoInfer<Item>>,
  ) => UpdateOf<Schema> | Promise<UpdateOf<Schema>>;
  /** How many items may be under way at the same time, in one run in this process. @default no limit */
  readonly maxConcurrency?: number;
  /** Rules for each item. @default none */
  readonly policies?: Omit<Policies, "budget">;
  /**
   * What happens when each item is done or has failed, and some have failed:
   * - `"throw"`: the turn fails with `NODES_FAILED`; continuing the thread does the failed items again
   * - `"report"`: `reduce` gets the results there are, and the failures
   * @default "throw"
   */
  readonly onFailure?: "throw" | "report";
  /** Asks a person before an item is done; after a no it has failed. @default nobody is asked */
  readonly approve?: (item: NoInfer<Item>, index: number) => StepApproval | Promise<StepApproval>;
  /** What `map` does to the world. @default not said */
  readonly effect?: Effect;
}

const Options = z.object({
  items: anyFunction,
  map: anyFunction,
  reduce: anyFunction,
  maxConcurrency: z.int().min(1).optional(),
  onFailure: z.enum(["throw", "report"]).default("throw"),
  approve: anyFunction.optional(),
  effect: z.enum(["none", "idempotent", "irreversible"]).optional(),
});

/** The channel of what became of the items, by their place. */
const OUTCOMES = "map.outcomes";

/** What the way to "reduce" is called when there is nothing to do. */
const NO_ITEMS = "no items";

type Outcome =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly item: unknown; readonly error: StoredError };
type Outcomes = Readonly<Record<number, Outcome>>;
interface Task {
  readonly item: unknown;
  readonly index: number;
}

/**
 * A graph that does each item in a task of its own, by LangGraph's `Send`, and makes one result of all. A finished item is
 * never done again; one that fails, or waits for a person, holds up no other.
 *
 * Returns a `StateGraph` with the nodes "map" and "reduce", not compiled; compiled, it can be a node of another graph.
 *
 * @throws {PerdureError} `OPTIONS_INVALID`; `GRAPH_INVALID` where `state` has a channel "map" or "reduce"; `GRAPH_UNSAFE` for an irreversible `map` without `approve`. A run may throw `NODES_FAILED`.
 *
 * @example
 * const review = mapReduce({
 *   state: Contract,
 *   items: ({ clauses }) => clauses,
 *   map: (clause, { signal }) => judge(clause, signal),
 *   reduce: (verdicts) => ({ report: verdicts.join("\n") }),
 *   maxConcurrency: 8,
 * });
 */
export function mapReduce<Schema extends StateDefinitionInit, Item, Result>(
  options: MapReduceOptions<Schema, Item, Result>,
): StateGraph<
  MapReduceDefinition<Schema>,
  StateType<MapReduceDefinition<Schema>>,
  UpdateType<MapReduceDefinition<Schema>>,
  typeof START | "map" | "reduce"
> {
  const { maxConcurrency, onFailure, effect } = parseOptions("mapReduce", Options, options);
  const loose = options as unknown as LooseOptions;
  const graph = new StateGraph(extendState(options.state, { decisions: decisionsChannel() })) as unknown as LooseGraph;
  addTurnChannel(
    graph,
    OUTCOMES,
    new TurnChannel<Outcomes>({ initial: {}, reduce: (kept, added) => Object.assign({}, kept, ...added) as Outcomes }),
  );

  for (const name of ["map", "reduce"]) refuseNodeName("mapReduce", name, graph.channels);
  const slots = maxConcurrency === undefined ? undefined : new Slots(maxConcurrency);
  graph.addNode("map", mapNode(loose, slots), stepOptions({ effect, approve: options.approve }));
  graph.addNode("reduce", reduceNode(loose, onFailure), { input: Annotation.Root({ ...graph.channels }) });
  graph.addEdge("map", "reduce");
  const sendItems = (state: StepUpdate) => {
    const items: unknown = loose.items(state);
    if (!Array.isArray(items)) {
      throw new PerdureError("GRAPH_INVALID", `mapReduce: \`items\` returned ${show(items)}.`, {
        hint: "Return an array.",
      });
    }
    return items.length === 0
      ? NO_ITEMS
      : items.map((item: unknown, index) => new Send("map", { item, index } satisfies Task));
  };
  graph.addConditionalEdges(START, sendItems, { "for each": "map", [NO_ITEMS]: "reduce" });
  refuseUnsafe(graph as never);
  return graph as never;
}

interface LooseOptions {
  readonly items: (state: StepUpdate) => unknown;
  readonly map: (item: unknown, context: MapContext) => unknown;
  readonly reduce: (results: readonly unknown[], context: ReduceContext<StepUpdate, unknown>) => unknown;
  readonly approve?: (item: unknown, index: number) => StepApproval | Promise<StepApproval>;
  readonly policies?: Omit<Policies, "budget">;
}

type LooseGraph = ChannelHolder & {
  addNode(name: string, node: unknown, options: object): void;
  addEdge(from: string, to: string): void;
  addConditionalEdges(source: string, path: unknown, pathMap: Record<string, string>): void;
};

function mapNode({ map, approve, policies = {} }: LooseOptions, slots: Slots | undefined) {
  const run = withPolicies<Task, unknown>(
    ({ item, index }, config) => map(item, { index, signal: config.signal, config }),
    policies,
  );
  return async (task: Task, config: LangGraphRunnableConfig): Promise<StepUpdate> => {
    const { item, index } = task;
    let decision: StepDecision = { records: [] };
    let outcome: Outcome;
    try {
      if (approve !== undefined) decision = await askForStep(`map ${index}`, await approve(item, index));
      if (decision.rejection !== undefined) throw decision.rejection;
      const result = await (slots === undefined ? run(task, config) : slots.run(config, () => run(task, config)));
      outcome = { ok: true, result };
    } catch (error) {
      if (isGraphBubbleUp(error) || config.signal?.aborted === true) throw error;
      outcome = { ok: false, item, error: storedError(error) };
    }
    return {
      [OUTCOMES]: { [index]: outcome },
      ...(decision.records.length === 0 ? {} : { decisions: decision.records }),
    };
  };
}

function reduceNode({ reduce }: LooseOptions, onFailure: "throw" | "report") {
  return async ({ [OUTCOMES]: kept, ...state }: StepUpdate): Promise<unknown> => {
    // Keys that are whole numbers come in the order of their values.
    const outcomes = Object.entries(kept as Outcomes).map(([index, outcome]) => ({ index: Number(index), outcome }));
    const results = outcomes.flatMap(({ outcome }) => (outcome.ok ? [outcome.result] : []));
    const failures = outcomes.flatMap(({ index, outcome }): MapFailure<unknown>[] =>
      outcome.ok ? [] : [{ index, item: outcome.item, error: outcome.error }],
    );
    if (failures.length === 0 || onFailure === "report") return reduce(results, { state, failures });

    let isFirst = false;
    await once("report", () => {
      isFirst = true;
      return true;
    });
    if (isFirst) {
      const failed = failures.map(({ index, error }): NodeFailure => ({
        node: `map ${index}`,
        status: "failed",
        error,
      }));
      throw nodesFailed(`${failures.length} of ${outcomes.length} items`, failed);
    }
    // The thread was continued after that: what failed is done again.
    return new Command({ goto: failures.map(({ item, index }) => new Send("map", { item, index } satisfies Task)) });
  };
}
