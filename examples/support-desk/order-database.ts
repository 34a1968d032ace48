/**
 * The shop's orders and its money, in the same database as the checkpoints. `refund` is what makes the
 * example serious: it moves money, so it must happen exactly once, whatever dies.
 */
import { z } from "zod";
import { parseCsv } from "./parse-csv.ts";
import { checkRefund } from "./refund-policy.ts";
import type { Condition } from "./refund-policy.ts";
import type { Sql, SqlDatabase } from "./sql.ts";

/** Where all tables of this example are, so that it touches nothing else in a database. */
export const DESK_SCHEMA = "support_desk";

/** What the shop has in its account before the first refund. */
export const OPENING_BALANCE_CENTS = 1_000_000;

/** An order; days are ISO dates. */
export interface Order {
  readonly id: string;
  readonly customer: string;
  readonly email: string;
  readonly item: string;
  readonly quantity: number;
  /** Of all pieces together. */
  readonly priceCents: number;
  readonly status: "shipped" | "delivered" | "lost";
  readonly orderedOn: string;
  readonly deliveredOn: string | null;
  readonly refundable: boolean;
  /** What was given back so far. */
  readonly refundedCents: number;
}

/** A refund to make. The same key always means the same refund. */
export interface RefundRequest {
  readonly idempotencyKey: string;
  readonly threadId: string;
  readonly orderId: string;
  readonly amountCents: number;
  readonly condition: Condition;
  /** The day the customer asked, as an ISO date. */
  readonly today: string;
}

/** `paid`: money moved now. `repeated`: it had moved before, under this key. `refused`: the policy forbids it. */
export type RefundResult =
  | { readonly outcome: "paid" | "repeated"; readonly amountCents: number }
  | { readonly outcome: "refused"; readonly reason: string };

/** All the movements of money, for the check at the end. */
export interface Ledger {
  readonly balanceCents: number;
  /** One per movement of money. */
  readonly refunds: readonly { threadId: string; orderId: string; amountCents: number; idempotencyKey: string }[];
  /** One per call of {@link OrderDatabase.refund}, whatever came of it, and the process it was made in. */
  readonly attempts: readonly {
    threadId: string;
    orderId: string;
    amountCents: number;
    idempotencyKey: string;
    outcome: RefundResult["outcome"];
    pid: number;
  }[];
}

/** The order database; see the methods. */
export interface OrderDatabase {
  /** Makes the tables and fills them from CSV text, unless they are there. */
  create(csv: string): Promise<void>;
  find(orderId: string): Promise<Order | undefined>;
  /** Checks the policy and moves the money, in one transaction. */
  refund(request: RefundRequest): Promise<RefundResult>;
  ledger(): Promise<Ledger>;
  /** Removes the whole schema, for a fresh start. */
  drop(): Promise<void>;
}

const TABLES = [
  `create table support_desk.orders (
     id text primary key, customer text not null, email text not null, item text not null, quantity int not null,
     price_cents int not null, status text not null, ordered_on date not null, delivered_on date, refundable boolean not null)`,
  `create table support_desk.account (balance_cents bigint not null)`,
  `create table support_desk.refunds (
     idempotency_key text primary key, thread_id text not null, order_id text not null references support_desk.orders,
     amount_cents int not null check (amount_cents > 0), paid_at timestamptz not null default now())`,
  `create table support_desk.refund_attempts (
     attempt int generated always as identity, idempotency_key text not null, thread_id text not null,
     order_id text not null, amount_cents int not null, outcome text not null, pid int not null,
     tried_at timestamptz not null default now())`,
];

const csvOrder = z.object({
  id: z.string().min(1),
  customer: z.string(),
  email: z.email(),
  item: z.string(),
  quantity: z.coerce.number().int().min(1),
  price_cents: z.coerce.number().int().min(1),
  status: z.enum(["shipped", "delivered", "lost"]),
  ordered_on: z.iso.date(),
  delivered_on: z.union([z.iso.date(), z.literal("").transform(() => null)]),
  refundable: z.enum(["yes", "no"]).transform((word) => word === "yes"),
});

/** The order database on PGlite or a Postgres server. */
export function openOrderDatabase(database: SqlDatabase): OrderDatabase {
  return {
    create: (csv) =>
      database.transaction(async (sql) => {
        const { rows } = await sql.query<{ found: string | null }>(
          "select to_regclass('support_desk.orders')::text as found",
        );
        if (rows[0]?.found) return;
        await sql.query("create schema if not exists support_desk");
        for (const table of TABLES) await sql.query(table);
        await sql.query("insert into support_desk.account values ($1)", [OPENING_BALANCE_CENTS]);
        for (const record of parseCsv(csv)) {
          const row = Object.values(csvOrder.parse(record));
          await sql.query("insert into support_desk.orders values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", row);
        }
      }),

    find: (orderId) => findOrder(database, orderId),

    refund: (request) =>
      database.transaction(async (sql) => {
        // Two refunds of one order wait for each other here, so neither misses what the other has paid.
        await sql.query("select 1 from support_desk.orders where id = $1 for update", [request.orderId]);
        const result = await decide(sql, request);
        if (result.outcome === "paid") await pay(sql, request);
        await recordAttempt(sql, request, result.outcome);
        return result;
      }),

    ledger: async () => {
      const account = await database.query<{ cents: number }>(
        "select balance_cents::int as cents from support_desk.account",
      );
      const refunds = await database.query<Ledger["refunds"][number]>(
        `select thread_id as "threadId", order_id as "orderId", amount_cents as "amountCents",
                idempotency_key as "idempotencyKey" from support_desk.refunds order by paid_at`,
      );
      const attempts = await database.query<Ledger["attempts"][number]>(
        `select thread_id as "threadId", order_id as "orderId", amount_cents as "amountCents",
                idempotency_key as "idempotencyKey", outcome, pid from support_desk.refund_attempts order by attempt`,
      );
      return { balanceCents: account.rows[0]?.cents ?? 0, refunds: refunds.rows, attempts: attempts.rows };
    },

    drop: async () => {
      await database.query("drop schema if exists support_desk cascade");
    },
  };
}

async function findOrder(sql: Sql, orderId: string): Promise<Order | undefined> {
  const { rows } = await sql.query<Order>(
    `select id, customer, email, item, quantity, price_cents as "priceCents", status, refundable,
            ordered_on::text as "orderedOn", delivered_on::text as "deliveredOn",
            coalesce((select sum(amount_cents) from support_desk.refunds where order_id = orders.id), 0)::int as "refundedCents"
       from support_desk.orders where id = $1`,
    [orderId],
  );
  return rows[0];
}

/** What is to be done; nothing is done yet. A key that was paid before comes first: a repeat is no new refund. */
async function decide(sql: Sql, { idempotencyKey, orderId, ...request }: RefundRequest): Promise<RefundResult> {
  const { rows } = await sql.query<{ cents: number }>(
    "select amount_cents as cents from support_desk.refunds where idempotency_key = $1",
    [idempotencyKey],
  );
  if (rows[0] !== undefined) return { outcome: "repeated", amountCents: rows[0].cents };

  const order = await findOrder(sql, orderId);
  if (order === undefined) return { outcome: "refused", reason: `There is no order ${orderId}.` };
  const policy = checkRefund(order, request.condition, request.today);
  if (!policy.allowed) return { outcome: "refused", reason: policy.reason };
  if (request.amountCents > policy.maxAmountCents) {
    const reason = `${request.amountCents} cents are too much, at most ${policy.maxAmountCents} are allowed. ${policy.reason}`;
    return { outcome: "refused", reason };
  }
  return { outcome: "paid", amountCents: request.amountCents };
}

/** The primary key of `refunds` is the last defence: a second payment under one key takes all of this back. */
async function pay(sql: Sql, { idempotencyKey, threadId, orderId, amountCents }: RefundRequest): Promise<void> {
  await sql.query(
    "insert into support_desk.refunds (idempotency_key, thread_id, order_id, amount_cents) values ($1, $2, $3, $4)",
    [idempotencyKey, threadId, orderId, amountCents],
  );
  await sql.query("update support_desk.account set balance_cents = balance_cents - $1", [amountCents]);
}

async function recordAttempt(sql: Sql, request: RefundRequest, outcome: RefundResult["outcome"]): Promise<void> {
  await sql.query(
    `insert into support_desk.refund_attempts (idempotency_key, thread_id, order_id, amount_cents, outcome, pid)
     values ($1, $2, $3, $4, $5, $6)`,
    [request.idempotencyKey, request.threadId, request.orderId, request.amountCents, outcome, process.pid],
  );
}
