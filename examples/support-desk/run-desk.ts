/**
 * The story: a worker begins, it is killed when money is on its way, another one goes on, and in the end
 * the order database says whether each approved refund happened exactly once.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { askOnce, decideAtTerminal, decideByRules } from "./approvals.ts";
import type { Decide } from "./approvals.ts";
import { readBatch, readDecisionRules } from "./batch.ts";
import { applyEvent, createBoard, isKillMoment } from "./board.ts";
import type { Board } from "./board.ts";
import { checkRefunds } from "./check-refunds.ts";
import type { RefundCheck } from "./check-refunds.ts";
import type { DeskOptions } from "./desk-options.ts";
import { startModelServer } from "./model-server.ts";
import { openOrderDatabase } from "./order-database.ts";
import { progressLine } from "./progress.ts";
import type { Command, ThreadEvent } from "./protocol.ts";
import { checkText, threadTable } from "./report.ts";
import type { DeskResult } from "./report.ts";
import { openScreen } from "./screen.ts";
import type { Screen } from "./screen.ts";
import { openSql } from "./sql.ts";
import type { DatabasePlace } from "./sql.ts";
import { startWorker } from "./worker-process.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** How many customers the local model gets: it thinks about one thing at a time. */
const LOCAL_CUSTOMERS = 5;
/** How long `--yes` takes over a decision. */
const DECISION_MS = 200;

const DATA = fileURLToPath(new URL("../../.data/", import.meta.url));

/** What two workers have in common: the work, and the person who watches and decides. */
interface Shift {
  readonly work: Command;
  readonly board: Board;
  readonly screen: Screen;
  readonly decide: Decide;
}

/** @returns whether every thread is done and every approved refund was made exactly once */
export async function runDesk(options: DeskOptions): Promise<boolean> {
  const print = options.json ? console.error : console.log;
  const { receivedOn, messages: all } = readBatch();
  const messages = options.model === "local" ? all.slice(0, LOCAL_CUSTOMERS) : all;
  const model = await startModelServer(options.model);
  const place = await openPlace(options);
  print(`${messages.length} customers wrote. The model is ${model.description}.\n`);

  const board = createBoard(messages);
  const screen = openScreen(board, { live: process.stdout.isTTY && !options.json });
  const decide = askOnce(
    options.yes ? decideByRules(readDecisionRules(), DECISION_MS, screen) : decideAtTerminal(screen),
  );
  const setup = { model: options.model, modelUrl: model.url, database: place.database, today: receivedOn };
  const shift: Shift = { work: { type: "work", setup, messages }, board, screen, decide };
  const log = (line: string) => screen.line(line);
  let resumed = 0;
  let killed = 0;
  const countResumed = (event: ThreadEvent) => {
    if (event.type === "found" && event.status !== "new" && event.status !== "done") resumed++;
  };

  try {
    const first = startWorker(log);
    screen.line(`Process ${first.pid} begins.`);
    const survived = await run(first, shift, (event) => {
      countResumed(event);
      return isKillMoment(board, event);
    });
    if (!survived) {
      killed++;
      const second = startWorker(log);
      screen.line(`\n✗ Process ${first.pid} was killed (SIGKILL) at work. Process ${second.pid} goes on:`);
      await run(second, shift, (event) => {
        countResumed(event);
        return false;
      });
    }
  } finally {
    screen.close();
    await model.close();
  }

  const rows = [...board.values()];
  const check = await compareWithOrders(board, place.database);
  const result: DeskResult = {
    threads: rows.length,
    done: rows.filter(({ summary }) => summary?.status === "done").length,
    approvals: rows.reduce((sum, { summary }) => sum + (summary?.decisions.length ?? 0), 0),
    killed,
    resumed,
    refunds: check.refunds,
    duplicateRefunds: check.duplicateRefunds,
    model: options.model,
  };
  print(`\n${threadTable(board)}\n\n${checkText(check)}`);
  const held = check.problems.length === 0 && result.done === result.threads;
  if (held) await place.discard();
  if (options.json) console.log(JSON.stringify(result));
  return held;
}

/**
 * Lets a worker work until all threads are finished, or until `killNow` says so.
 * @returns whether it lived to the end
 */
async function run(worker: WorkerProcess, shift: Shift, killNow: (event: ThreadEvent) => boolean): Promise<boolean> {
  const { work, board, screen, decide } = shift;
  let nobodyDecided: unknown;
  worker.send(work);
  for await (const event of worker.events()) {
    if (event.type === "graph") {
      if (![...board.values()].some(({ startedAt }) => startedAt > 0)) screen.line(`\n${event.drawing}\n`);
      continue;
    }
    applyEvent(board, event, Date.now());
    const line = progressLine(event, { everyNode: screen.plain });
    if (line !== undefined) screen.line(line);
    if (event.type === "question") {
      const { question } = event;
      const { threadId, interruptId } = question;
      decide(question).then(
        (answer) => worker.send({ type: "answer", threadId, interruptId, answer }),
        (error: unknown) => {
          nobodyDecided = error;
          return worker.kill();
        },
      );
    }
    if (killNow(event)) {
      await worker.kill();
      return false;
    }
  }
  if (nobodyDecided !== undefined) throw nobodyDecided;
  await worker.ended();
  return true;
}

/** Where the data goes: a folder of its own for this run, unless it was told. `discard` removes what nobody asked to keep. */
async function openPlace(options: DeskOptions): Promise<{ database: DatabasePlace; discard(): Promise<void> }> {
  if (options.database !== undefined) {
    const place = { postgres: options.database };
    await onOrders(place, (orders) => orders.drop());
    return { database: place, discard: async () => undefined };
  }
  if (options.dataDirectory !== undefined) {
    const folder = path.resolve(options.dataDirectory);
    await mkdir(folder, { recursive: true });
    return { database: { folder }, discard: async () => undefined };
  }
  await mkdir(DATA, { recursive: true });
  const folder = await mkdtemp(path.join(DATA, "support-desk-"));
  return { database: { folder }, discard: () => rm(folder, { recursive: true, force: true }) };
}

/** The workers are gone, so this process may open their database. */
function compareWithOrders(board: Board, place: DatabasePlace): Promise<RefundCheck> {
  const decisions = new Map([...board.values()].map(({ threadId, summary }) => [threadId, summary?.decisions ?? []]));
  return onOrders(place, async (orders) => checkRefunds(decisions, await orders.ledger()));
}

async function onOrders<Result>(
  place: DatabasePlace,
  work: (orders: ReturnType<typeof openOrderDatabase>) => Promise<Result>,
): Promise<Result> {
  const database = await openSql(place);
  try {
    return await work(openOrderDatabase(database.sql));
  } finally {
    await database.close();
  }
}
