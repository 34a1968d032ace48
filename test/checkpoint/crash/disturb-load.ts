import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CrashLedger } from "../../support/crash-ledger.ts";
import { startProcess } from "../../support/crash-process.ts";
import { SeededRandom } from "../../support/crash-random.ts";
import type { PostgresServer } from "../../support/postgres.ts";
import { linesAt } from "./account.ts";
import type { Line } from "./account.ts";
import type { ClientMessage, Finish, Setup } from "./client.ts";
import type { Slot } from "./thread-load.ts";

const CLIENTS = 3;

/** Of 20 threads under way, how many are driven in which way. */
const KINDS: readonly Slot["kind"][] = [
  ...Array.from({ length: 11 }, () => "runner" as const),
  ...Array.from({ length: 4 }, () => "stream" as const),
  ...Array.from({ length: 5 }, () => "plain" as const),
];

/** What is written down between two disturbances, in bytes: from some ten commits up to some hundred. */
const ACCOUNT_BETWEEN = [5_000, 60_000] as const;

/** How to disturb the load. */
export interface DisturbPlan {
  readonly server: PostgresServer;
  readonly directory: string;
  readonly seed: number;
  /** How many clients are killed, and how often the server is: the same number. */
  readonly times: number;
}

/** What came of it. */
export interface Disturbed {
  readonly lines: readonly Line[];
  /** The threads that were begun. */
  readonly threads: readonly string[];
  readonly kills: number;
  readonly restarts: number;
  /** How each client ended that was not killed, and what any of them wrote to stderr. */
  readonly complaints: readonly string[];
}

/**
 * Keeps 20 threads under load from three processes, kills one of them or the server at random moments, sometimes
 * both at once, and at last has all threads come to the end of their turns.
 */
export async function disturbLoad({ server, directory, seed, times }: DisturbPlan): Promise<Disturbed> {
  const random = new SeededRandom(seed);
  const account = new CrashLedger<Line>(join(directory, `load-${seed}.jsonl`));
  account.append({ at: "server is up" });
  const complaints: string[] = [];
  const start = (index: number): Client => startClient(index, server.url, account, complaints);
  const clients = Array.from({ length: CLIENTS }, (_, index) => start(index));

  const kill = async (): Promise<void> => {
    const index = random.between(0, CLIENTS);
    const client = clients[index]!;
    await client.busy;
    await delay(random.between(0, 200));
    await client.kill();
    account.append({ at: "killed", pid: client.pid });
    clients[index] = start(index);
  };
  const restart = async (): Promise<void> => {
    account.append({ at: "server goes down" });
    await server.restart("immediate");
    account.append({ at: "server is up" });
  };
  const accountGrows = async (bytes: number): Promise<void> => {
    const until = statSync(account.file).size + bytes;
    while (statSync(account.file).size < until) {
      if (complaints.length > 0) throw new Error(complaints.join("\n"));
      await delay(5);
    }
  };

  try {
    let kills = 0;
    let restarts = 0;
    await Promise.all(clients.map(({ busy }) => busy));
    while (kills < times || restarts < times) {
      await accountGrows(random.between(...ACCOUNT_BETWEEN));
      const which = random.between(0, 5); // 0, 1: a client; 2, 3: the server; 4: both
      const work: Promise<void>[] = [];
      if (which !== 2 && which !== 3 && kills < times) {
        kills += 1;
        work.push(kill());
      }
      if (which > 1 && restarts < times) {
        restarts += 1;
        work.push(restart());
      }
      await Promise.all(work);
    }
    await Promise.all(clients.map(({ busy }) => busy));
    await Promise.all(clients.map((client) => client.finish()));
    const lines = account.read();
    const threads = [...new Set(linesAt(lines, "call").map(({ thread }) => thread))];
    return { lines, threads, kills, restarts, complaints };
  } finally {
    await Promise.all(clients.map((client) => client.kill()));
  }
}

interface Client {
  readonly pid: number;
  /** Resolves when it has its threads under load, or is gone. */
  readonly busy: Promise<void>;
  kill(): Promise<void>;
  /** Has it bring its threads to the end of their turns; resolves when it is gone. */
  finish(): Promise<unknown>;
}

function startClient(index: number, url: string, account: CrashLedger<Line>, complaints: string[]): Client {
  const lines = account.read();
  const slots = KINDS.map((kind, slot): Slot => ({ index: slot, kind, from: lastThread(lines, kind, slot) }));
  const started = startProcess(new URL("client.ts", import.meta.url));
  const { process, ended } = started;
  const busy = Promise.withResolvers<void>();
  let isKilled = false;
  process.on("message", ({ type }: ClientMessage) => type === "busy" && busy.resolve());
  void ended.then(({ code, signal, said }) => {
    busy.resolve();
    if (said !== "") complaints.push(said);
    if (!isKilled && code !== 0) complaints.push(`A client ended with ${signal ?? `status ${code}`}.`);
  });
  const mine = slots.filter((slot) => slot.index % CLIENTS === index);
  process.send({ url, account: account.file, slots: mine } satisfies Setup);
  return {
    pid: process.pid ?? 0,
    busy: busy.promise,
    kill: () => {
      isKilled = true;
      return started.kill();
    },
    finish: () => {
      process.send("finish" satisfies Finish, () => {}); // it may be gone
      return ended;
    },
  };
}

/** The thread that a slot has come to. */
function lastThread(lines: readonly Line[], kind: Slot["kind"], slot: number): number {
  const prefix = `${kind}-${slot}.`;
  const numbers = linesAt(lines, "call").flatMap(({ thread }) =>
    thread.startsWith(prefix) ? Number(thread.slice(prefix.length)) : [],
  );
  return Math.max(0, ...numbers);
}
