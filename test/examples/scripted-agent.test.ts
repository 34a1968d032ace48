import { describe, expect, it } from "vitest";
import type { ChatMessage, ChatRequest } from "../../examples/local-model/chat-completions-server.ts";
import { scriptedReply } from "../../examples/support-desk/scripted-agent.ts";

const TOOLS = ["lookup_order", "check_refund", "refund_order"];
const FOUND = { item: "Kettle", status: "delivered" };
const ALLOWED = { allowed: true, maxAmountCents: 6000 };

describe("scriptedReply", () => {
  it("looks an order up, asks the policy, refunds what it allows, and tells the customer", () => {
    const talk = [customer("The kettle of A-1001 leaks. My money back, please.")];
    expect(calls(talk)).toEqual([["lookup_order", { orderId: "A-1001" }]]);
    talk.push(...called("lookup_order", { orderId: "A-1001" }, FOUND));
    expect(calls(talk)).toEqual([["check_refund", { orderId: "A-1001", condition: "damaged" }]]);
    talk.push(...called("check_refund", { orderId: "A-1001", condition: "damaged" }, ALLOWED));
    expect(calls(talk)).toEqual([["refund_order", { orderId: "A-1001", amountCents: 6000, condition: "damaged" }]]);
    talk.push(...called("refund_order", { orderId: "A-1001" }, { refundedCents: 6000 }));
    expect(calls(talk)).toEqual([]);
    expect(said(talk)).toContain("€60.00");
  });

  it("works on two orders side by side", () => {
    const talk = [customer("Refund A-1002 and A-1003, both broken.")];
    expect(calls(talk)).toEqual([
      ["lookup_order", { orderId: "A-1002" }],
      ["lookup_order", { orderId: "A-1003" }],
    ]);
  });

  it("says the same to the same conversation, as it remembers nothing", () => {
    const talk = [
      customer("Where is A-1007?"),
      ...called("lookup_order", { orderId: "A-1007" }, { ...FOUND, status: "shipped" }),
    ];
    expect(scriptedReply(request(talk))).toEqual(scriptedReply(request(talk)));
    expect(said(talk)).toContain("shipped");
  });

  it("mends a call that was refused", () => {
    const talk = [customer("A-1004 is unworn, refund it."), ...called("lookup_order", { orderId: "A-1004" }, FOUND)];
    expect(calls(talk)).toEqual([["check_refund", { orderId: "A-1004", condition: "unworn" }]]);
    talk.push(...called("check_refund", { orderId: "A-1004", condition: "unworn" }, "That does not fit."));
    expect(calls(talk)).toEqual([["check_refund", { orderId: "A-1004", condition: "unopened" }]]);
  });

  it("asks for no refund that the policy forbids or whose order is unknown", () => {
    const forbidden = [
      customer("Refund A-1008."),
      ...called("lookup_order", { orderId: "A-1008" }, FOUND),
      ...called("check_refund", { orderId: "A-1008", condition: "opened" }, { allowed: false, reason: "Too late." }),
    ];
    expect(said(forbidden)).toContain("Too late.");
    const unknown = [
      customer("Refund A-9999."),
      ...called("lookup_order", { orderId: "A-9999" }, "There is no order A-9999."),
    ];
    expect(said(unknown)).toContain("can't find");
  });

  it("goes round in circles for an impatient customer for as long as it has tools", () => {
    const talk = [customer("Keep checking A-1011!"), ...called("lookup_order", { orderId: "A-1011" }, FOUND)];
    expect(calls(talk)).toEqual([["lookup_order", { orderId: "A-1011" }]]);
    talk.push(...called("lookup_order", { orderId: "A-1011" }, "The limit is reached."));
    expect(scriptedReply({ ...request(talk), tools: [] })).toMatchObject({
      toolCalls: [],
      content: "Your order A-1011 (Kettle) is delivered.",
    });
  });
});

function request(messages: ChatMessage[]): ChatRequest {
  const tools = TOOLS.map((name) => ({ function: { name, description: "", parameters: {} } }));
  return { model: "scripted", messages, tools, stream: false };
}

function calls(messages: ChatMessage[]): [string, unknown][] {
  return scriptedReply(request(messages)).toolCalls.map((call) => [call.name, JSON.parse(call.arguments)]);
}

function said(messages: ChatMessage[]): string {
  return scriptedReply(request(messages)).content;
}

function customer(content: string): ChatMessage {
  return { role: "user", content };
}

let lastId = 0;
function called(name: string, args: object, result: object | string): ChatMessage[] {
  const id = `call-${++lastId}`;
  const content = typeof result === "string" ? result : JSON.stringify(result);
  return [
    { role: "assistant", content: null, tool_calls: [{ id, function: { name, arguments: JSON.stringify(args) } }] },
    { role: "tool", content, tool_call_id: id },
  ];
}
