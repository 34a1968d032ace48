/**
 * What the agent can do: look up an order, ask what the policy allows, and refund. Only the last one
 * changes anything, and a person has to approve it first. A tool that refuses throws: the model is told
 * why and can mend its call.
 */
import { setTimeout as pause } from "node:timers/promises";
import { tool } from "@langchain/core/tools";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { effect, getIdempotencyKey } from "perdure/nodes";
import { z } from "zod";
import type { Order, OrderDatabase, RefundResult } from "./order-database.ts";
import { CONDITIONS, checkRefund } from "./refund-policy.ts";

/** The tool that moves money. */
export const REFUND_TOOL = "refund_order";

/** The tool takes no more, whatever the policy says. */
export const MAX_REFUND_CENTS = 1_000_000;

const orderId = z
  .string()
  .regex(/^A-\d{4}$/, "an order id is A- and four digits")
  .describe("such as A-1234");
const condition = z.enum(CONDITIONS).describe("the state the customer has the goods in");

/** What {@link REFUND_TOOL} takes; also what a person sees and may change before it runs. */
export const refundArguments = z.object({
  orderId,
  amountCents: z.int().min(1).max(MAX_REFUND_CENTS).describe("at most what check_refund allows"),
  condition,
});
export type RefundArguments = z.output<typeof refundArguments>;

/** A refund that was tried, as the tools tell it. */
export type RefundNews = Pick<RefundArguments, "orderId" | "amountCents"> & {
  readonly threadId: string;
  readonly outcome: RefundResult["outcome"];
};

/** The tools, working on `orders`. */
export function createDeskTools(options: {
  orders: OrderDatabase;
  /** The day the customers' messages came in, as an ISO date. */
  today: string;
  /** How long the bank takes to confirm a refund after the money moved, in milliseconds. */
  bankDelayMs: number;
  /** Hears of each refund as soon as it is committed, before the bank confirms it. */
  onRefund?: (news: RefundNews) => void;
}): StructuredToolInterface[] {
  const { orders, today, bankDelayMs, onRefund } = options;

  const find = async (id: string): Promise<Order> => {
    const order = await orders.find(id);
    if (order === undefined) throw new Error(`There is no order ${id}. Ask the customer to check the number.`);
    return order;
  };

  const lookupOrder = tool(async ({ orderId }) => JSON.stringify(await find(orderId)), {
    name: "lookup_order",
    description: "Looks up an order: item, price in cents, status and dates.",
    schema: z.object({ orderId }),
    ...effect("none"),
  });

  const askPolicy = tool(
    async ({ orderId, condition }) =>
      JSON.stringify({ orderId, ...checkRefund(await find(orderId), condition, today) }),
    {
      name: "check_refund",
      description: "Says whether the policy allows a refund of an order, and how many cents at most.",
      schema: z.object({ orderId, condition }),
      ...effect("none"),
    },
  );

  const refundOrder = tool(
    async ({ orderId, amountCents, condition }, config) => {
      const threadId = String(config.configurable?.["thread_id"]);
      const idempotencyKey = getIdempotencyKey(config);
      const result = await orders.refund({ idempotencyKey, threadId, orderId, amountCents, condition, today });
      onRefund?.({ threadId, orderId, amountCents, outcome: result.outcome });
      if (result.outcome === "refused") throw new Error(result.reason);

      // A bank takes its time. A crash in this gap, after the effect and before its record, is the one
      // that makes an agent pay twice: the tool runs again, and only its key shows that it did already.
      await pause(bankDelayMs, undefined, { signal: config.signal });
      return JSON.stringify({ orderId, refundedCents: result.amountCents });
    },
    {
      name: REFUND_TOOL,
      description: "Pays a customer back. A person is asked before it happens.",
      schema: refundArguments,
      ...effect("irreversible"),
    },
  );

  return [lookupOrder, askPolicy, refundOrder];
}
