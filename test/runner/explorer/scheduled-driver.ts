import { hash } from "node:crypto";
import { isPerdureError } from "perdure/errors";
import { runnerOn } from "./explored-runner.ts";
import { unreachable } from "./lock-table.ts";
import type { Begun, Client, Scenario } from "./scenario.ts";
import { ParkingSeat } from "./seats.ts";
import type { DriverName, ParkedCall, Table } from "./seats.ts";

/** How a client's call to its runner stands. */
export type ClientEnd =
  | { readonly at: "under way" }
  | { readonly at: "dead" }
  | { readonly at: "returned"; readonly status: string }
  | { readonly at: "threw"; readonly code: string };

/** The end of a client whose process is gone. */
export const DEAD: ClientEnd = { at: "dead" };

/** A client in a process of its own, whose calls to the store happen when they are let go. */
export class ScheduledDriver {
  readonly name: DriverName;
  readonly client: Client;
  readonly seat: ParkingSeat;
  /**
   * What it heard from the store so far: the results by call, as hashes. All that it does is made of that, and not of
   * which of two calls that it made at once was answered first: no driver races its own calls.
   */
  heard: readonly string[] = [];
  /** The state of the locks when it was refused one. */
  refusedAt: number | undefined;
  #end: ClientEnd = { at: "under way" };
  readonly #table: Table;

  constructor(name: DriverName, scenario: Scenario, client: Client, table: Table, begun: Begun) {
    this.name = name;
    this.client = client;
    this.#table = table;
    this.seat = new ParkingSeat(name, table);
    client.call(runnerOn(scenario, this.seat, table), table.threadId, begun as NonNullable<Begun>).then(
      (state) => this.#ends({ at: "returned", status: statusOf(state) }),
      (error: unknown) => this.#ends({ at: "threw", code: isPerdureError(error) ? error.code : String(error) }),
    );
  }

  get end(): ClientEnd {
    return this.#end;
  }

  get isUnderWay(): boolean {
    return this.#end.at === "under way";
  }

  /** Has the store carry out a call, and tells the driver. */
  async letGo(parked: ParkedCall): Promise<void> {
    this.seat.take(parked);
    try {
      const result = await parked.carryOut();
      if (parked.call.kind === "lock" && result === undefined) this.refusedAt = this.#table.locks.changes;
      this.#hear(parked, result === undefined ? "nothing" : result);
      parked.resolve(result);
    } catch (error) {
      this.#hear(parked, String(error));
      parked.reject(error);
    }
  }

  /** Has a call fail, before or after the store carried it out. */
  async fail(parked: ParkedCall, isStored: boolean): Promise<void> {
    this.seat.take(parked);
    if (isStored) await parked.carryOut().catch(() => {});
    this.#hear(parked, "it failed");
    parked.reject(unreachable("the connection broke"));
  }

  /** Its process is gone, and what it asked for does not happen. */
  async die(): Promise<void> {
    this.#end = DEAD;
    await this.seat.die();
  }

  /** Its process is gone when the store has carried out a call, before it heard of that. */
  async dieAfter(parked: ParkedCall): Promise<void> {
    this.seat.take(parked);
    await parked.carryOut().catch(() => {});
    await this.die();
  }

  /** Its lock is lost, and it is told so. */
  async loseLock(): Promise<void> {
    this.heard = [...this.heard, "lost"];
    await this.#table.locks.lose(this.name);
  }

  #hear(parked: ParkedCall, what: unknown): void {
    const { account } = this.#table;
    if (account.judges)
      this.heard = [...this.heard, hash("sha1", `${parked.nth} ${parked.label} ${account.names.in(what)}`)].toSorted();
  }

  #ends(end: ClientEnd): void {
    if (this.isUnderWay) this.#end = end;
  }
}

function statusOf(state: unknown): string {
  return typeof state === "object" && state !== null && "status" in state ? String(state.status) : "nothing";
}
