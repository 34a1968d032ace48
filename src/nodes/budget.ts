import { Annotation } from "@langchain/langgraph";
import { z } from "zod";
import type { Usage } from "./usage.ts";

/** What a run may spend; what is left out is not limited. A limit of 0 allows nothing. */
export interface Budget {
  /** How often its budgeted nodes may run. */
  readonly iterations?: number;
  /** Tokens of all models called in them, in and out. */
  readonly tokens?: number;
  /** What those tokens cost, in the currency of `price`. */
  readonly cost?: number;
  /** The price of tokens, per million; goes with `cost`. */
  readonly price?: { readonly inputPerMillion: number; readonly outputPerMillion: number };
  /**
   * Milliseconds on the clock while budgeted nodes run, added up; waiting for a person, a signal or a timer is
   * not running.
   */
  readonly wallTimeMs?: number;
}

/** What a run has spent so far. */
export interface Spending {
  /** The turn it was spent in ({@link currentTurn}); null before the first. */
  readonly turn: number | null;
  readonly iterations: number;
  readonly tokens: number;
  readonly cost: number;
  /** Counted only for a budget that limits it, so that other states don't depend on the clock. */
  readonly wallTimeMs: number;
}

/** A limit that is used up. */
export interface BudgetExcess {
  readonly limit: "iterations" | "tokens" | "cost" | "wallTimeMs";
  readonly max: number;
  readonly spent: number;
}

/** Nothing spent yet. */
const NOTHING_SPENT: Spending = { turn: null, iterations: 0, tokens: 0, cost: 0, wallTimeMs: 0 };

export const BudgetSchema = z
  .object({
    iterations: z.int().min(0).optional(),
    tokens: z.int().min(0).optional(),
    cost: z.number().min(0).optional(),
    price: z.object({ inputPerMillion: z.number().min(0), outputPerMillion: z.number().min(0) }).optional(),
    wallTimeMs: z.number().min(0).optional(),
  })
  .refine(({ cost, price }) => cost === undefined || price !== undefined, {
    message: "needs `price` beside it",
    path: ["cost"],
  });

/**
 * A state channel that counts what a run spends: `budget: budgetChannel()`. A new turn starts it anew; what parallel
 * nodes spend is added up, in whatever order they finish.
 */
export function budgetChannel() {
  return Annotation<Spending>({ reducer: addSpending, default: () => NOTHING_SPENT });
}

/** The first limit that is used up, of iterations, tokens, cost and wall time; undefined while there is some left. */
export function budgetExceeded(spent: Spending, budget: Budget): BudgetExcess | undefined {
  for (const limit of ["iterations", "tokens", "cost", "wallTimeMs"] as const) {
    const max = budget[limit];
    if (max !== undefined && spent[limit] >= max) return { limit, max, spent: spent[limit] };
  }
  return undefined;
}

/** What tokens cost. */
export function costOf(usage: Usage, price: NonNullable<Budget["price"]>): number {
  return (usage.inputTokens * price.inputPerMillion + usage.outputTokens * price.outputPerMillion) / 1_000_000;
}

/** What was spent in the turn, by what the channel says. */
export function spentIn(turn: number, kept: Spending): Spending {
  return kept.turn === turn ? kept : { ...NOTHING_SPENT, turn };
}

function addSpending(kept: Spending, added: Spending): Spending {
  if (added.turn === null) return kept;
  const sum = spentIn(added.turn, kept);
  return {
    turn: added.turn,
    iterations: sum.iterations + added.iterations,
    tokens: sum.tokens + added.tokens,
    cost: sum.cost + added.cost,
    wallTimeMs: sum.wallTimeMs + added.wallTimeMs,
  };
}
