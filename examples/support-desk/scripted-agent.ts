/**
 * The scripted model: rules over the conversation in place of a language model. Like a provider's model
 * it remembers nothing between two requests, so whichever process asks gets the same continuation.
 */
import type { ChatMessage, ChatReply, ChatRequest } from "../local-model/chat-completions-server.ts";
import { textOf } from "../local-model/chat-completions-server.ts";
import { formatCents } from "./money.ts";

interface Call {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** A call the model made before, and what came of it: a record, or the words of an error. */
interface PastCall extends Call {
  readonly result: Readonly<Record<string, unknown>> | string;
}

/** Decides the next tool calls, or answers the customer. Tokens are guessed: four characters each. */
export function scriptedReply(request: ChatRequest): ChatReply {
  const { customerText, past } = readConversation(request.messages);
  const orderIds = [...new Set(customerText.match(/\bA-\d{4}\b/g))];
  const calls = request.tools.length === 0 ? [] : nextCalls(customerText, orderIds, past);
  const content = calls.length > 0 ? "" : answer(orderIds, past);
  const toolCalls = calls.map(({ name, args }) => ({ name, arguments: JSON.stringify(args) }));
  return {
    content,
    toolCalls,
    promptTokens: tokens(request.messages),
    completionTokens: tokens(toolCalls.length > 0 ? toolCalls : content),
  };
}

/** Looks up, then asks the policy, then refunds: each for all orders at once. */
function nextCalls(text: string, orderIds: readonly string[], past: readonly PastCall[]): Call[] {
  const of = (orderId: string, name: string) =>
    past.findLast((call) => call.name === name && call.args["orderId"] === orderId);
  const lookUp = (orderId: string): Call => ({ name: "lookup_order", args: { orderId } });

  const unseen = orderIds.filter((id) => of(id, "lookup_order") === undefined);
  if (unseen.length > 0) return unseen.map(lookUp);
  // A customer who can't wait leads the model round in circles; the cap of the graph ends that.
  if (/keep checking/i.test(text)) return orderIds.map(lookUp);
  if (!/refund|money back/i.test(text)) return [];

  const known = orderIds.filter((id) => typeof of(id, "lookup_order")?.result === "object");
  const unchecked = known.filter((id) => typeof of(id, "check_refund")?.result !== "object");
  if (unchecked.length > 0) {
    return unchecked.map((orderId) => ({
      name: "check_refund",
      args: { orderId, condition: of(orderId, "check_refund") === undefined ? firstGuess(text) : conditionOf(text) },
    }));
  }
  const due = known.filter(
    (id) => field(of(id, "check_refund"), "allowed") === true && of(id, "refund_order") === undefined,
  );
  return due.map((orderId) => ({
    name: "refund_order",
    args: { orderId, amountCents: field(of(orderId, "check_refund"), "maxAmountCents"), condition: conditionOf(text) },
  }));
}

function conditionOf(text: string): string {
  if (/broken|cracked|leaks|damaged/i.test(text)) return "damaged";
  return /unworn|unopened|sealed/i.test(text) ? "unopened" : "opened";
}

/** Models err: this one repeats the customer's word at first, and mends it when the tool refuses it. */
function firstGuess(text: string): string {
  return /unworn/i.test(text) ? "unworn" : conditionOf(text);
}

/** What the customer reads in the end, from what the tools said. */
function answer(orderIds: readonly string[], past: readonly PastCall[]): string {
  if (orderIds.length === 0) return "Could you tell me the number of your order? It begins with A-.";
  return orderIds
    .map((orderId) =>
      sentence(
        orderId,
        past.filter((call) => call.args["orderId"] === orderId),
      ),
    )
    .join(" ");
}

function sentence(orderId: string, past: readonly PastCall[]): string {
  const last = (name: string) => past.findLast((call) => call.name === name);
  const refund = last("refund_order");
  const cents = field(refund, "refundedCents");
  if (typeof cents === "number")
    return `Good news: ${formatCents(cents)} for order ${orderId} are on their way back to you.`;
  if (refund !== undefined) {
    const why = String(refund.result).replace("A person rejected this call.", "A colleague decided:");
    return `I'm sorry, order ${orderId} was not refunded. ${why}`;
  }
  const check = last("check_refund");
  if (field(check, "allowed") === false)
    return `I'm sorry, order ${orderId} can't be refunded. ${String(field(check, "reason"))}`;
  // The last look may have met the cap of the graph; an earlier one still says how the order is.
  const order = past.findLast((call) => call.name === "lookup_order" && typeof call.result === "object");
  if (order === undefined) return `I can't find order ${orderId}. Could you check the number, please?`;
  return `Your order ${orderId} (${String(field(order, "item"))}) is ${String(field(order, "status"))}.`;
}

/** The customer's last words, and each tool call since then with its result. */
function readConversation(messages: readonly ChatMessage[]): { customerText: string; past: PastCall[] } {
  const start = messages.findLastIndex((message) => message.role === "user");
  const since = messages.slice(start + 1);
  const results = new Map(
    since.filter(({ role }) => role === "tool").map((message) => [message.tool_call_id, textOf(message)]),
  );
  const past = since
    .flatMap((message) => message.tool_calls ?? [])
    .map((call) => ({
      name: call.function.name,
      args: parseRecord(call.function.arguments) ?? {},
      result: resultOf(results.get(call.id) ?? ""),
    }));
  return { customerText: messages[start] === undefined ? "" : textOf(messages[start]), past };
}

/** A record stands alone in the last line; before it may be a note that a person changed the call. */
function resultOf(text: string): PastCall["result"] {
  return parseRecord(text.slice(text.lastIndexOf("\n") + 1)) ?? text;
}

function field(call: PastCall | undefined, name: string): unknown {
  return typeof call?.result === "object" ? call.result[name] : undefined;
}

function parseRecord(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function tokens(value: unknown): number {
  return Math.ceil(JSON.stringify(value).length / 4);
}
