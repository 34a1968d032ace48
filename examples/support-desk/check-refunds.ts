/** The check at the end: what people approved against what the money did. */
import type { DecisionRecord } from "perdure/nodes";
import type { GivenAnswer } from "./approvals.ts";
import type { Ledger } from "./order-database.ts";
import { OPENING_BALANCE_CENTS } from "./order-database.ts";
import { formatCents } from "./money.ts";
import { REFUND_TOOL, refundArguments } from "./desk-tools.ts";

/** What the check found. It held if there are no problems. */
export interface RefundCheck {
  /** Movements of money. */
  readonly refunds: number;
  /** Movements of money beyond the first for the same approval. */
  readonly duplicateRefunds: number;
  /** Refunds that were tried again after a crash, and moved nothing the second time. */
  readonly repeats: number;
  readonly problems: readonly string[];
}

/** Each approved refund must have happened exactly once, or been refused by the policy; no other may have. */
export function checkRefunds(
  decisionsByThread: ReadonlyMap<string, readonly DecisionRecord[]>,
  ledger: Ledger,
): RefundCheck {
  const approved = countBy(
    [...decisionsByThread].flatMap(([threadId, decisions]) =>
      decisions.flatMap((decision) => approvedRefund(threadId, decision)),
    ),
  );
  const paid = countBy(ledger.refunds.map(nameOf));
  const refused = countBy(ledger.attempts.filter(({ outcome }) => outcome === "refused").map(nameOf));
  const problems: string[] = [];
  let duplicateRefunds = 0;

  for (const name of new Set([...approved.keys(), ...paid.keys()])) {
    const wanted = approved.get(name) ?? 0;
    const made = paid.get(name) ?? 0;
    if (wanted === 0) problems.push(`${name} was paid, and nobody approved it.`);
    else if (made > wanted) problems.push(`${name} was approved ${times(wanted)} and paid ${times(made)}.`);
    else if (made + (refused.get(name) ?? 0) < wanted) problems.push(`${name} was approved, and not paid.`);
    if (wanted > 0) duplicateRefunds += Math.max(0, made - wanted);
  }

  const moved = OPENING_BALANCE_CENTS - ledger.balanceCents;
  const written = ledger.refunds.reduce((sum, { amountCents }) => sum + amountCents, 0);
  if (moved !== written)
    problems.push(`${formatCents(moved)} left the account, the refunds say ${formatCents(written)}.`);
  const repeated = ledger.attempts.filter(({ outcome }) => outcome === "repeated");
  const repeats = new Set(repeated.map(({ idempotencyKey }) => idempotencyKey)).size;
  return { refunds: ledger.refunds.length, duplicateRefunds, repeats, problems };
}

/** What people said that did not reach their threads: every answer must be among its thread's decisions. */
export function lostAnswers(
  given: readonly GivenAnswer[],
  decisionsByThread: ReadonlyMap<string, readonly DecisionRecord[]>,
): string[] {
  const said = countBy(given.map(({ threadId, answer }) => `${answer.decisions[0]?.type} (${threadId})`));
  const kept = countBy(
    [...decisionsByThread].flatMap(([threadId, decisions]) => decisions.map(({ type }) => `${type} (${threadId})`)),
  );
  return [...said].flatMap(([name, count]) => {
    const reached = kept.get(name) ?? 0;
    return reached < count ? [`${name} was said ${times(count)} and reached the thread ${times(reached)}.`] : [];
  });
}

/** The refund a person let through, as they let it through. Arguments that don't fit pay nothing, approved or not. */
function approvedRefund(threadId: string, { type, action, editedAction }: DecisionRecord): string[] {
  const { name, args } = type === "edit" && editedAction !== undefined ? editedAction : action;
  const refund = refundArguments.safeParse(args);
  if (name !== REFUND_TOOL || (type !== "approve" && type !== "edit") || !refund.success) return [];
  return [nameOf({ threadId, ...refund.data })];
}

function nameOf({
  threadId,
  orderId,
  amountCents,
}: {
  threadId: string;
  orderId: string;
  amountCents: number;
}): string {
  return `${formatCents(amountCents)} for ${orderId} (${threadId})`;
}

function countBy(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
