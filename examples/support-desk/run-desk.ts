/** One run of the desk: what it needs is opened, the work is done, and the order database is asked what became of it. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { askOnce, decideAtTerminal, decideByRules } from "./approvals.ts";
import type { GivenAnswer } from "./approvals.ts";
import { readBatch, readDecisionRules } from "./batch.ts";
import { createBoard } from "./board.ts";
import type { Board } from "./board.ts";
import { checkRefunds, lostAnswers } from "./check-refunds.ts";
import type { RefundCheck } from "./check-refunds.ts";
import { commandToGoOn } from "./desk-options.ts";
import type { DeskOptions } from "./desk-options.ts";
import { openKeyboard } from "./keyboard.ts";
import { startModelServer } from "./model-server.ts";
import type { ModelServer } from "./model-server.ts";
import { openOrderDatabase } from "./order-database.ts";
import type { OrderDatabase } from "./order-database.ts";
import { checkText, deskResult, threadTable } from "./report.ts";
import { openScreen } from "./screen.ts";
import { Stopped, workThroughACrash } from "./shift.ts";
import { UnusablePlace, lockDatabase, lockFolder, openSql, reasonOf } from "./sql.ts";
import type { DatabasePlace } from "./sql.ts";

/** How many customers the local model gets: it thinks about one thing at a time. */
const LOCAL_CUSTOMERS = 5;
/** How long `--yes` takes over a decision. */
const DECISION_MS = 200;
/** What stands below the board of a terminal while a question is open, and a line to spare. */
const QUESTION_LINES = 5;
/** Columns of what is shown where stdout is no terminal. */
const PLAIN_WIDTH = 140;

const DATA = fileURLToPath(new URL("../../.data/", import.meta.url));

/** @returns whether every thread is done and every approved refund was made exactly once */
export async function runDesk(options: DeskOptions): Promise<boolean> {
  const model = await startModelServer(options.model);
  try {
    const place = await openPlace(options);
    let held = false;
    try {
      held = await runWith(options, place.database, model);
    } finally {
      await place.unlock();
      if (held) await place.discard();
      else if ("folder" in place.database) {
        console.error(`The data is kept. Go on with: ${commandToGoOn(options, shortPath(place.database.folder))}`);
      }
    }
    return held;
  } finally {
    await model.close();
  }
}

async function runWith(options: DeskOptions, database: DatabasePlace, model: ModelServer): Promise<boolean> {
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
  const setup = {
    model: options.model,
    modelUrl: model.url,
    database,
    today: batch.receivedOn,
    drawing: { color: live, width },
  };
  let killed: number;
  process.once("SIGINT", stop);
  try {
    killed = await workThroughACrash({
      work: { type: "work", setup, messages },
      board,
      screen,
      decide: askOnce(decide, given),
      stopped: stopping.signal,
    });
  } finally {
    screen.close();
    keyboard?.close();
    process.off("SIGINT", stop);
  }

  const check = await compareWithOrders(board, given, database);
  const result = deskResult({ board, check, killed, model: options.model });
  print(`\n${threadTable(board, width)}\n\n${checkText(check)}`);
  if (options.json) console.log(JSON.stringify(result));
  return check.problems.length === 0 && result.done === result.threads;
}

/** Where the data goes, and what is to be done with it when the run is over. */
interface OpenPlace {
  readonly database: DatabasePlace;
  unlock(): void | Promise<void>;
  /** Removes what nobody asked to keep. */
  discard(): Promise<void>;
}

/** A folder of its own for this run, unless it was told another place. @throws UnusablePlace */
async function openPlace(options: DeskOptions): Promise<OpenPlace> {
  if (options.database !== undefined) {
    const database = { postgres: options.database };
    const unlock = await lockDatabase(options.database);
    try {
      await onOrders(database, (orders) => orders.drop());
    } catch (error) {
      await unlock();
      throw error;
    }
    return { database, unlock, discard: async () => undefined };
  }
  if (options.dataDirectory !== undefined) {
    const folder = path.resolve(options.dataDirectory);
    await makeFolder(folder);
    return { ...lockedPlace(folder), discard: async () => undefined };
  }
  await makeFolder(DATA);
  const folder = await mkdtemp(path.join(DATA, "support-desk-"));
  return { ...lockedPlace(folder), discard: () => rm(folder, { recursive: true, force: true }) };
}

/** Locked for the whole run: the workers' lock is free between two of them, and no other desk may slip in there. */
function lockedPlace(folder: string): Omit<OpenPlace, "discard"> {
  return { database: { folder }, unlock: lockFolder(folder, "desk.lock") };
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new UnusablePlace(`${shortPath(folder)} can't be used as a folder: ${reasonOf(cause)}.`, { cause });
  }
}

/** As one would type it here. */
function shortPath(folder: string): string {
  const relative = path.relative(process.cwd(), folder);
  return relative.startsWith("..") || relative === "" ? folder : relative;
}

/** The workers are gone, so this process may open their database. */
function compareWithOrders(board: Board, given: readonly GivenAnswer[], place: DatabasePlace): Promise<RefundCheck> {
  const decisions = new Map([...board.values()].map(({ threadId, summary }) => [threadId, summary?.decisions ?? []]));
  return onOrders(place, async (orders) => {
    const check = checkRefunds(decisions, await orders.ledger());
    return { ...check, problems: [...check.problems, ...lostAnswers(given, decisions)] };
  });
}

async function onOrders<Result>(
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
