import { Command, isCommand } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { bulkhead } from "cockatiel";
import { z } from "zod";
import { parseOptions, PerdureError } from "../errors/index.ts";
import { attemptsOf } from "./attempt.ts";
import { BudgetSchema, budgetExceeded, costOf, spentIn } from "./budget.ts";
import type { Budget, BudgetExcess, Spending } from "./budget.ts";
import { BreakerSchema, createBreaker } from "./circuit-breaker.ts";
import type { BreakerOptions } from "./circuit-breaker.ts";
import { TimerMs, abortable } from "./delay.ts";
import { RateLimitSchema, createRateLimiter } from "./rate-limit.ts";
import type { RateLimitOptions } from "./rate-limit.ts";
import { RETRY_KEY, RetrySchema, withRetry, withRetryElsewhere } from "./retry.ts";
import type { HandRetry, RetryOptions } from "./retry.ts";
import { readChannel, runWithConfig } from "./running-task.ts";
import { withTimeLimit } from "./time-limit.ts";
import { TokenMeter } from "./token-meter.ts";
import { currentTurn } from "./turn.ts";

/** The rules a node runs under. What is left out, or false, does not apply. */
export interface Policies<Exceeded = undefined> {
  /** Try again after a failure; `true` for the defaults. @default false */
  readonly retry?: RetryOptions | boolean;
  /** How long one attempt may take. @default no limit */
  readonly timeoutMs?: number | false;
  /** Stop trying for a while after failures in a row; `true` for the defaults. @default false */
  readonly breaker?: BreakerOptions | boolean;
  /** How many attempts may run at the same time in this process; others wait their turn. @default no limit */
  readonly concurrency?: number | false;
  /** How many attempts may start within a time in this process; others wait their turn. @default no limit */
  readonly rateLimit?: RateLimitOptions | false;
  /** What a run may spend in this node and the others under a budget. @default no limit */
  readonly budget?: (Budget & BudgetPlace<Exceeded>) | false;
}

/** Where a budget is counted, and what happens when it is used up. */
export interface BudgetPlace<Exceeded = undefined> {
  /**
   * What the node gives instead when a limit is used up: what a function makes of it, which then goes along the node's
   * edges as if the node had said so; or the name of a node to go to, for a node that has no edges out of it
   * (LangGraph would follow both).
   * @default it fails with `BUDGET_EXCEEDED`
   */
  readonly onExceeded?: Exceeded;
  /** The channel it is counted in ({@link budgetChannel}). @default "budget" */
  readonly budgetKey?: string;
}

/** A node as LangGraph runs it: a function, or anything with `invoke`, such as an agent. */
export type NodeLike<State, Update> =
  | ((state: State, config: LangGraphRunnableConfig) => Update | Promise<Update>)
  | { invoke(state: State, config: LangGraphRunnableConfig): Promise<Update> };

/** A node under policies. */
export type GuardedNode<State, Update> = (state: State, config: LangGraphRunnableConfig) => Promise<Update>;

/** `false` is no rule; `true`, where there are defaults, is the defaults. */
const rule = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === false ? undefined : value), schema.optional());
const ruleWithDefaults = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === true ? {} : value === false ? undefined : value), schema.optional());
const OnExceededSchema = z.union([
  z.string().min(1),
  z.custom<(excess: BudgetExcess, state: unknown) => unknown>((value) => typeof value === "function"),
]);
const PoliciesSchema = z.object({
  retry: ruleWithDefaults(RetrySchema),
  timeoutMs: rule(TimerMs.min(1)),
  breaker: ruleWithDefaults(BreakerSchema),
  concurrency: rule(z.int().min(1)),
  rateLimit: rule(RateLimitSchema),
  budget: rule(
    BudgetSchema.and(
      z.object({ onExceeded: OnExceededSchema.optional(), budgetKey: z.string().min(1).default("budget") }),
    ),
  ),
});

/**
 * A node under rules, in one fixed order from the outside in:
 * **budget, retry, breaker, concurrency, rate limit, timeout, the node.** So every attempt counts for the breaker,
 * waits its turn and has its own time; waiting takes none of it; and a run is charged once for what its attempts spent.
 *
 * An interrupt, or anything else that leaves the node on purpose, goes straight through: it is no failure, is not
 * tried again and not timed (H11), and answers already given survive another attempt (H15). The run's signal ends
 * every wait. Breaker, concurrency and rate limit belong to the function this returns: add it as several
 * nodes to share them, and count per process. Budgets are counted per run in the state, with the node's own update: a
 * node that fails for good writes nothing, so what it spent is not counted.
 *
 * LangGraph's own `retryPolicy` and `timeout` may be used instead; their waits can't be aborted.
 *
 * @throws PerdureError `OPTIONS_INVALID`; the node may throw `NODE_TIMEOUT`, `CIRCUIT_OPEN`, `BUDGET_EXCEEDED`
 *
 * @example
 * graph.addNode("model", withPolicies(modelNode({ model }), { retry: true, timeoutMs: 30_000, budget: { tokens: 50_000 } }));
 */
export function withPolicies<State, Update>(
  node: NodeLike<State, Update>,
  policies: Policies,
): GuardedNode<State, Update>;
export function withPolicies<State, Update, const Node extends string>(
  node: NodeLike<State, Update>,
  policies: Policies<Node>,
): GuardedNode<State, Update | Command<unknown, never, Node>>;
export function withPolicies<State, Update, Instead>(
  node: NodeLike<State, Update>,
  policies: Policies<(excess: BudgetExcess, state: State) => Instead | Promise<Instead>>,
): GuardedNode<State, Update | Instead>;
export function withPolicies<State, Update>(
  node: NodeLike<State, Update>,
  policies: Policies<unknown>,
): GuardedNode<State, unknown> {
  const rules = parseOptions("withPolicies", PoliciesSchema, policies);
  const runNode = attemptRunner<State, Update>(
    typeof node === "function" ? node : (state, config) => node.invoke(state, config),
    rules,
  );
  if (rules.budget === undefined) return runNode;
  const { budgetKey, onExceeded, ...limits } = rules.budget;
  const budget = limits as Budget;

  return async (state, config) => {
    const turn = await currentTurn(config);
    const excess = budgetExceeded(spentIn(turn, kept(state, config, budgetKey)), budget);
    if (excess !== undefined) {
      if (onExceeded === undefined) throw exceeded(excess);
      return typeof onExceeded === "string" ? new Command({ goto: onExceeded }) : onExceeded(excess, state);
    }
    const meter = new TokenMeter();
    const startedAt = Date.now();
    const update = await runNode(state, { ...config, callbacks: meter.addTo(config.callbacks) });
    return charged(update, budgetKey, {
      turn,
      iterations: 1,
      tokens: meter.used.totalTokens,
      cost: budget.price === undefined ? 0 : costOf(meter.used, budget.price),
      wallTimeMs: budget.wallTimeMs === undefined ? 0 : Date.now() - startedAt,
    });
  };
}

/** Everything but the budget. */
function attemptRunner<State, Update>(
  node: (state: State, config: LangGraphRunnableConfig) => Update | Promise<Update>,
  { retry, timeoutMs, breaker, concurrency, rateLimit }: z.output<typeof PoliciesSchema>,
): (state: State, config: LangGraphRunnableConfig) => Promise<Update> {
  const broken = breaker === undefined ? undefined : createBreaker(breaker);
  const slots = concurrency === undefined ? undefined : bulkhead(concurrency, Infinity);
  const paced = rateLimit === undefined ? undefined : createRateLimiter(rateLimit);

  return (state, config) => {
    const { signal } = config;
    const what = `The node "${String(config.metadata?.["langgraph_node"] ?? "?")}"`;
    const nextAttempt = attemptsOf(config);

    const timed = async (): Promise<Update> => {
      const attempt = nextAttempt();
      const run = async (own: AbortSignal | undefined): Promise<Update> => {
        const attemptConfig = own === undefined ? attempt.config : { ...attempt.config, signal: own };
        return runWithConfig(attemptConfig, () => node(state, attemptConfig));
      };
      const update = timeoutMs === undefined ? await run(signal) : await withTimeLimit(timeoutMs, signal, what, run);
      attempt.settle();
      return update;
    };
    const started = paced === undefined ? timed : () => paced(signal).then(timed);
    const inTurn = slots === undefined ? started : () => startable(signal, started, (work) => slots.execute(work));
    const guarded =
      broken === undefined ? inTurn : () => startable(signal, inTurn, (work) => broken(work, signal, what));
    if (retry === undefined) return guarded();
    const elsewhere: unknown = config.configurable?.[RETRY_KEY];
    if (typeof elsewhere === "function") return withRetryElsewhere(retry, elsewhere as HandRetry, guarded);
    return withRetry(retry, signal, guarded);
  };
}

/**
 * Hands work to something that may make it wait. The signal ends the wait, but not the work: a node that goes
 * on to its end in spite of its signal has its result stored by LangGraph, and must not be run again for it.
 * Cockatiel itself is told of no signal: its bulkhead then forgets who is next.
 */
async function startable<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
  run: (work: () => Promise<T>) => Promise<T>,
): Promise<T> {
  const started = Promise.withResolvers<void>();
  const result = run(() => {
    signal?.throwIfAborted();
    started.resolve();
    return work();
  });
  await abortable(Promise.race([started.promise, result]), signal);
  return result;
}

function kept(state: unknown, config: LangGraphRunnableConfig, budgetKey: string): Spending {
  const inState =
    typeof state === "object" && state !== null ? (state as Record<string, unknown>)[budgetKey] : undefined;
  const spending = inState ?? readChannel(config, budgetKey); // a task that was sent its input does not see the state
  if (typeof spending === "object" && spending !== null && "iterations" in spending) return spending as Spending;
  throw new PerdureError("OPTIONS_INVALID", `The state has no channel "${budgetKey}" to count a budget in.`, {
    hint: `Add \`${budgetKey}: budgetChannel()\` to the state.`,
  });
}

function charged<Update>(update: Update, budgetKey: string, spent: Spending): Update {
  const charge = { [budgetKey]: spent };
  if (update === undefined || update === null) return charge as Update;
  if (isCommand(update)) return [update, charge] as Update;
  if (Array.isArray(update)) return [...(update as unknown[]), charge] as Update;
  return { ...update, ...charge };
}

function exceeded({ limit, max, spent }: BudgetExcess): PerdureError {
  return new PerdureError("BUDGET_EXCEEDED", `The run has spent ${spent} of ${max} ${limit}.`, {
    hint: "Raise the limit, or say with onExceeded where to go on instead.",
  });
}
