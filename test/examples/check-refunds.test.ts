import { describe, expect, it } from "vitest";
import type { DecisionRecord } from "perdure/nodes";
import { checkRefunds, lostAnswers } from "../../examples/support-desk/check-refunds.ts";
import { OPENING_BALANCE_CENTS } from "../../examples/support-desk/order-database.ts";
import type { Ledger } from "../../examples/support-desk/order-database.ts";

describe("checkRefunds", () => {
  it("holds when each approved refund was paid once, as it was edited, and rejected ones were not", () => {
    const check = checkRefunds(
      decided(
        decision("approve", "A-1001", 6000),
        decision("edit", "A-1002", 9000, 2000),
        decision("reject", "A-1003", 500),
      ),
      ledger(paid("A-1001", 6000), paid("A-1002", 2000)),
    );
    expect(check).toEqual({ refunds: 2, duplicateRefunds: 0, repeats: 0, problems: [] });
  });

  it("counts a repeat that moved nothing, without a problem", () => {
    const once = paid("A-1001", 6000);
    const check = checkRefunds(
      decided(decision("approve", "A-1001", 6000)),
      ledger(once, { ...once, outcome: "repeated" }),
    );
    expect(check).toEqual({ refunds: 1, duplicateRefunds: 0, repeats: 1, problems: [] });
  });

  it("finds an approved refund that was paid twice, under whatever keys", () => {
    const check = checkRefunds(
      decided(decision("approve", "A-1001", 6000)),
      ledger(paid("A-1001", 6000), { ...paid("A-1001", 6000), idempotencyKey: "another" }),
    );
    expect(check.duplicateRefunds).toBe(1);
    expect(check.problems).toEqual(["€60.00 for A-1001 (case-1) was approved once and paid 2 times."]);
  });

  it("finds a refund nobody approved, and one of another amount than approved", () => {
    expect(checkRefunds(decided(), ledger(paid("A-1001", 6000))).problems).toEqual([
      "€60.00 for A-1001 (case-1) was paid, and nobody approved it.",
    ]);
    expect(checkRefunds(decided(decision("approve", "A-1001", 5000)), ledger(paid("A-1001", 6000))).problems).toEqual([
      "€50.00 for A-1001 (case-1) was approved, and not paid.",
      "€60.00 for A-1001 (case-1) was paid, and nobody approved it.",
    ]);
  });

  it("finds an approved refund that was not paid, unless the policy refused it", () => {
    const approved = decided(decision("approve", "A-1001", 6000));
    expect(checkRefunds(approved, ledger()).problems).toEqual([
      "€60.00 for A-1001 (case-1) was approved, and not paid.",
    ]);
    expect(checkRefunds(approved, ledger({ ...paid("A-1001", 6000), outcome: "refused" })).problems).toEqual([]);
  });

  it("expects nothing of an approval whose arguments pay nothing", () => {
    expect(checkRefunds(decided(decision("approve", "A-1001", 0)), ledger()).problems).toEqual([]);
    expect(checkRefunds(decided(decision("approve", "your kettle", 500)), ledger()).problems).toEqual([]);
  });

  it("finds money that left the account without a refund", () => {
    const { problems } = checkRefunds(decided(), { ...ledger(), balanceCents: OPENING_BALANCE_CENTS - 1 });
    expect(problems).toEqual(["€0.01 left the account, the refunds say €0.00."]);
  });
});

describe("lostAnswers", () => {
  it("finds an answer that is not among the decisions of its thread", () => {
    const given = [{ threadId: "case-1", answer: { decisions: [{ type: "approve" as const }] } }];
    expect(lostAnswers(given, decided(decision("approve", "A-1001", 6000)))).toEqual([]);
    expect(lostAnswers(given, decided(decision("reject", "A-1001", 6000)))).toEqual([
      "approve (case-1) was said once and reached the thread 0 times.",
    ]);
  });
});

function decided(...decisions: DecisionRecord[]): Map<string, DecisionRecord[]> {
  return new Map([["case-1", decisions]]);
}

function decision(
  type: DecisionRecord["type"],
  orderId: string,
  amountCents: number,
  editedCents?: number,
): DecisionRecord {
  const action = { name: "refund_order", args: { orderId, amountCents, condition: "damaged" } };
  const editedAction = { ...action, args: { ...action.args, amountCents: editedCents } };
  const who = { decidedBy: "test", comment: null, assignee: null, at: "2026-03-16T00:00:00Z" };
  return { action, type, ...(editedCents !== undefined && { editedAction }), ...who };
}

function paid(orderId: string, amountCents: number): Ledger["attempts"][number] {
  return { threadId: "case-1", orderId, amountCents, idempotencyKey: orderId, outcome: "paid", pid: 1 };
}

function ledger(...attempts: Ledger["attempts"]): Ledger {
  const refunds = attempts.filter(({ outcome }) => outcome === "paid");
  const balanceCents = refunds.reduce((rest, { amountCents }) => rest - amountCents, OPENING_BALANCE_CENTS);
  return { balanceCents, refunds, attempts };
}
