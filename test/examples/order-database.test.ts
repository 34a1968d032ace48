import { PGlite } from "@electric-sql/pglite";
import { Pool } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { OPENING_BALANCE_CENTS, openOrderDatabase } from "../../examples/support-desk/order-database.ts";
import type { OrderDatabase, RefundRequest } from "../../examples/support-desk/order-database.ts";
import { sqlOnPGlite, sqlOnPool } from "../../examples/support-desk/sql.ts";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";

const CSV = `id,customer,email,item,quantity,price_cents,status,ordered_on,delivered_on,refundable
A-1001,Maja Lindqvist,maja@example.com,"Kettle, ""Otto""",1,6000,delivered,2026-02-24,2026-03-02,yes
A-1002,Liam Novak,liam@example.com,Pump,2,3400,shipped,2026-03-06,,no
`;

const REFUND: RefundRequest = {
  idempotencyKey: "key-1",
  threadId: "case-1",
  orderId: "A-1001",
  amountCents: 6000,
  condition: "damaged",
  today: "2026-03-16",
};

describe("the order database on PGlite", () => {
  describeOrderDatabase(async () => {
    const pglite = await PGlite.create();
    return { orders: openOrderDatabase(sqlOnPGlite(pglite)), close: () => pglite.close() };
  });
});

describeWithPostgres("the order database on Postgres", () => {
  describeOrderDatabase(async () => {
    const database = await freshDatabase();
    const pool = new Pool({ connectionString: database.url });
    const close = () => pool.end().then(() => database.drop());
    return { orders: openOrderDatabase(sqlOnPool(pool)), close };
  });
});

function describeOrderDatabase(open: () => Promise<{ orders: OrderDatabase; close(): Promise<void> }>): void {
  let orders: OrderDatabase;
  let opened: Awaited<ReturnType<typeof open>>;

  beforeAll(async () => {
    opened = await open();
    orders = opened.orders;
  });
  beforeEach(() => orders.create(CSV));
  afterEach(() => orders.drop());
  afterAll(() => opened.close());

  it("is made from the CSV at the first start, and left as it is at the next", async () => {
    expect(await orders.find("A-1001")).toEqual({
      id: "A-1001",
      customer: "Maja Lindqvist",
      email: "maja@example.com",
      item: 'Kettle, "Otto"',
      quantity: 1,
      priceCents: 6000,
      status: "delivered",
      orderedOn: "2026-02-24",
      deliveredOn: "2026-03-02",
      refundable: true,
      refundedCents: 0,
    });
    expect(await orders.find("A-1002")).toMatchObject({ deliveredOn: null, refundable: false });
    expect(await orders.find("A-9999")).toBeUndefined();

    await orders.refund(REFUND);
    await orders.create(CSV);
    expect(await orders.find("A-1001")).toMatchObject({ refundedCents: 6000 });
  });

  it("moves the money once however often a refund is repeated under its key, and counts every attempt", async () => {
    const results = await Promise.all([1, 2, 3].map(() => orders.refund(REFUND)));

    expect(results.map(({ outcome }) => outcome).toSorted()).toEqual(["paid", "repeated", "repeated"]);
    const { balanceCents, refunds, attempts } = await orders.ledger();
    expect(balanceCents).toBe(OPENING_BALANCE_CENTS - 6000);
    expect(refunds).toEqual([{ idempotencyKey: "key-1", threadId: "case-1", orderId: "A-1001", amountCents: 6000 }]);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(["paid", "repeated", "repeated"]);
  });

  it("never gives back more than the policy allows, also when two refunds of an order come at once", async () => {
    const half = { ...REFUND, amountCents: 4000 };
    const results = await Promise.all([orders.refund(half), orders.refund({ ...half, idempotencyKey: "key-2" })]);

    expect(results.map(({ outcome }) => outcome).toSorted()).toEqual(["paid", "refused"]);
    expect(await orders.ledger()).toMatchObject({ balanceCents: OPENING_BALANCE_CENTS - 4000 });
  });

  it("refuses an unknown order, one the policy forbids, and too much; and moves nothing", async () => {
    const refused = [
      { ...REFUND, orderId: "A-9999" },
      { ...REFUND, orderId: "A-1002" },
      { ...REFUND, amountCents: 6001 },
    ];
    for (const request of refused) expect(await orders.refund(request)).toMatchObject({ outcome: "refused" });

    const { balanceCents, refunds, attempts } = await orders.ledger();
    expect(balanceCents).toBe(OPENING_BALANCE_CENTS);
    expect(refunds).toEqual([]);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(["refused", "refused", "refused"]);
  });

  it("is empty again after drop and create", async () => {
    await orders.refund(REFUND);
    await orders.drop();
    await orders.create(CSV);
    expect(await orders.ledger()).toEqual({ balanceCents: OPENING_BALANCE_CENTS, refunds: [], attempts: [] });
  });
}
