import {
  Annotation,
  START,
  type StateDefinitionInit,
  StateGraph,
  type StateType,
  type UpdateType,
} from "@langchain/langgraph";
import { z } from "zod";

import { anyFunction, parseOptions } from "../errors/index.ts";
import { decisionsChannel, type Effect } from "../nodes/index.ts";
import { refuseUnsafe } from "./check-graph.ts";
import { type DagFailurePolicy, dagNode, type DagWork, OUTCOMES, outcomesChannel, settleNode } from "./dag-node.ts";
import { planDag } from "./dag-plan.ts";
import { type Extended, extendState, type StateOf, type UpdateOf } from "./extend-state.ts";
import type { NodeFailure } from "./node-failure.ts";
import { refuseNodeName } from "./node-name.ts";
import { RUNNING_MS, runningTimeChannel } from "./running-time.ts";
import { Slots } from "./slots.ts";
import { isRun, refuseApprovalNode, type StepApproval, type StepRun, stepOptions } from "./step.ts";
import { addTurnChannel, type ChannelHolder, startEachTurn } from "./turn-channel.ts";

/** The channels every {@link dag} adds to the caller's: what people decided, and what did not get done. */
export type DagChannels = {
  decisions: ReturnType<typeof decisionsChannel>;
  failures: ReturnType<typeof failuresChannel>;
};

/** The channels of a {@link dag}. */
export type DagDefinition<Schema> = Extended<Schema, DagChannels>;

/** A node of a {@link dag}. */
export interface DagNodeOptions<State, Update, Name extends string> {
  /** What it does; what it returns is merged into the state. @default nothing, for a node that only asks */
  readonly run?: StepRun<State, Update>;
  /** The nodes it comes after. @default none */
  readonly after?: readonly Name[];
  /** Whether it is needed; if not, the nodes after it run all the same. @default always */
  readonly when?: (state: State) => boolean | Promise<boolean>;
  /** Asks a person first; after a no the node has failed. @default nobody is asked */
  readonly approve?: (state: State) => StepApproval | Promise<StepApproval>;
  /** What stands in for the node's result if it fails, so that the nodes after it can run. @default nothing */
  readonly fallback?: Update | ((error: unknown, state: State) => Update | Promise<Update>);
  /** What it does to the world. @default not said */
  readonly effect?: Effect;
  /** Undoes its work if another node fails. Runs once; the last node that is done is undone first. @default nothing */
  readonly compensate?: StepRun<State, Update>;
}

/** What a {@link dag} is made of. */
export interface DagOptions<Schema extends StateDefinitionInit, Name extends string> {
  /** The state: an `Annotation.Root`, a zod object or a `StateSchema`. */
  readonly state: Schema;
  /** The nodes by name. */
  readonly nodes: {
    readonly [N in Name]:
      | DagNodeOptions<StateOf<Schema>, UpdateOf<Schema>, NoInfer<Name>>
      | StepRun<StateOf<Schema>, UpdateOf<Schema>>;
  };
  /** How many nodes may run at the same time, in one run in this process. @default no limit */
  readonly maxConcurrency?: number;
  /** One after the other, in an order that fits the dependencies, each seeing what those before it wrote. @default false */
  readonly sequential?: boolean;
  /** How long a turn may run; waiting for a person, and the time until a crashed run goes on, don't count. @default no limit */
  readonly timeoutMs?: number;
  /** The nodes it begins with, to be checked against the dependencies. @default not checked */
  readonly entry?: readonly NoInfer<Name>[];
  /** The nodes it ends with, to be checked against the dependencies. @default not checked */
  readonly finish?: readonly NoInfer<Name>[];
  /**
   * What happens when all is done that could be done, and something failed:
   * - `"throw"`: the turn fails with `NODES_FAILED`; continuing the thread runs again what is not done
   * - `"report"`: the turn ends, with the failures in `failures`
   * - a function: gives an update for the state, which has the failures in `failures` too
   * @default "throw"
   */
  readonly onFailure?:
    | "throw"
    | "report"
    | ((failures: readonly NodeFailure[], state: StateOf<Schema>) => UpdateOf<Schema> | Promise<UpdateOf<Schema>>);
}

const Options = z.object({
  nodes: z.record(z.string(), z.unknown()).refine((nodes) => Object.keys(nodes).length > 0, "needs at least one node"),
  maxConcurrency: z.int().min(1).optional(),
  sequential: z.boolean().default(false),
  timeoutMs: z.number().min(1).optional(),
  onFailure: z.union([z.literal("throw"), z.literal("report"), anyFunction]).default("throw"),
});
const NodeOptions = z.strictObject({
  run: z.custom((run) => isRun(run), "must be a function or have `invoke`").optional(),
  after: z.array(z.string()).default([]),
  when: anyFunction.optional(),
  approve: anyFunction.optional(),
  fallback: z.union([anyFunction, z.record(z.string(), z.unknown())]).optional(),
  effect: z.enum(["none", "idempotent", "irreversible"]).optional(),
  compensate: z.custom((run) => isRun(run), "must be a function or have `invoke`").optional(),
});

/** The node that comes after all others. */
const SETTLE = "settle";

/**
 * A graph of nodes that depend on each other by name. What does not depend on each other runs in parallel: LangGraph runs
 * in supersteps, so a node starts once the superstep is over in which the last of its dependencies finished.
 *
 * A node that fails stops the nodes after it, and no others. When nothing more can run, the node "settle" undoes what has
 * a `compensate` and reports all failures at once. Returns a `StateGraph`, not compiled.
 *
 * @throws {PerdureError} `OPTIONS_INVALID`; `GRAPH_INVALID` for a cycle, an unknown name, or one no node can have; `GRAPH_UNSAFE` for an irreversible
 *   node with neither `approve`, on itself or on each way to it, nor `compensate`. A run may throw `NODES_FAILED`.
 *
 * @example
 * const order = dag({
 *   state: Order,
 *   nodes: {
 *     validate,
 *     inventory: { run: reserve, after: ["validate"], compensate: release },
 *     credit: { run: checkCredit, after: ["validate"], fallback: { credit: "unknown" } },
 *     payment: { run: pay, after: ["inventory", "credit"], effect: "irreversible", approve: ({ total }) => ({ args: { total } }) },
 *   },
 * });
 */
export function dag<Schema extends StateDefinitionInit, const Name extends string>(
  options: DagOptions<Schema, Name>,
): StateGraph<
  DagDefinition<Schema>,
  StateType<DagDefinition<Schema>>,
  UpdateType<DagDefinition<Schema>>,
  typeof START | Name | "settle"
> {
  const { nodes, maxConcurrency, sequential, timeoutMs, onFailure } = parseOptions("dag", Options, options);
  const works = Object.entries(nodes).map(([name, node]) => workOf(name, node));
  const after = new Map(works.map((work) => [work.name, work.after]));
  const graph = new StateGraph(
    extendState(options.state, { decisions: decisionsChannel(), failures: failuresChannel() }),
  ) as unknown as LooseGraph;
  startEachTurn(graph, "failures", () => []);
  addTurnChannel(graph, OUTCOMES, outcomesChannel());
  if (timeoutMs !== undefined) addTurnChannel(graph, RUNNING_MS, runningTimeChannel());
  for (const name of after.keys()) refuseNodeName("dag", name, graph.channels);
  const { order, roots, leaves } = planDag({ after, reserved: [SETTLE], entry: options.entry, finish: options.finish });

  // The nodes read the outcomes, which are no part of the graph's own state.
  const input = Annotation.Root({ ...graph.channels });
  const rules = { slots: maxConcurrency === undefined ? undefined : new Slots(maxConcurrency), timeoutMs };
  for (const work of works) {
    const later = sequential ? order.slice(order.indexOf(work.name) + 1) : [];
    // After a no a fallback stands in; and in a sequence a node comes after others that it does not depend on.
    const goesOnAfterNo = work.fallback !== undefined || later.some((name) => !dependsOn(name, work.name, after));
    graph.addNode(work.name, dagNode(work, rules), {
      input,
      ...stepOptions({ ...work, goesOnAfterNo, undoneBy: work.compensate && SETTLE }),
    });
  }
  const inOrder = order.flatMap((name) => works.filter((work) => work.name === name));
  const first = sequential ? order.slice(0, 1) : roots;
  graph.addNode(SETTLE, settleNode(inOrder, first, onFailure as DagFailurePolicy), { input });

  for (const root of first) graph.addEdge(START, root);
  const dependencies = sequential
    ? order.slice(1).map((name, at) => [name, order.slice(at, at + 1)] as const)
    : [...after];
  for (const [name, before] of [...dependencies, [SETTLE, sequential ? order.slice(-1) : leaves] as const]) {
    if (before.length === 1) graph.addEdge(before[0] as string, name);
    if (before.length > 1) graph.addEdge([...before], name);
  }
  refuseUnsafe(graph as never);
  return graph as never;
}

/** The graph without the types of its nodes, which the options hold. */
type LooseGraph = ChannelHolder & {
  addNode(name: string, node: unknown, options: object): void;
  addEdge(from: string | string[], to: string): void;
};

type CheckedWork = DagWork & { readonly effect: Effect | undefined };

function workOf(name: string, node: unknown): CheckedWork {
  const given = isRun(node) ? { run: node } : node;
  const { run, effect, ...rest } = parseOptions(`dag: node "${name}"`, NodeOptions, given);
  for (const work of [run, rest.compensate]) refuseApprovalNode(`dag: "${name}"`, work);
  const nothing = () => ({});
  return { name, run: run ?? nothing, effect, ...rest } as unknown as CheckedWork;
}

function dependsOn(name: string, other: string, after: ReadonlyMap<string, readonly string[]>): boolean {
  return (after.get(name) ?? []).some((before) => before === other || dependsOn(before, other, after));
}

function failuresChannel() {
  return Annotation<readonly NodeFailure[]>({ reducer: (_before, now) => now, default: () => [] });
}
