import { type Budget, budgetChannel, budgetExceeded, type BudgetPlace, type Spending } from "../nodes/index.ts";
import { type ChannelHolder, addTurnChannel, TurnChannel, turnCounter } from "./turn-channel.ts";

/** The names of the channels that count a turn's rounds, keep what it was granted, and what it spent. */
export const ITERATIONS = "react.iterations";
const ALLOWANCE = "react.allowance";
const SPENDING = "react.budget";

/** What a turn was granted, at its start or by a person who said that it may go on. */
interface Allowance {
  /** The rounds granted so far. */
  readonly rounds: number;
  /** What had been spent when it was granted; null at the turn's start. */
  readonly after: Spending | null;
}

/** Why a turn may not go on. */
export interface Spent {
  readonly code: "ITERATION_LIMIT" | "BUDGET_EXCEEDED";
  /** The limit, as a person reads it. */
  readonly limit: string;
}

type State = Readonly<Record<string, unknown>>;

/** What one turn of a {@link reactGraph} may use: rounds of tools, and a budget that is looked at before each round. */
export class RoundLimit {
  readonly maxIterations: number;
  readonly #budget: Budget | undefined;

  constructor(maxIterations: number, budget: Budget | undefined) {
    this.maxIterations = maxIterations;
    this.#budget = budget;
  }

  /** Adds the channels it counts in. They are not part of the graph's state, input or output. */
  addTo(graph: ChannelHolder): void {
    const start: Allowance = { rounds: this.maxIterations, after: null };
    addTurnChannel(graph, ITERATIONS, turnCounter());
    addTurnChannel(
      graph,
      ALLOWANCE,
      new TurnChannel<Allowance>({ initial: start, reduce: (kept, given) => given.at(-1) ?? kept }),
    );
    if (this.#budget !== undefined) graph.channels[SPENDING] = budgetChannel();
  }

  /** The policy that counts what a node spends, and lets the edges do the limiting. */
  get counting(): (Budget & BudgetPlace<never>) | false {
    if (this.#budget === undefined) return false;
    const { price, wallTimeMs } = this.#budget;
    return {
      budgetKey: SPENDING,
      ...(price === undefined ? {} : { price }),
      ...(wallTimeMs === undefined ? {} : { wallTimeMs: Number.MAX_SAFE_INTEGER }),
    };
  }

  /** Why the turn may not go on; `undefined` while it may. */
  spent(state: State): Spent | undefined {
    const { rounds, after } = state[ALLOWANCE] as Allowance;
    if ((state[ITERATIONS] as number) >= rounds)
      return { code: "ITERATION_LIMIT", limit: `${rounds} ${rounds === 1 ? "round" : "rounds"} of tools` };
    if (this.#budget === undefined) return undefined;
    const excess = budgetExceeded(since(after, state[SPENDING] as Spending), this.#budget);
    if (excess === undefined) return undefined;
    const unit = { iterations: "steps", tokens: "tokens", cost: "of cost", wallTimeMs: "ms" }[excess.limit];
    return { code: "BUDGET_EXCEEDED", limit: `${excess.max} ${unit}` };
  }

  /** The update that grants more rounds, and the budget once more. */
  grant(rounds: number, state: State): Record<string, unknown> {
    const granted: Allowance = {
      rounds: (state[ITERATIONS] as number) + rounds,
      after: this.#budget === undefined ? null : (state[SPENDING] as Spending),
    };
    return { [ALLOWANCE]: granted };
  }
}

function since(before: Spending | null, now: Spending): Spending {
  if (before === null) return now;
  return {
    turn: now.turn,
    iterations: now.iterations - before.iterations,
    tokens: now.tokens - before.tokens,
    cost: now.cost - before.cost,
    wallTimeMs: now.wallTimeMs - before.wallTimeMs,
  };
}
