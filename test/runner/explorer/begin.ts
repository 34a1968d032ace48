import { collect } from "../../support/collect.ts";
import { Account } from "./account.ts";
import { runnerOn } from "./explored-runner.ts";
import { LockTable } from "./lock-table.ts";
import type { LockRule } from "./lock-table.ts";
import type { Begun, Scenario } from "./scenario.ts";
import { FreeSeat } from "./seats.ts";
import type { Table } from "./seats.ts";

/** Stores to run schedules on. */
export interface Stores {
  /** A thread that nobody used, in the store as each driver has it open. */
  readonly open: () => Promise<Pick<Table, "storeOf" | "threadId">>;
  /** Such stores as they should be. @default these are */
  readonly undisturbed?: Stores;
  /** Whether they need timers, such as for a connection. */
  readonly needTime: boolean;
  /**
   * What scenarios begin with, where each thread is in a store of its own and has the same id: it is stored again then,
   * and not run again.
   */
  readonly beginnings?: Map<Scenario, Beginning>;
}

/** How a thread came to where the clients of a scenario find it. */
export interface Beginning {
  readonly begun: Begun;
  readonly account: Account;
  /** What was stored. */
  readonly setup: Table["setup"];
}

/** A thread where the clients of a scenario find it. */
interface Opened {
  readonly table: Table;
  readonly begun: Begun;
}

/** Brings a new thread to where the clients of a scenario find it. */
export async function begin(scenario: Scenario, stores: Stores, locks: LockRule): Promise<Opened> {
  const { storeOf, threadId } = await stores.open();
  const before = stores.beginnings?.get(scenario);
  const table: Table = {
    threadId,
    storeOf,
    account: new Account(storeOf("finish"), threadId, before?.account),
    locks: new LockTable(locks, threadId),
    setup: [],
  };
  if (before !== undefined) {
    for (const work of before.setup) await work(storeOf("setup"));
    return { table, begun: before.begun };
  }
  const begun = await run(scenario, table);
  const account = new Account(storeOf("finish"), threadId, table.account); // a copy: this one goes on
  stores.beginnings?.set(scenario, { begun, account, setup: table.setup });
  return { table, begun };
}

async function run(scenario: Scenario, table: Table): Promise<Begun> {
  if (scenario.begin === undefined) return undefined;
  const { threadId } = table;
  const seat = new FreeSeat("setup", table);
  const runner = runnerOn(scenario, seat, table);
  await scenario.begin({ runner, threadId, stopAfter: (checkpoints) => seat.stopAfter(checkpoints) });
  const history = await collect(runner.history(threadId));
  return {
    state: await runner.inspect(threadId),
    checkpointIds: history.map(({ checkpointId }) => checkpointId).toReversed(),
  };
}
