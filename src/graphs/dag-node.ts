import { Command, isGraphBubbleUp, type LangGraphRunnableConfig, Overwrite } from "@langchain/langgraph";

import { type NodeLike, once } from "../nodes/index.ts";
import { type NodeFailure, nodesFailed, type StoredError, storedError } from "./node-failure.ts";
import { RUNNING_MS } from "./running-time.ts";
import type { Slots } from "./slots.ts";
import { askForStep, runStep, type StepApproval, type StepDecision, type StepUpdate } from "./step.ts";
import { TurnChannel } from "./turn-channel.ts";

/** What became of a node in this turn. */
export type DagOutcome =
  | { readonly status: "done" }
  /** It failed, and its fallback stands in. */
  | { readonly status: "replaced"; readonly error: StoredError }
  /** Its `when` said no. */
  | { readonly status: "off" }
  | { readonly status: "failed"; readonly error: StoredError }
  | { readonly status: "stopped"; readonly because: readonly string[] };

type Outcomes = Readonly<Record<string, DagOutcome>>;

/** The channel in which a DAG keeps what became of its nodes. */
export const OUTCOMES = "dag.outcomes";

/** A channel of outcomes by node. */
export function outcomesChannel(): TurnChannel<Outcomes> {
  return new TurnChannel<Outcomes>({
    initial: {},
    reduce: (kept, added) => Object.assign({}, kept, ...added) as Outcomes,
  });
}

/** One node of a DAG, without its types. */
export interface DagWork {
  readonly name: string;
  readonly run: NodeLike<StepUpdate, unknown>;
  readonly after: readonly string[];
  readonly when: ((state: StepUpdate) => boolean | Promise<boolean>) | undefined;
  readonly approve: ((state: StepUpdate) => StepApproval | Promise<StepApproval>) | undefined;
  readonly fallback: object | ((error: unknown, state: StepUpdate) => unknown) | undefined;
  readonly compensate: NodeLike<StepUpdate, unknown> | undefined;
}

/** What all nodes of a DAG share. */
export interface DagRules {
  readonly slots: Slots | undefined;
  readonly timeoutMs: number | undefined;
}

/**
 * A node of a DAG. It never throws: what became of it goes into the state with what it wrote, so that the others can
 * finish. What already has an outcome is not run again, when a failed run is continued.
 */
export function dagNode(work: DagWork, { slots, timeoutMs }: DagRules) {
  return async (
    { [OUTCOMES]: kept, [RUNNING_MS]: ran, ...state }: StepUpdate,
    config: LangGraphRunnableConfig,
  ): Promise<StepUpdate> => {
    const outcomes = kept as Outcomes;
    if (outcomes[work.name] !== undefined) return {};
    const because = work.after.filter(
      (name) => outcomes[name]?.status === "failed" || outcomes[name]?.status === "stopped",
    );
    if (because.length > 0) return outcomeOf(work, { status: "stopped", because });

    const startedAt = performance.now();
    const left = () =>
      timeoutMs === undefined ? undefined : timeoutMs - (ran as number) - (performance.now() - startedAt);
    let decision: StepDecision = { records: [] };
    let written: StepUpdate = {};
    let outcome: DagOutcome = { status: "done" };
    try {
      if (work.when !== undefined && !(await work.when(state))) return outcomeOf(work, { status: "off" });
      if (work.approve !== undefined) decision = await askForStep(work.name, await work.approve(state));
      if (decision.rejection !== undefined) throw decision.rejection;
      const run = () => runStep(work.name, work.run, state, config, left());
      written = await (slots === undefined ? run() : slots.run(config, run));
    } catch (error) {
      if (isGraphBubbleUp(error) || config.signal?.aborted === true) throw error;
      [written, outcome] = await replaced(work, error, state);
    }
    return {
      ...written,
      ...outcomeOf(work, outcome),
      ...(decision.records.length === 0 ? {} : { decisions: decision.records }),
      ...(timeoutMs === undefined ? {} : { [RUNNING_MS]: performance.now() - startedAt }),
    };
  };
}

function outcomeOf({ name }: DagWork, outcome: DagOutcome): StepUpdate {
  return { [OUTCOMES]: { [name]: outcome } };
}

async function replaced({ fallback }: DagWork, error: unknown, state: StepUpdate): Promise<[StepUpdate, DagOutcome]> {
  if (fallback === undefined) return [{}, { status: "failed", error: storedError(error) }];
  try {
    const update: unknown =
      typeof fallback === "function"
        ? await (fallback as (error: unknown, state: StepUpdate) => unknown)(error, state)
        : fallback;
    return [(update ?? {}) as StepUpdate, { status: "replaced", error: storedError(error) }];
  } catch (again) {
    return [{}, { status: "failed", error: { ...storedError(again), cause: storedError(error) } }];
  }
}

/** What a DAG does once every node has an outcome and one has failed. */
export type DagFailurePolicy = "throw" | "report" | ((failures: readonly NodeFailure[], state: StepUpdate) => unknown);

/**
 * The node "settle", which comes after all others: undoes what can be undone if a node failed, and reports. With
 * "throw" it fails; when the thread is continued after that, it sends the run back to the first nodes, where
 * all that has no outcome is done again.
 */
export function settleNode(works: readonly DagWork[], roots: readonly string[], policy: DagFailurePolicy) {
  return async ({ [OUTCOMES]: kept, [RUNNING_MS]: _ran, ...state }: StepUpdate, config: LangGraphRunnableConfig) => {
    const outcomes = kept as Outcomes;
    const failed = works.flatMap(({ name }) => failureOf(name, outcomes[name]));
    if (failed.length === 0) return { failures: [] };

    const { undone, written } = await undo(works, outcomes, state, config);
    const failures = [...failed, ...undone];
    if (policy === "report") return { ...written, failures };
    if (policy !== "throw")
      return { ...written, failures, ...((await policy(failures, { ...state, ...written })) as StepUpdate) };

    let isFirst = false;
    await once("report", () => {
      isFirst = true;
      return true;
    });
    if (isFirst) throw nodesFailed("The graph", failures);
    const open = new Set(failures.filter(({ status }) => status !== "not-undone").map(({ node }) => node));
    const settled = Object.fromEntries(Object.entries(outcomes).filter(([name]) => !open.has(name)));
    const update = { ...written, [OUTCOMES]: new Overwrite(settled), [RUNNING_MS]: new Overwrite(0) };
    return new Command({ update, goto: [...roots] });
  };
}

function failureOf(node: string, outcome: DagOutcome | undefined): NodeFailure[] {
  if (outcome?.status === "failed") return [{ node, status: "failed", error: outcome.error }];
  if (outcome?.status === "stopped") return [{ node, status: "stopped", because: outcome.because }];
  return [];
}

/** Undoes what is done, the last first; each once, however often this node runs. */
async function undo(works: readonly DagWork[], outcomes: Outcomes, state: StepUpdate, config: LangGraphRunnableConfig) {
  const undone: NodeFailure[] = [];
  let written: StepUpdate = {};
  for (const { name, compensate } of works.toReversed()) {
    if (compensate === undefined || outcomes[name]?.status !== "done") continue;
    const current = { ...state, ...written };
    try {
      const update = await once(`undo ${name}`, () =>
        runStep(`the compensation of ${name}`, compensate, current, config, undefined),
      );
      written = { ...written, ...update };
      undone.push({ node: name, status: "undone" });
    } catch (error) {
      if (isGraphBubbleUp(error) || config.signal?.aborted === true) throw error;
      undone.push({ node: name, status: "not-undone", error: storedError(error) });
    }
  }
  return { undone, written };
}
