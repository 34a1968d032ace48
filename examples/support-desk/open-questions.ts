import type { ApprovalQuestion } from "perdure/nodes";
import type { DeskState } from "./desk.ts";
import { refundArguments } from "./desk-tools.ts";
import type { OrderDatabase } from "./order-database.ts";
import type { OpenQuestion } from "./protocol.ts";
import { checkRefund } from "./refund-policy.ts";

/** The refunds a thread asks for, each with its order and what the policy says of it. */
export async function openQuestions(state: DeskState, orders: OrderDatabase, today: string): Promise<OpenQuestion[]> {
  const questions = state.interrupts.map(async ({ id: interruptId, value }): Promise<OpenQuestion> => {
    const [action] = (value as ApprovalQuestion).actionRequests; // one: each tool call asks for itself
    if (action === undefined) throw new Error(`Interrupt ${interruptId} of ${state.threadId} asks for nothing.`);
    const { name, args } = action;
    const question = { threadId: state.threadId, interruptId, action: { name, args } };
    const asked = refundArguments.safeParse(args);
    const order = asked.success ? await orders.find(asked.data.orderId) : undefined;
    if (!asked.success || order === undefined) return question;
    return { ...question, order, policy: checkRefund(order, asked.data.condition, today) };
  });
  return Promise.all(questions);
}
