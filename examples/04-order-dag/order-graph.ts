import { Annotation } from "@langchain/langgraph";
import { dag } from "perdure/graphs";
import { once } from "perdure/nodes";

const Order = Annotation.Root({
  orderId: Annotation<string>(),
  sku: Annotation<string>(),
  cents: Annotation<number>(),
  rating: Annotation<"good" | "unknown">(),
  log: Annotation<string[]>({ reducer: (before, more) => before.concat(more), default: () => [] }),
});

/** What the order graph works with. */
export interface Shop {
  /** Units in stock by article; taken by an order, and given back if it comes to nothing. */
  readonly stock: Map<string, number>;
  /** Money taken, by the payment's idempotency key. */
  readonly payments: Map<string, number>;
  /** Whether a customer can pay; may be out of service. */
  readonly checkCredit: (orderId: string) => Promise<"good">;
}

/** validate → inventory ‖ credit → payment → fulfil → notify. Payment takes money, so a person approves it. */
export function orderGraph({ stock, payments, checkCredit }: Shop) {
  return dag({
    state: Order,
    maxConcurrency: 5,
    timeoutMs: 600_000,
    entry: ["validate"],
    finish: ["notify"],
    onFailure: "report",
    nodes: {
      validate: ({ cents }) => {
        if (cents <= 0) throw new Error("an order costs something");
        return { log: ["valid"] };
      },
      inventory: {
        after: ["validate"],
        run: ({ sku }) => {
          const left = stock.get(sku) ?? 0;
          if (left === 0) throw new Error(`${sku} is out of stock`);
          stock.set(sku, left - 1);
          return { log: ["reserved"] };
        },
        compensate: ({ sku }) => {
          stock.set(sku, (stock.get(sku) ?? 0) + 1);
          return { log: ["released"] };
        },
      },
      credit: {
        after: ["validate"],
        run: async ({ orderId }) => ({ rating: await checkCredit(orderId), log: ["credit checked"] }),
        fallback: { rating: "unknown", log: ["credit unknown"] },
      },
      payment: {
        after: ["inventory", "credit"],
        effect: "irreversible",
        approve: ({ orderId, cents, rating }) => ({ args: { orderId, cents, rating } }),
        run: async ({ cents }) => {
          await once("pay", ({ idempotencyKey }) => void payments.set(idempotencyKey, cents));
          return { log: ["paid"] };
        },
      },
      fulfil: { after: ["payment"], run: () => ({ log: ["packed"] }) },
      notify: { after: ["fulfil"], run: ({ orderId }) => ({ log: [`told the customer of ${orderId}`] }) },
    },
  });
}
