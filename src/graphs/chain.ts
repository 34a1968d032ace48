import {
  Annotation,
  type Command,
  END,
  isCommand,
  isGraphBubbleUp,
  type LangGraphRunnableConfig,
  START,
  type StateDefinitionInit,
  StateGraph,
  type StateType,
  type UpdateType,
} from "@langchain/langgraph";
import { z } from "zod";

import { anyFunction, parseOptions, PerdureError, show } from "../errors/index.ts";
import { decisionsChannel, type Effect, type NodeLike, withPolicies } from "../nodes/index.ts";
import { refuseUnsafe } from "./check-graph.ts";
import { type Extended, extendState, type StateOf, type UpdateOf } from "./extend-state.ts";
import { refuseNodeName } from "./node-name.ts";
import { RUNNING_MS, runningTimeChannel } from "./running-time.ts";
import {
  askForStep,
  isRun,
  refuseApprovalNode,
  runStep,
  type StepApproval,
  type StepDecision,
  type StepRun,
  stepOptions,
  type StepUpdate,
} from "./step.ts";
import { addTurnChannel, type ChannelHolder, TurnChannel } from "./turn-channel.ts";

/** The channels of a {@link chain}: the caller's, and what people decided. */
export type ChainDefinition<Schema> = Extended<Schema, { decisions: ReturnType<typeof decisionsChannel> }>;

/** A step of a {@link chain} that is more than its work. */
export interface ChainStep<State, Update> {
  /** What it does; what it returns is merged into the state. @default nothing, for a step that only asks */
  readonly run?: StepRun<State, Update>;
  /** Asks a person first; a no ends the chain there, unless `onError` says otherwise. @default nobody is asked */
  readonly approve?: (state: State) => StepApproval | Promise<StepApproval>;
  /** What it does to the world. @default not said */
  readonly effect?: Effect;
}

/** What holds for a whole {@link chain}. */
export interface ChainOptions<Schema extends StateDefinitionInit, Name extends string> {
  /** The state: an `Annotation.Root`, a zod object or a `StateSchema`. */
  readonly state: Schema;
  /** How long a turn may run; waiting for a person, and the time until a crashed run goes on, don't count. @default no limit */
  readonly timeoutMs?: number;
  /** How often a step that fails is tried again. @default 0 */
  readonly retries?: number;
  /** The wait before the first time it is tried again; each one after is twice as long. @default 100 */
  readonly retryDelayMs?: number;
  /**
   * Called when a step has failed for good. It may return an update, and the chain goes on with the next step; a
   * `Command` that goes to a later step or the end; or throw. @default the step's error is thrown, and continuing the thread tries the step again
   */
  readonly onError?: (
    error: unknown,
    step: NoInfer<Name>,
    state: StateOf<Schema>,
  ) => ChainRecovery<Schema, NoInfer<Name>> | Promise<ChainRecovery<Schema, NoInfer<Name>>>;
}

/** How a {@link chain} goes on after an error. */
export type ChainRecovery<Schema, Name extends string> =
  | UpdateOf<Schema>
  | Command<unknown, UpdateOf<Schema>, Name | typeof END>;

const Options = z.object({
  timeoutMs: z.number().min(1).optional(),
  retries: z.int().min(0).default(0),
  retryDelayMs: z.number().min(0).default(100),
  onError: anyFunction.optional(),
});
const Steps = z
  .record(z.string(), z.unknown())
  .refine((steps) => Object.keys(steps).length > 0, "needs at least one step");
const Step = z.strictObject({
  run: z.custom((run) => isRun(run), "must be a function or have `invoke`").optional(),
  approve: anyFunction.optional(),
  effect: z.enum(["none", "idempotent", "irreversible"]).optional(),
});

/** The channel of the step to go on with; the steps before it have nothing to do. */
const NEXT = "chain.next";

/**
 * A graph of steps that run one after the other, in the order they are written in. Each step is a node, so its result is
 * committed before the next one starts. Returns a `StateGraph`, not compiled.
 *
 * @throws {PerdureError} `OPTIONS_INVALID`; `GRAPH_INVALID` for a name no step can have; `GRAPH_UNSAFE` for an irreversible step without `approve`, on itself or (if there is no `onError`, which may go on after a no) before it
 *
 * @example
 * const order = chain(
 *   { validate, decide: promptAndModel, pay: { run: pay, effect: "irreversible", approve: ({ total }) => ({ args: { total } }) } },
 *   { state: Order, timeoutMs: 300_000, retries: 3, retryDelayMs: 2_000 },
 * );
 */
export function chain<Schema extends StateDefinitionInit, const Name extends string>(
  steps: {
    readonly [N in Name]: ChainStep<StateOf<Schema>, UpdateOf<Schema>> | StepRun<StateOf<Schema>, UpdateOf<Schema>>;
  },
  options: ChainOptions<Schema, Name>,
): StateGraph<
  ChainDefinition<Schema>,
  StateType<ChainDefinition<Schema>>,
  UpdateType<ChainDefinition<Schema>>,
  typeof START | Name
> {
  const rules = parseOptions("chain", Options, options);
  const works = Object.entries(parseOptions("chain", z.object({ steps: Steps }), { steps }).steps).map(([name, step]) =>
    workOf(name, step),
  );
  const names = works.map(({ name }) => name);

  const graph = new StateGraph(extendState(options.state, { decisions: decisionsChannel() })) as unknown as LooseGraph;
  addTurnChannel(
    graph,
    NEXT,
    new TurnChannel<string | null>({
      initial: null,
      reduce: (kept, said) => (said.length > 0 ? (said.at(-1) ?? null) : kept),
    }),
  );
  if (rules.timeoutMs !== undefined) addTurnChannel(graph, RUNNING_MS, runningTimeChannel());

  for (const name of names) refuseNodeName("chain", name, graph.channels);
  const input = Annotation.Root({ ...graph.channels });
  works.forEach((work, at) => {
    graph.addNode(work.name, stepNode(work, names.slice(at + 1), rules as Rules), {
      input,
      ...stepOptions({ ...work, goesOnAfterNo: rules.onError !== undefined }),
    });
    graph.addEdge(names[at - 1] ?? START, work.name);
  });
  refuseUnsafe(graph as never);
  return graph as never;
}

type LooseGraph = ChannelHolder & {
  addNode(name: string, node: unknown, options: object): void;
  addEdge(from: string, to: string): void;
};

interface Work {
  readonly name: string;
  readonly run: NodeLike<StepUpdate, unknown>;
  readonly approve: ((state: StepUpdate) => StepApproval | Promise<StepApproval>) | undefined;
  readonly effect: Effect | undefined;
}

interface Rules {
  readonly timeoutMs: number | undefined;
  readonly retries: number;
  readonly retryDelayMs: number;
  readonly onError: ((error: unknown, step: string, state: StepUpdate) => unknown) | undefined;
}

function workOf(name: string, step: unknown): Work {
  const { run, approve, effect } = parseOptions(`chain: step "${name}"`, Step, isRun(step) ? { run: step } : step);
  refuseApprovalNode(`chain: "${name}"`, run);
  return { name, run: run ?? (() => ({})), approve, effect } as Work;
}

function stepNode(work: Work, later: readonly string[], rules: Rules) {
  const { timeoutMs, retries, retryDelayMs, onError } = rules;
  const tried =
    retries === 0
      ? work.run
      : withPolicies(work.run, { retry: { attempts: retries + 1, intervalMs: retryDelayMs, jitter: false } });

  return async (
    { [NEXT]: next, [RUNNING_MS]: ran, ...state }: StepUpdate,
    config: LangGraphRunnableConfig,
  ): Promise<StepUpdate> => {
    if (next !== null && next !== work.name) return {};
    const startedAt = performance.now();
    let decision: StepDecision = { records: [] };
    let update: StepUpdate;
    try {
      if (work.approve !== undefined) decision = await askForStep(work.name, await work.approve(state));
      if (decision.rejection !== undefined) throw decision.rejection;
      update = await runStep(
        work.name,
        tried,
        state,
        config,
        timeoutMs === undefined ? undefined : timeoutMs - (ran as number),
      );
    } catch (error) {
      if (isGraphBubbleUp(error) || config.signal?.aborted === true) throw error;
      if (onError !== undefined) update = recovery(work.name, later, await onError(error, work.name, state));
      else if (error === decision.rejection) update = { [NEXT]: END };
      else throw error;
    }
    return {
      ...(next === null ? {} : { [NEXT]: null }),
      ...update,
      ...(decision.records.length === 0 ? {} : { decisions: decision.records }),
      ...(timeoutMs === undefined ? {} : { [RUNNING_MS]: performance.now() - startedAt }),
    };
  };
}

/** What `onError` returned, as an update: where it goes on is kept in the state, and the steps before have nothing to do. */
function recovery(step: string, later: readonly string[], returned: unknown): StepUpdate {
  if (!isCommand(returned)) return (returned ?? {}) as StepUpdate;
  const { goto = [], update } = returned as Command;
  const places = [goto].flat();
  const [place] = places;
  if (places.length > 1 || (place !== undefined && place !== END && !later.includes(place as string))) {
    throw new PerdureError("GRAPH_INVALID", `chain: onError sent "${step}" on to ${show(goto)}.`, {
      hint: `Name one step after it (${later.join(", ") || "there is none"}) or END.`,
    });
  }
  const written = Array.isArray(update) ? Object.fromEntries(update as [string, unknown][]) : update;
  return { ...(written as StepUpdate), ...(place === undefined ? {} : { [NEXT]: place }) };
}
