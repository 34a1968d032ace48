import type { ApprovalQuestion } from "perdure/nodes";
import type { OpenInterrupt } from "perdure/runner";
import { refundArguments } from "./desk-tools.ts";
import type { OrderDatabase } from "./order-database.ts";
import type { OpenQuestion } from "./protocol.ts";
import { checkRefund } from "./refund-policy.ts";

/** The refunds a thread asks for, each with its order and what the policy says of it. */
export async function openQuestions(
  threadId: string,
  interrupts: readonly OpenInterrupt[],
  orders: OrderDatabase,
  today: string,
): Promise<OpenQuestion[]> {
  const questions = interrupts.map(async ({ id: interruptId, value }): Promise<OpenQuestion> => {
    const { actionRequests, assignee } = value as ApprovalQuestion;
    const [action] = actionRequests; // one: each tool call asks for itself
    if (action === undefined) throw new Error(`Interrupt ${interruptId} of ${threadId} asks for nothing.`);
    const { name, args } = action;
    const asks = { ...(assignee !== undefined && { assignee }), action: { name, args } };
    const question: OpenQuestion = { threadId, interruptId, ...asks };
    const asked = refundArguments.safeParse(args);
    const order = asked.success ? await orders.find(asked.data.orderId) : undefined;
    if (!asked.success || order === undefined) return question;
    return { ...question, order, policy: checkRefund(order, asked.data.condition, today) };
  });
  return Promise.all(questions);
}
