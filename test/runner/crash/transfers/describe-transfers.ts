import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seedOfThisRun } from "../../../support/crash-random.ts";
import { CRASH_TIMEOUT_MS } from "../../../support/crash-timeout.ts";
import { describeWithPostgres, freshDatabase } from "../../../support/fresh-database.ts";
import {
  CREATE_BANK,
  LOOK_AT_BANK,
  SUM,
  TRANSFERS_PER_THREAD,
  balancesAfter,
  bankGraph,
  plannedTransfers,
} from "./bank.ts";
import type { BankView } from "./bank.ts";
import { transferUnderKills } from "./transfer-under-kills.ts";
import type { TransferPlan, Transferred } from "./transfer-under-kills.ts";

/** How much, and how it is disturbed; `kills` says how many there must have been at least. */
export interface TransfersOptions extends Pick<TransferPlan, "transfersBetweenKills"> {
  readonly transfers: number;
  readonly kills: number;
}

/** A bank with a checkpointer beside its accounts. */
interface Bank {
  readonly url: string;
  readonly workers: number;
  /** Looks at it all the time, where somebody else than the workers can; the returned function ends that. */
  watch(saw: (view: BankView) => void): () => Promise<void>;
  /** Opens it when the workers are gone. */
  open(): Promise<{ readonly checkpointer: Checkpointer; query<Row>(text: string): Promise<Row[]> }>;
  remove(): Promise<void>;
}

/** Transfers by three processes on one Postgres. */
export function describeTransfersOnPostgres(options: TransfersOptions): void {
  describeWithPostgres("on Postgres, by three processes", () => {
    describeTransfers(options, async () => {
      const database = await freshDatabase();
      const client = new Client({ connectionString: database.url });
      await client.connect();
      for (const statement of CREATE_BANK) await client.query(statement);
      const checkpointer = await openCheckpointer(database.url);
      return {
        // a deadlock is looked for after 1 s, as a rule
        url: `${database.url}?options=-c%20deadlock_timeout%3D20ms`,
        workers: 3,
        watch: (saw) => {
          let isOver = false;
          const watching = (async () => {
            for (; !isOver; await delay(5)) saw((await client.query<BankView>(LOOK_AT_BANK)).rows[0]!);
          })();
          return async () => {
            isOver = true;
            await watching;
          };
        },
        open: async () => ({
          checkpointer,
          query: async <Row>(text: string) => (await client.query(text)).rows as Row[],
        }),
        remove: async () => {
          await checkpointer.close();
          await client.end();
          await database.drop();
        },
      };
    });
  });
}

/** Transfers by one process at a time on a PGlite, the next one when the last is dead. */
export function describeTransfersOnPglite(options: TransfersOptions): void {
  describe("on PGlite, by one process after the other", () => {
    describeTransfers(options, async () => {
      const directory = await mkdtemp(join(tmpdir(), "perdure-bank-"));
      let database: PGlite | undefined;
      return {
        url: `pglite:${join(directory, "bank")}`,
        workers: 1,
        watch: () => async () => {},
        open: async () => {
          const opened = (database = await PGlite.create(join(directory, "bank")));
          return {
            checkpointer: await openCheckpointer(opened),
            query: async <Row>(text: string) => (await opened.query(text)).rows as Row[],
          };
        },
        remove: async () => {
          await database?.close();
          await rm(directory, { recursive: true, force: true });
        },
      };
    });
  });
}

function describeTransfers(options: TransfersOptions, makeBank: () => Promise<Bank>): void {
  const seed = seedOfThisRun();
  const threads = Array.from({ length: options.transfers / TRANSFERS_PER_THREAD }, (_, index) => `thread ${index}`);
  const planned = threads.flatMap((threadId) => plannedTransfers(threadId, seed));
  const views: BankView[] = [];
  let bank: Bank;
  let opened: Awaited<ReturnType<Bank["open"]>>;
  let transferred: Transferred;

  beforeAll(async () => {
    bank = await makeBank();
    const stopWatching = bank.watch((view) => views.push(view));
    const { url, workers } = bank;
    const { transfersBetweenKills } = options;
    transferred = await transferUnderKills({ url, workers, threads, seed, transfersBetweenKills });
    await stopWatching();
    views.push(...transferred.views);
    opened = await bank.open();
    const again = [...transferred.begun.values()].filter((times) => times > 1).length;
    console.info(
      `PERDURE_SEED=${seed}: ${planned.length} transfers, ${transferred.kills} kills, ${again} begun more than once, ${views.length} looks`,
    );
  }, CRASH_TIMEOUT_MS);
  afterAll(() => bank.remove());

  it("each transfer happened once, though workers were killed in the middle of it", async () => {
    expect(transferred.kills, `seed ${seed}`).toBeGreaterThanOrEqual(options.kills);
    expect(Math.max(...transferred.begun.values()), `seed ${seed}`).toBeGreaterThan(1);
    const made = await opened.query<{ id: string }>("SELECT id FROM transfers");
    expect(made.map(({ id }) => id).sort(), `seed ${seed}`).toEqual(planned.map(({ id }) => id).sort());
    const accounts = await opened.query<{ cents: number }>("SELECT cents FROM accounts ORDER BY id");
    expect(
      accounts.map(({ cents }) => cents),
      `seed ${seed}`,
    ).toEqual(balancesAfter(planned));
  });

  it("the sum of all accounts was the same at each moment, and each transfer had its record", () => {
    expect(views.length).toBeGreaterThan(0);
    expect(views.filter(({ sum, transfers, records }) => sum !== SUM || transfers !== records)).toEqual([]);
    expect(new Set(views.map(({ transfers }) => transfers)).size).toBeGreaterThan(1);
  });

  it("every thread came to its end and has its results, each in its place", async () => {
    const runner = createRunner(
      bankGraph(async () => {}),
      { name: "bank", checkpointer: opened.checkpointer },
    );
    for (const threadId of threads) {
      const { status, values } = await runner.inspect(threadId);
      expect({ status, done: values.done }, threadId).toEqual({
        status: "done",
        done: plannedTransfers(threadId, seed).map(({ id }) => id),
      });
    }
  });
}
