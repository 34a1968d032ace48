import { describe, expect, it } from "vitest";
import { askOnce, decideAtTerminal } from "../../examples/support-desk/approvals.ts";
import type { GivenAnswer } from "../../examples/support-desk/approvals.ts";
import type { Prompt } from "../../examples/support-desk/frame.ts";
import { formatCents, parseEuros } from "../../examples/support-desk/money.ts";
import type { OpenQuestion } from "../../examples/support-desk/protocol.ts";

const ORDER = {
  id: "A-1001",
  customer: "Maja Lindqvist",
  email: "maja@example.com",
  item: "Kettle",
  quantity: 1,
  priceCents: 6490,
  status: "delivered",
  orderedOn: "2026-02-24",
  deliveredOn: "2026-03-02",
  refundable: true,
  refundedCents: 0,
} as const;
const ARGS = { orderId: "A-1001", amountCents: 6490, condition: "damaged" };
const QUESTION: OpenQuestion = {
  threadId: "case-101",
  interruptId: "i",
  action: { name: "refund_order", args: ARGS },
  order: ORDER,
  policy: { allowed: true, maxAmountCents: 6490, reason: "Damaged." },
};

/** Lets a person type `lines`, one for each prompt. */
async function decide(lines: readonly string[], question: OpenQuestion = QUESTION) {
  const prompts: Prompt[] = [];
  const ask = async (prompt: Prompt) => lines[prompts.push(prompt) - 1] ?? "";
  const { decisions } = await decideAtTerminal({ ask, line: () => undefined })(question);
  expect(prompts).toHaveLength(lines.length);
  return { decision: decisions[0], hints: prompts.map(({ hint }) => hint), prompts };
}

describe("a person's decision", () => {
  it("is made with the amount, the customer and the policy in front of them, in each prompt", async () => {
    const { decision, prompts } = await decide(["r", "Too late."]);
    expect(decision).toEqual({ type: "reject", message: "Too late." });
    for (const { details } of prompts) {
      expect(details).toContain("€64.90 to Maja Lindqvist");
      expect(details).toContain("policy: at most €64.90. Damaged.");
    }
  });

  it("says what can be chosen after a wrong choice or none", async () => {
    const { decision, hints } = await decide(["x", "", "a"]);
    expect(decision).toEqual({ type: "approve" });
    expect(hints).toEqual([
      undefined,
      ...Array(2).fill("Type a to approve it, e to change the amount, or r to reject it."),
    ]);
  });

  it("takes 50,5 as 50.50 after saying of each wrong amount why", async () => {
    const wrong = ["abc", "-5", "0", "64.91", "999999", "12.505"];
    const { decision, hints } = await decide(["e", ...wrong, "50,5"]);
    expect(decision).toEqual({
      type: "edit",
      editedAction: { name: "refund_order", args: { ...ARGS, amountCents: 5050 } },
    });
    const range = "between €0.01 and €64.90, such as 12.50, or nothing to go back.";
    expect(hints.slice(1)).toEqual([
      `Type an amount ${range}`,
      ...wrong.map((typed) => `"${typed}" can't be refunded: type an amount ${range}`),
    ]);
  });

  it("goes back to the choice when no amount is typed", async () => {
    const { decision, hints } = await decide(["e", "", "a"]);
    expect(decision).toEqual({ type: "approve" });
    expect(hints[2]).toBe("No amount, no change.");
  });

  it("offers no change of a call that no amount would mend", async () => {
    const nonsense = { ...QUESTION, action: { name: "refund_order", args: { orderId: "your kettle" } } };
    const { decision, prompts, hints } = await decide(["e", "r", ""], nonsense);
    expect(decision).toEqual({ type: "reject" });
    expect(prompts[0]?.text).toContain("[a/r]");
    expect(hints[1]).toBe("Type a to approve it, or r to reject it.");
  });
});

describe("a question whose time is over", () => {
  it("is withdrawn from the person or the queue, and the ones behind it are asked", async () => {
    const given: GivenAnswer[] = [];
    const asked: string[] = [];
    const ask = async ({ details }: Prompt, withdrawn?: AbortSignal) => {
      asked.push(details.split("\n")[0] ?? "");
      const isWithdrawn = new Promise<never>((_, reject) =>
        withdrawn?.addEventListener("abort", () => reject(withdrawn.reason as Error)),
      );
      return details.includes("the team lead") ? "a" : isWithdrawn;
    };
    const decide = askOnce(decideAtTerminal({ ask, line: () => undefined }), given);
    const withdrawing = new AbortController();
    const first = decide(QUESTION, withdrawing.signal);
    const queued = decide({ ...QUESTION, interruptId: "j" }, withdrawing.signal);
    const escalated = decide({ ...QUESTION, interruptId: "k", assignee: "the team lead" });
    await expect.poll(() => asked).toHaveLength(1);
    withdrawing.abort(new Error("too late"));
    await expect(first).rejects.toThrow("too late");
    await expect(queued).rejects.toThrow("too late");
    expect(await escalated).toMatchObject({ decisions: [{ type: "approve" }] });
    expect(asked).toEqual([
      "? case-101  refund_order: €64.90 to Maja Lindqvist",
      "? case-101  for the team lead  refund_order: €64.90 to Maja Lindqvist",
    ]);
    expect(given).toMatchObject([{ threadId: "case-101", answer: { decisions: [{ type: "approve" }] } }]);
  });
});

describe("parseEuros", () => {
  it("reads what formatCents writes, and what people type", () => {
    for (const cents of [1, 50, 6490]) expect(parseEuros(formatCents(cents))).toBe(cents);
    expect(["12", "12.5", "12,50", "€ 12.50", "12.50 €"].map(parseEuros)).toEqual([1200, 1250, 1250, 1250, 1250]);
  });

  it("refuses what is no amount in whole cents", () => {
    for (const text of ["", "abc", "-5", "12.505", "1e3", "0x10", "12.", "1.000,50"])
      expect(parseEuros(text)).toBe(undefined);
  });
});
