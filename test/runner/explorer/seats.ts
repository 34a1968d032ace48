import type { Checkpointer, ThreadLock } from "perdure/checkpoint";
import type { Account } from "./account.ts";
import { LOCKS } from "./footprint.ts";
import type { LockTable } from "./lock-table.ts";
import type { Seat, Work } from "./scheduling-checkpointer.ts";
import type { Commit, Committed, StoreCall } from "./store-call.ts";

/** Who makes calls. Versions of channels tell who made them, and are the same in each schedule. */
const DRIVERS = ["setup", "A", "B", "finish"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** What all seats at one thread share. */
export interface Table {
  readonly threadId: string;
  readonly account: Account;
  readonly locks: LockTable;
  /** What was done to bring the thread where the two find it. */
  readonly setup: Work<unknown>[];
  /** The store as a driver has it open. */
  readonly storeOf: (driver: DriverName) => Checkpointer;
}

/** Runs a call on the store and has it judged. */
async function carryOut<T>(table: Table, driver: DriverName, call: StoreCall, work: Work<T>): Promise<T> {
  const { account } = table;
  let result: T;
  try {
    result = await work(table.storeOf(driver));
  } catch (error) {
    if (call.kind === "commit") await account.committed(call.commit, { ok: false, error });
    throw error;
  }
  if (call.kind === "read") account.read(driver, result);
  if (call.kind === "commit") {
    if (driver === "setup") table.setup.push(work);
    await account.committed(call.commit, storedAs(call, result));
  }
  return result;
}

function storedAs(call: StoreCall & { kind: "commit" }, result: unknown): Committed {
  return call.commit.stores === "answers" ? { ok: true, outcomes: result as never } : { ok: true };
}

/** What all seats have: names and versions. */
abstract class BaseSeat implements Seat {
  readonly driver: DriverName;
  protected readonly table: Table;
  #versions = 0;

  constructor(driver: DriverName, table: Table) {
    this.driver = driver;
    this.table = table;
  }

  get names() {
    return this.table.account.names;
  }

  nextVersion(): number {
    this.#versions += 1;
    return (DRIVERS.indexOf(this.driver) * 1024 + this.#versions) / 4096;
  }

  abstract call<T>(call: StoreCall, work: Work<T>): Promise<T>;

  lock(call: StoreCall & { kind: "lock" }): Promise<ThreadLock | undefined> {
    return this.call(call, (store) =>
      this.table.locks.take(this.driver, store, call.options, (free) =>
        this.call({ kind: "release", label: "release", footprint: LOCKS }, free),
      ),
    );
  }
}

/** The seat of one who is alone: its calls go one after the other, in the order in which they come. */
export class FreeSeat extends BaseSeat {
  readonly #death = Promise.withResolvers<void>();
  #last: Promise<unknown> = Promise.resolve();
  #checkpoints = 0;
  #commits = 0;
  #stop: { readonly after: number; readonly controller: AbortController } | undefined;
  #lastCommit = Infinity;

  /** Aborts when this seat has stored so many checkpoints. */
  stopAfter(checkpoints: number): AbortSignal {
    this.#stop = { after: checkpoints, controller: new AbortController() };
    return this.#stop.controller.signal;
  }

  /** Dies with its commit of this number. Resolves then. */
  dieAfter(commits: number): Promise<void> {
    this.#lastCommit = commits;
    return this.#death.promise;
  }

  override async call<T>(call: StoreCall, work: Work<T>): Promise<T> {
    const result = this.#last.then(async () => {
      if (this.#commits === this.#lastCommit) return never<T>();
      const done = await carryOut(this.table, this.driver, call, work);
      if (call.kind === "commit") await this.#count(call.commit);
      return this.#commits === this.#lastCommit ? never<T>() : done;
    });
    this.#last = result.catch(() => {});
    return result;
  }

  async #count({ stores }: Commit): Promise<void> {
    this.#commits += 1;
    if (stores === "checkpoint") this.#checkpoints += 1;
    if (this.#checkpoints === this.#stop?.after) this.#stop.controller.abort(new Error("Enough is stored."));
    if (this.#commits !== this.#lastCommit) return;
    await this.table.locks.free(this.driver);
    this.#death.resolve();
  }
}

const OVER = "The schedule is over.";

function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}

/** A call that waits for its turn. */
export interface ParkedCall {
  readonly call: StoreCall;
  /** Names it among the parked calls of its driver. */
  readonly label: string;
  /** Which of the driver's calls of this label it is. */
  readonly nth: number;
  /** Has the store carry it out; the driver hears nothing yet. */
  carryOut(): Promise<unknown>;
  /** Tells the driver. */
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** The seat of a driver whose calls wait until somebody lets them go. */
export class ParkingSeat extends BaseSeat {
  readonly parked: ParkedCall[] = [];
  readonly #counts = new Map<string, number>();
  /** What it asked for when it died. */
  #unanswered: ParkedCall[] = [];
  #dead = false;
  #over = false;

  override call<T>(call: StoreCall, work: Work<T>): Promise<T> {
    if (this.#over) return Promise.reject(new Error(OVER));
    if (this.#dead) return never<T>();
    return new Promise<T>((resolve, reject) => {
      const nth = (this.#counts.get(call.label) ?? 0) + 1;
      this.#counts.set(call.label, nth);
      const same = this.parked.filter((one) => one.call.label === call.label).length;
      this.parked.push({
        call,
        label: same === 0 ? call.label : `${call.label} (${same + 1})`,
        nth,
        carryOut: () => carryOut(this.table, this.driver, call, work),
        resolve: resolve as (result: unknown) => void,
        reject,
      });
    });
  }

  /** Takes a call out of those that wait. */
  take(parked: ParkedCall): void {
    this.parked.splice(this.parked.indexOf(parked), 1);
  }

  /** The process of the driver is gone: what it asked for never happens, and it hears nothing any more. */
  async die(): Promise<void> {
    this.#dead = true;
    this.#unanswered = this.parked.splice(0);
    await this.table.locks.free(this.driver);
  }

  /** The schedule is over: the driver comes to its end, and frees what it holds in this process. */
  close(): void {
    this.#over = true;
    for (const parked of [...this.parked, ...this.#unanswered]) parked.reject(new Error(OVER));
  }
}
