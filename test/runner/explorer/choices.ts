import { LOCKS, NOTHING, both } from "./footprint.ts";
import type { Footprint } from "./footprint.ts";
import type { LockTable } from "./lock-table.ts";
import type { ScheduledDriver } from "./scheduled-driver.ts";
import type { ParkedCall } from "./seats.ts";

/** What may go wrong in one schedule, how often. */
export interface Faults {
  /** A driver dies, before the store did what it asked for last or after. */
  readonly deaths: number;
  /** The connection of a driver breaks: a call fails, before the store did it or after. */
  readonly errors: number;
  /** A driver loses its lock, and is told so. */
  readonly losses: number;
}

/** One of the things that may happen next. */
export interface Choice {
  /** Names it among the choices; begins with the driver's name. */
  readonly label: string;
  readonly driver: ScheduledDriver;
  readonly footprint: Footprint;
  readonly fault?: keyof Faults;
  /** Where the fault is a death, the call that the store has done when the driver dies. */
  readonly diesAfter?: string;
  readonly take: () => Promise<void>;
}

/** The label of the choice that a driver dies, and what it asked for last does not happen. */
export function deathOf({ name }: ScheduledDriver): string {
  return `${name} dies`;
}

/**
 * The calls of a driver that would be answered now. Not those that wait for a lock, nor those that ask for one once
 * more while nothing has changed: after a loss drivers ask from time to time, which would go on for ever.
 */
export function answerable({ seat, refusedAt }: ScheduledDriver, locks: LockTable): ParkedCall[] {
  return seat.parked.filter(({ call }) => {
    if (call.kind !== "lock") return true;
    return call.options.wait ? locks.isFree(call.options.mode) : locks.changes !== refusedAt;
  });
}

/** What a driver that is under way may do next, and what may happen to it. */
export function choicesOf(driver: ScheduledDriver, locks: LockTable): Choice[] {
  const { name } = driver;
  const choices: Choice[] = [];
  const happens = (
    fault: keyof Faults,
    label: string,
    footprint: Footprint,
    take: () => Promise<void>,
    more: Pick<Choice, "diesAfter"> = {},
  ): void => {
    const touches = both(footprint, { reads: [], writes: [`life of ${name}`, "faults left"] });
    choices.push({ driver, fault, label, footprint: touches, take, ...more });
  };
  const calls = answerable(driver, locks);
  for (const parked of calls) {
    const footprint = both(parked.call.footprint, { reads: [`life of ${name}`], writes: [] });
    choices.push({ driver, label: `${name} ${parked.label}`, footprint, take: () => driver.letGo(parked) });
  }
  happens("deaths", deathOf(driver), LOCKS, () => driver.die());
  if (locks.holds(name)) happens("losses", `${name} loses its lock`, LOCKS, () => driver.loseLock());
  for (const parked of calls) {
    const { kind, footprint } = parked.call;
    const label = `${name} ${parked.label}`;
    if (kind === "release") continue;
    happens("errors", `${label} fails`, NOTHING, () => driver.fail(parked, false));
    if (kind !== "commit") continue;
    happens("errors", `${label} is stored and fails`, footprint, () => driver.fail(parked, true));
    const after = both(footprint, LOCKS);
    happens("deaths", `${label} is stored and ${deathOf(driver)}`, after, () => driver.dieAfter(parked), {
      diesAfter: label,
    });
  }
  return choices;
}
