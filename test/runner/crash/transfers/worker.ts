/**
 * A process that makes the transfers of several threads until all are made, or until it is killed. It takes threads in
 * any order, some with a runner, and some with plain LangGraph, which does not mind others that drive the same thread.
 */
import { setTimeout as delay } from "node:timers/promises";
import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import { createRunner } from "perdure/runner";
import { SeededRandom } from "../../../support/crash-random.ts";
import { CREATE_BANK, LOOK_AT_BANK, bankGraph, plannedTransfers } from "./bank.ts";
import type { BankView } from "./bank.ts";

/** What a worker is told. */
export interface Order {
  /** A server, or the directory of a PGlite, which the first worker makes the bank in. */
  readonly url: string;
  readonly threads: readonly string[];
  readonly seed: number;
  /** Different for each worker. */
  readonly turn: number;
  /** In the middle of which transfer of its own it stops, and waits for its death. */
  readonly stopsAt?: number;
}

/** What it says: it is in the middle of a transfer, and stays there; what it sees of a PGlite, where nobody else can look. */
export type Report =
  | { readonly type: "transfer"; readonly id: string; readonly stopped: boolean }
  | { readonly type: "view"; readonly view: BankView };

/** Somebody else is at the thread, or was. */
const OTHERS = new Set(["THREAD_BUSY", "THREAD_UNFINISHED", "CHECKPOINT_CONFLICT"]);
/** Threads of one worker at the same time. */
const AT_ONCE = 2;

const tell = (report: Report): unknown => process.send?.(report);

process.once("disconnect", () => process.exit()); // the parent is gone
process.once("message", (order: Order) => {
  work(order).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function work({ url, threads, seed, turn, stopsAt }: Order): Promise<void> {
  const random = new SeededRandom(seed + 1_000 * turn);
  const checkpointer = await open(url);
  let transfers = 0;
  const graph = bankGraph(async (id) => {
    transfers += 1;
    const stopped = transfers === stopsAt;
    tell({ type: "transfer", id, stopped });
    await (stopped ? new Promise(() => {}) : delay(1));
  });
  const runner = createRunner(graph, { name: "bank", checkpointer });
  const plain = graph.compile({ checkpointer });
  const left = new Set(threads);

  const goOn = async (threadId: string): Promise<void> => {
    const state = await runner.inspect(threadId).catch(unless("THREAD_NOT_FOUND"));
    if (state === undefined) await runner.start(threadId, { planned: plannedTransfers(threadId, seed) });
    else if (state.status === "done") left.delete(threadId);
    else if (!state.next.includes("transfer") || random.between(0, 2) === 0) await runner.continue(threadId);
    else {
      // not before: two drivers of plain LangGraph would commit that superstep twice, and their tasks would be others
      const durability = random.between(0, 2) === 0 ? "sync" : "async";
      await plain.invoke(null, { configurable: { thread_id: threadId }, durability });
    }
  };
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left.size > 0) {
        const threadId = [...left][random.between(0, left.size)]!;
        await goOn(threadId).catch(unless(...OTHERS));
      }
    }),
  );
}

async function open(url: string): Promise<Checkpointer> {
  if (!url.startsWith("pglite:")) return openCheckpointer(url, { poolSize: 8 });
  const database = await PGlite.create(url.slice("pglite:".length));
  const { rows } = await database.query("SELECT to_regclass('accounts') AS accounts");
  const isNew = (rows[0] as { accounts: unknown }).accounts === null;
  const checkpointer = await openCheckpointer(database);
  await database.transaction(async (sql) => {
    for (const statement of isNew ? CREATE_BANK : []) await sql.exec(statement);
  });
  const look = async (): Promise<void> => {
    const seen = await database.query<BankView>(LOOK_AT_BANK);
    tell({ type: "view", view: seen.rows[0]! });
  };
  await look();
  setInterval(() => void look(), 10);
  return checkpointer;
}

function unless(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!isPerdureError(error) || !codes.includes(error.code)) throw error;
  };
}
