/** The hours of a desk, seen from its terminal: the screen, the person at it, the table and the check at the end. */
import { askOnce, decideAtTerminal, decideByRules } from "./approvals.ts";
import type { GivenAnswer } from "./approvals.ts";
import { readBatch, readDecisionRules } from "./batch.ts";
import { createBoard } from "./board.ts";
import type { Board } from "./board.ts";
import { checkRefunds, lostAnswers } from "./check-refunds.ts";
import type { RefundCheck } from "./check-refunds.ts";
import type { CommonOptions } from "./command-line.ts";
import { openKeyboard } from "./keyboard.ts";
import type { ModelServer } from "./model-server.ts";
import { openOrderDatabase } from "./order-database.ts";
import type { OrderDatabase } from "./order-database.ts";
import type { WorkerSetup } from "./protocol.ts";
import { checkText, deskResult, threadTable } from "./report.ts";
import { openScreen } from "./screen.ts";
import { Stopped } from "./shift.ts";
import type { Shift } from "./shift.ts";
import { openSql } from "./sql.ts";
import type { DatabasePlace } from "./sql.ts";

/** How many customers the local model gets: it thinks about one thing at a time. */
const LOCAL_CUSTOMERS = 5;
/** How long `--yes` takes over a decision. */
const DECISION_MS = 200;
/** What stands below the board of a terminal while a question is open, and a line to spare. */
const QUESTION_LINES = 5;
/** Columns of what is shown where stdout is no terminal. */
const PLAIN_WIDTH = 140;

/** What is attended, and where. */
export interface Attended {
  readonly options: CommonOptions;
  readonly database: DatabasePlace;
  readonly model: ModelServer;
  /** What goes with the setup of a worker, besides. */
  readonly approval?: WorkerSetup["approval"];
}

/**
 * Shows the work, has each refund decided, and compares the orders with what was decided.
 * @param work brings all threads to their ends, and returns what it counted on the way
 * @returns whether every thread is done and every approved refund was made exactly once
 */
export async function attend<Counts extends { readonly killed: number }>(
  { options, database, model, approval }: Attended,
  work: (shift: Shift) => Promise<Counts>,
): Promise<boolean> {
  const print = options.json ? console.error : console.log;
  const batch = readBatch();
  const messages = options.model === "local" ? batch.messages.slice(0, LOCAL_CUSTOMERS) : batch.messages;
  print(`${messages.length} customers wrote. The model is ${model.description}.\n`);

  const isRoomy = process.stdout.rows > messages.length + QUESTION_LINES;
  const live = process.stdout.isTTY && isRoomy && !options.json;
  const width = live ? process.stdout.columns : PLAIN_WIDTH;
  const board = createBoard(messages);
  const stopping = new AbortController();
  const stop = () => stopping.abort(new Stopped("Stopped."));
  const keyboard = options.yes ? undefined : openKeyboard(process.stdin, stop);
  const screen = openScreen(board, { live, keyboard });
  const given: GivenAnswer[] = [];
  const decide = options.yes ? decideByRules(readDecisionRules(), DECISION_MS, screen) : decideAtTerminal(screen);
  const setup: WorkerSetup = {
    model: options.model,
    modelUrl: model.url,
    database,
    today: batch.receivedOn,
    drawing: { color: live, width },
    ...(approval === undefined ? {} : { approval }),
  };
  let counts: Counts;
  process.once("SIGINT", stop);
  try {
    counts = await work({
      setup,
      messages,
      board,
      screen,
      decide: askOnce(decide, given),
      takeBack: (late) => void given.splice(given.findIndex(({ answer }) => answer === late) >>> 0, 1),
      stopped: stopping.signal,
    });
  } finally {
    screen.close();
    keyboard?.close();
    process.off("SIGINT", stop);
  }

  const check = await compareWithOrders(board, given, database);
  const result = deskResult({ board, check, killed: counts.killed, model: options.model });
  print(`\n${threadTable(board, width)}\n\n${checkText(check)}`);
  if (options.json) console.log(JSON.stringify({ ...result, ...counts }));
  return check.problems.length === 0 && result.done === result.threads;
}

/** Opens the orders for a moment. */
export async function onOrders<Result>(
  place: DatabasePlace,
  work: (orders: OrderDatabase) => Promise<Result>,
): Promise<Result> {
  const database = await openSql(place);
  try {
    return await work(openOrderDatabase(database.sql));
  } finally {
    await database.close();
  }
}

/** The workers are gone, so this process may open their database. */
function compareWithOrders(board: Board, given: readonly GivenAnswer[], place: DatabasePlace): Promise<RefundCheck> {
  const decisions = new Map([...board.values()].map(({ threadId, summary }) => [threadId, summary?.decisions ?? []]));
  return onOrders(place, async (orders) => {
    const check = checkRefunds(decisions, await orders.ledger());
    return { ...check, problems: [...check.problems, ...lostAnswers(given, decisions)] };
  });
}
