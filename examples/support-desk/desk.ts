/**
 * The desk itself: a graph that loops over tools, a checkpointer that remembers, and a runner that
 * drives one thread per customer. All of this example that is perdure's is in this file.
 */
import { readFile } from "node:fs/promises";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { openCheckpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import { reactGraph } from "perdure/graphs";
import type { ToolApproval } from "perdure/graphs";
import { createRunner } from "perdure/runner";
import { createDeskModel } from "./desk-model.ts";
import { createDeskTools, REFUND_TOOL } from "./desk-tools.ts";
import type { RefundNews } from "./desk-tools.ts";
import { DESK_SCHEMA, openOrderDatabase } from "./order-database.ts";
import type { OrderDatabase } from "./order-database.ts";
import type { WorkerSetup } from "./protocol.ts";
import { openSql } from "./sql.ts";

const PROMPT = `You are the support agent of a small shop. Answer the customer's message.
First look up each order with lookup_order. If the customer wants money back, ask check_refund, then call
refund_order with at most the amount it allows. Never promise what a tool did not confirm. Then answer
in one or two friendly sentences.`;

/** How often the model is asked at most for one message. The small local one rarely knows when to stop. */
const MAX_ITERATIONS = { scripted: 8, local: 4, openai: 10, anthropic: 10 };

/** How long the bank takes to confirm a refund. */
const BANK_DELAY_MS = 600;

/** The graph: reason, act, observe, under a cap, and no refund before a person approved it. */
function createDeskGraph(options: {
  model: BaseChatModel;
  orders: OrderDatabase;
  today: string;
  maxIterations: number;
  onRefund?: (news: RefundNews) => void;
  approval: ToolApproval | undefined;
}) {
  const { model, maxIterations, approval, ...rest } = options;
  return reactGraph({
    model,
    tools: createDeskTools({ ...rest, bankDelayMs: BANK_DELAY_MS }),
    prompt: PROMPT,
    maxIterations,
    onLimit: "finish",
    approve: approval === undefined ? [REFUND_TOOL] : ({ name }) => name === REFUND_TOOL && approval,
  });
}

/** An open desk. */
export type Desk = Awaited<ReturnType<typeof openDesk>>;
/** A thread of the desk. */
export type DeskState = Awaited<ReturnType<Desk["runner"]["inspect"]>>;
/** What a thread can be driven by. */
export type DeskCommand = Parameters<Desk["runner"]["stream"]>[1];

/** Opens the database for both the orders and the threads, and puts a runner on it. */
export async function openDesk(setup: WorkerSetup, onRefund: (news: RefundNews) => void) {
  const database = await openSql(setup.database);
  const checkpointer = await openCheckpointer(database.connection, { schema: DESK_SCHEMA });
  const orders = openOrderDatabase(database.sql);
  await orders.create(await readFile(new URL("orders.csv", import.meta.url), "utf8"));

  const model = createDeskModel(setup.model, setup.modelUrl);
  const graph = createDeskGraph({
    model,
    orders,
    today: setup.today,
    maxIterations: MAX_ITERATIONS[setup.model],
    onRefund,
    approval: setup.approval,
  });
  const runner = createRunner(graph, { name: "support-desk", checkpointer });
  return {
    graph,
    orders,
    checkpointer,
    runner,
    close: async () => {
      await checkpointer.close();
      await database.close();
    },
  };
}

/** Where a thread stands; undefined if it was not begun. Runs nothing. */
export async function findThread({ runner }: Desk, threadId: string): Promise<DeskState | undefined> {
  try {
    return await runner.inspect(threadId);
  } catch (error) {
    if (isPerdureError(error, "THREAD_NOT_FOUND")) return undefined;
    throw error;
  }
}
