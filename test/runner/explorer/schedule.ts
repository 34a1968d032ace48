import { hash } from "node:crypto";
import { setImmediate as macrotask } from "node:timers/promises";
import { begin } from "./begin.ts";
import type { Stores } from "./begin.ts";
import { answerable, choicesOf, deathOf } from "./choices.ts";
import type { Choice, Faults } from "./choices.ts";
import { MAKES_ID, both } from "./footprint.ts";
import type { Footprint } from "./footprint.ts";
import type { LockRule } from "./lock-table.ts";
import type { Scenario } from "./scenario.ts";
import { DEAD, ScheduledDriver } from "./scheduled-driver.ts";
import type { Table } from "./seats.ts";
import type { StoredThread } from "./stored-thread.ts";

/** Where schedules run, and which ones. */
export interface World {
  readonly stores: Stores;
  readonly locks: LockRule;
  /** @default nothing goes wrong */
  readonly faults?: Partial<Faults>;
  /** How often one driver takes the turn of the other one, which could go on. @default as often as it likes */
  readonly switches?: number;
}

/** A place in a schedule, to come back to. */
export interface Place {
  readonly stored: StoredThread;
  readonly heard: readonly (readonly string[])[];
}

/** Two drivers at one thread, and what happened so far; nothing happens but what is chosen. */
export class Schedule {
  readonly table: Table;
  readonly drivers: readonly ScheduledDriver[];
  readonly world: World;
  readonly #taken: string[] = [];
  readonly #left: Record<keyof Faults | "switches", number>;
  /** Whose turn it was. */
  #last: ScheduledDriver | undefined;

  private constructor(table: Table, drivers: readonly ScheduledDriver[], world: World) {
    this.table = table;
    this.drivers = drivers;
    this.world = world;
    this.#left = { deaths: 0, errors: 0, losses: 0, ...world.faults, switches: world.switches ?? Infinity };
  }

  /** Brings a thread to where the two find it, and has both make their calls; the first call of each waits. */
  static async open(scenario: Scenario, world: World): Promise<Schedule> {
    const { table, begun } = await begin(scenario, world.stores, world.locks);
    const [first, second] = scenario.clients;
    const drivers = [
      new ScheduledDriver("A", scenario, first, table, begun),
      new ScheduledDriver("B", scenario, second, table, begun),
    ];
    const schedule = new Schedule(table, drivers, world);
    await schedule.#settled();
    return schedule;
  }

  /** What was chosen so far. */
  get taken(): readonly string[] {
    return this.#taken;
  }

  /** Whether a fault of this kind happened. */
  readonly had = (fault: keyof Faults): boolean => this.#left[fault] < (this.world.faults?.[fault] ?? 0);

  /** What may happen next; nothing when both drivers are at their end, dead, or stuck. */
  choices(): Choice[] {
    const maySwitch = this.#left.switches > 0 || !this.#canGoOn(this.#last);
    const drivers = this.drivers.filter((driver) => driver.isUnderWay && (maySwitch || driver === this.#last));
    const choices = drivers.flatMap((driver) => choicesOf(driver, this.table.locks));
    return choices.filter(({ fault }) => fault === undefined || this.#left[fault] > 0);
  }

  /** Lets one of the choices happen, and waits until both drivers stand still again. Returns what it touched. */
  async take(label: string): Promise<Footprint> {
    const choice = this.choices().find((one) => one.label === label);
    if (choice === undefined) {
      const possible = this.choices().map((one) => one.label);
      throw new Error(`"${label}" can't be chosen after ${this.#taken.join("; ")}. Possible: ${possible.join("; ")}.`);
    }
    const { driver, fault, take, footprint } = choice;
    this.#taken.push(label);
    this.#left.switches -= this.#costOf(driver);
    this.#last = driver;
    if (fault !== undefined) this.#left[fault] -= 1;
    const before = new Set(this.drivers.flatMap(waitingCheckpoints));
    await take();
    await this.#settled();
    const madeId = this.drivers.flatMap(waitingCheckpoints).some((name) => !before.has(name));
    return this.#shared(madeId ? both(footprint, MAKES_ID) : footprint);
  }

  /**
   * What the rest of the schedule depends on: what is stored, what each driver heard, which locks are held, which
   * ids are the greater, whose turn it is, and what may still go wrong. Two schedules that come to the same point go
   * on alike.
   */
  point(): string {
    const turn = this.world.switches !== undefined && this.#canGoOn(this.#last) ? this.#last?.name : undefined;
    return this.#pointOf(this.drivers, { ...this.#left, turn });
  }

  /** The point that the death of each driver leads to, by its label. */
  deaths(): Map<string, string> {
    const deaths = new Map<string, string>();
    for (const dead of this.drivers) {
      if (!dead.isUnderWay || this.#left.deaths === 0) continue;
      const left = { ...this.#left, deaths: this.#left.deaths - 1, switches: this.#left.switches - this.#costOf(dead) };
      const alive = this.drivers.filter((driver) => driver !== dead);
      deaths.set(deathOf(dead), this.#pointOf(alive, left));
    }
    return deaths;
  }

  /** Where the schedule is, for one that is to come here again. */
  get place(): Place {
    return { stored: this.table.account.stored, heard: this.drivers.map(({ heard }) => heard) };
  }

  /** Repeats a part of a schedule that was judged before. */
  async repeat(labels: readonly string[], place: Place): Promise<void> {
    this.table.account.judges = false;
    for (const label of labels) await this.take(label);
    this.table.account.judges = true;
    this.table.account.stored = place.stored;
    for (const [index, driver] of this.drivers.entries()) driver.heard = place.heard[index] ?? [];
  }

  /** Has both drivers come to their end; what they do then counts no more. */
  async close(): Promise<void> {
    this.table.account.judges = false;
    for (const { seat } of this.drivers) {
      seat.close();
      await this.table.locks.free(seat.driver);
    }
    await macrotask();
  }

  #canGoOn(driver: ScheduledDriver | undefined): boolean {
    return driver?.isUnderWay === true && answerable(driver, this.table.locks).length > 0;
  }

  #costOf(driver: ScheduledDriver): number {
    return driver !== this.#last && this.#canGoOn(this.#last) ? 1 : 0;
  }

  #pointOf(alive: readonly ScheduledDriver[], rest: object): string {
    const { account, locks } = this.table;
    const ids = [...account.stored.checkpoints.keys(), ...alive.flatMap(waitingCheckpoints)].toSorted((one, other) =>
      account.names.idOf(one) < account.names.idOf(other) ? -1 : 1,
    );
    const drivers = this.drivers.map((driver) => {
      if (!alive.includes(driver)) return DEAD;
      if (!driver.isUnderWay) return driver.end; // nothing that it heard matters any more
      return [driver.heard, driver.refusedAt === locks.changes];
    });
    const held = locks.heldBy(alive.map(({ name }) => name));
    return hash("sha1", JSON.stringify([account.stored.text, drivers, ids, held, rest]));
  }

  /** A footprint without what tells nobody anything: the locks, where everybody gets every lock. */
  #shared({ reads, writes }: Footprint): Footprint {
    return this.world.locks === "kept" ? { reads, writes } : { reads, writes: writes.filter((one) => one !== "locks") };
  }

  /** Waits until each driver waits for the store, or is at its end. All else that they do takes microtasks only. */
  async #settled(): Promise<void> {
    for (let turns = 0; turns < MOST_TURNS; turns += 1) {
      await macrotask();
      if (this.drivers.every(({ isUnderWay, seat }) => !isUnderWay || seat.parked.length > 0)) return;
    }
    throw new Error(`A driver waits for something that is no call to the store, after ${this.#taken.join("; ")}.`);
  }
}

/** Checkpoints of a driver whose ids are made and that are not stored yet. */
function waitingCheckpoints({ seat }: ScheduledDriver): string[] {
  return seat.parked.flatMap(({ call }) =>
    call.kind === "commit" && call.commit.stores === "checkpoint" ? call.commit.name : [],
  );
}

const MOST_TURNS = 1_000;
