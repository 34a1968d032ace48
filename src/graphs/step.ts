import { isCommand, type LangGraphRunnableConfig } from "@langchain/langgraph";

import { PerdureError, show } from "../errors/index.ts";
import {
  type ApprovalRequest,
  type DecisionRecord,
  type Effect,
  type NodeLike,
  nodeTraits,
  readNodeTraits,
  requestApproval,
  type TraitOptions,
  withPolicies,
} from "../nodes/index.ts";

/** A step's own work: a function, or anything with `invoke`, such as a Runnable or a compiled graph. */
export type StepRun<State, Update> =
  | ((state: State, config: LangGraphRunnableConfig) => Update | void | Promise<Update | void>)
  | { invoke(state: State, config: LangGraphRunnableConfig): Promise<Update | void> };

/** How a step is put to a person before it runs. */
export type StepApproval = Omit<ApprovalRequest<never>, "actions"> & {
  /** What it is about to do, in values a person can judge. @default {} */
  readonly args?: Readonly<Record<string, unknown>>;
  /** What a person should know to decide. */
  readonly description?: string;
};

/** A person's word on a step. */
export interface StepDecision {
  readonly records: readonly DecisionRecord[];
  /** Why it may not run; `undefined` if it may. */
  readonly rejection?: PerdureError;
}

/** Asks a person whether a step may run. */
export async function askForStep(
  name: string,
  { args = {}, description, ...request }: StepApproval,
): Promise<StepDecision> {
  const action = {
    name,
    args,
    allowedDecisions: ["approve", "reject"] as const,
    ...(description === undefined ? {} : { description }),
  };
  const { decisions, records } = await requestApproval({ ...request, actions: [action] });
  const [decision] = decisions;
  if (decision?.type === "approve") return { records };
  const message = decision?.type === "reject" ? decision.message : undefined;
  const rejection = new PerdureError(
    "APPROVAL_REJECTED",
    `A person rejected "${name}".${message === undefined ? "" : ` ${message}`}`,
    {
      hint: "The decision is in the state's `decisions`.",
    },
  );
  return { records, rejection };
}

/** What a step wrote, and how long it ran. */
export type StepUpdate = Record<string, unknown>;

/**
 * Runs a step, for `withinMs` at most, and returns its update.
 *
 * @throws {PerdureError} `NODE_TIMEOUT`; `GRAPH_INVALID` for what is no update
 */
export async function runStep(
  name: string,
  run: NodeLike<StepUpdate, unknown>,
  state: StepUpdate,
  config: LangGraphRunnableConfig,
  withinMs: number | undefined,
): Promise<StepUpdate> {
  if (withinMs !== undefined && withinMs < 1) {
    throw new PerdureError("NODE_TIMEOUT", `There was no time left for "${name}".`, { hint: "Raise timeoutMs." });
  }
  const update = await withPolicies(run, withinMs === undefined ? {} : { timeoutMs: withinMs })(state, config);
  if (update === undefined || update === null) return {};
  if (isCommand(update) || !isPlain(update)) {
    throw new PerdureError("GRAPH_INVALID", `"${name}" returned ${isCommand(update) ? "a Command" : show(update)}.`, {
      hint: "Return an object with what changes in the state; where the graph goes on is given by its order.",
    });
  }
  return update;
}

function isPlain(value: unknown): value is StepUpdate {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** How a step is added to the graph: what the checker and the drawing are told of it, and the graph it runs, if it is one. */
export function stepOptions(step: {
  readonly run?: unknown;
  readonly effect: Effect | undefined;
  readonly approve?: unknown;
  /** Whether what comes after it may run after a no too, so that its approval guards nothing else. */
  readonly goesOnAfterNo?: boolean;
  /** The node that runs its compensation. */
  readonly undoneBy?: string | undefined;
}): TraitOptions & { subgraphs?: object[] } {
  const { run, effect, approve, goesOnAfterNo = false, undoneBy } = step;
  const traits = nodeTraits({
    ...(effect === undefined ? {} : { effect }),
    ...(approve === undefined ? {} : { approval: true }),
    ...(approve !== undefined && goesOnAfterNo ? { goesOnAfterNo: true } : {}),
    ...(undoneBy === undefined ? {} : { compensate: undoneBy }),
  });
  const isGraph = typeof run === "object" && run !== null && "lg_is_pregel" in run;
  return isGraph ? { ...traits, subgraphs: [run] } : traits;
}

/** Whether this is a step's work and not its options. */
export function isRun(value: unknown): value is NodeLike<StepUpdate, unknown> {
  return typeof value === "function" || (typeof value === "object" && value !== null && "invoke" in value);
}

/** An approval node writes what was decided and goes on; where the builder gives the order, a no must stop it. */
export function refuseApprovalNode(where: string, run: unknown): void {
  const options: unknown = typeof run === "function" && "options" in run ? run.options : undefined;
  const metadata =
    typeof options === "object" && options !== null && "metadata" in options ? options.metadata : undefined;
  if (readNodeTraits(metadata).approval !== true) return;
  throw new PerdureError("GRAPH_INVALID", `${where} runs an approval node.`, {
    hint: "Say what is to be asked with the step's own `approve`; a rejection then stops what comes after it.",
  });
}
