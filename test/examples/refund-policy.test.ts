import { describe, expect, it } from "vitest";
import type { Order } from "../../examples/support-desk/order-database.ts";
import { checkRefund } from "../../examples/support-desk/refund-policy.ts";

const TODAY = "2026-03-16";

function order(changes: Partial<Order> = {}): Order {
  return {
    id: "A-1001",
    customer: "Maja Lindqvist",
    email: "maja@example.com",
    item: "Kettle",
    quantity: 1,
    priceCents: 6499,
    status: "delivered",
    orderedOn: "2026-02-01",
    deliveredOn: "2026-03-01",
    refundable: true,
    refundedCents: 0,
    ...changes,
  };
}

describe("checkRefund", () => {
  it("gives the whole price back for unopened goods, and 80 % rounded down for opened ones", () => {
    expect(checkRefund(order(), "unopened", TODAY)).toMatchObject({ allowed: true, maxAmountCents: 6499 });
    expect(checkRefund(order(), "opened", TODAY)).toMatchObject({ allowed: true, maxAmountCents: 5199 });
  });

  it.each([
    ["unopened", "2026-02-14", "2026-02-13"],
    ["opened", "2026-02-14", "2026-02-13"],
    ["damaged", "2025-12-16", "2025-12-15"],
  ] as const)("allows %s goods on the last day of the window and refuses them a day later", (condition, last, late) => {
    expect(checkRefund(order({ deliveredOn: last }), condition, TODAY).allowed).toBe(true);
    expect(checkRefund(order({ deliveredOn: late }), condition, TODAY)).toMatchObject({
      allowed: false,
      maxAmountCents: 0,
    });
  });

  it("refunds an item that is not refundable only when it is damaged", () => {
    expect(checkRefund(order({ refundable: false }), "unopened", TODAY).allowed).toBe(false);
    expect(checkRefund(order({ refundable: false }), "damaged", TODAY).allowed).toBe(true);
  });

  it("refunds a lost parcel in full, and one on its way not yet", () => {
    const undelivered = { deliveredOn: null };
    expect(checkRefund(order({ ...undelivered, status: "lost" }), "opened", TODAY)).toMatchObject({
      maxAmountCents: 6499,
    });
    expect(checkRefund(order({ ...undelivered, status: "shipped" }), "opened", TODAY).allowed).toBe(false);
  });

  it("takes off what was refunded before, and refuses when nothing is left", () => {
    expect(checkRefund(order({ refundedCents: 1000 }), "unopened", TODAY)).toMatchObject({ maxAmountCents: 5499 });
    expect(checkRefund(order({ refundedCents: 6499 }), "unopened", TODAY).allowed).toBe(false);
    expect(checkRefund(order({ refundedCents: 5500 }), "opened", TODAY).allowed).toBe(false);
  });
});
