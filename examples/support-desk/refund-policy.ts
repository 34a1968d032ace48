/**
 * The shop's refund policy: a pure function of an order, so that what the model is told by
 * `check_refund` is word for word what `refund_order` enforces.
 */
import type { Order } from "./order-database.ts";

/** The state the customer has the goods in. It does not matter for goods that never came. */
export const CONDITIONS = ["unopened", "opened", "damaged"] as const;
export type Condition = (typeof CONDITIONS)[number];

/** How long after the delivery a refund is possible, and how much of the price it may be. */
const TERMS: Record<Condition, { windowDays: number; percent: number }> = {
  unopened: { windowDays: 30, percent: 100 },
  opened: { windowDays: 30, percent: 80 },
  damaged: { windowDays: 90, percent: 100 },
};

/** What the policy says: how much may be given back, and why not more. */
export type PolicyResult =
  | { readonly allowed: true; readonly maxAmountCents: number; readonly reason: string }
  | { readonly allowed: false; readonly maxAmountCents: 0; readonly reason: string };

/** What may be refunded for `order` on the day `today` (ISO dates), less what was refunded before. */
export function checkRefund(order: Order, condition: Condition, today: string): PolicyResult {
  if (order.status === "shipped")
    return refused("It is still on its way; a refund is possible once it is delivered or lost.");
  if (order.status === "lost") return upTo(order, 100, "It was lost on its way.");

  if (order.deliveredOn === null) return refused(`It is ${order.status}, with no day of delivery.`);
  const days = daysBetween(order.deliveredOn, today);
  const { windowDays, percent } = TERMS[condition];
  if (!order.refundable && condition !== "damaged")
    return refused("This item is not refundable, unless it is damaged.");
  if (days > windowDays) {
    return refused(`It was delivered ${days} days ago; the limit for ${condition} goods is ${windowDays} days.`);
  }
  return upTo(order, percent, `Delivered ${days} days ago and ${condition}: up to ${percent} % of the price.`);
}

function upTo(order: Order, percent: number, reason: string): PolicyResult {
  const maxAmountCents = Math.floor((order.priceCents * percent) / 100) - order.refundedCents;
  return maxAmountCents > 0 ? { allowed: true, maxAmountCents, reason } : refused("It was refunded before.");
}

function refused(reason: string): PolicyResult {
  return { allowed: false, maxAmountCents: 0, reason };
}

function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);
}
