import { deathOf } from "./choices.ts";
import type { Choice } from "./choices.ts";
import type { Violation } from "./invariants.ts";
import { judgeEnd, references } from "./judge-end.ts";
import { PointGraph } from "./point-graph.ts";
import type { Step } from "./point-graph.ts";
import type { Scenario } from "./scenario.ts";
import { Schedule } from "./schedule.ts";
import type { Place, World } from "./schedule.ts";
import { withScheduledClock } from "./scheduled-clock.ts";

/** What an exploration found. */
export interface Explored {
  /** The schedules that were run, each from its beginning, by the labels of their choices. */
  readonly schedules: readonly (readonly string[])[];
  /** Different points: what is stored, and what each driver has heard. */
  readonly points: number;
  /** Interleavings that these schedules stand for: ways through the points. */
  readonly interleavings: bigint;
  /** How the clients' calls and the thread ended. */
  readonly outcomes: ReadonlySet<string>;
  /** What was wrong. */
  readonly violations: readonly Found[];
}

/** A violation and the first schedule that showed it. */
export interface Found extends Violation {
  readonly schedule: readonly string[];
}

export interface ExploreOptions {
  /** Stops at the first violation. @default false */
  readonly first?: boolean;
  /** Stops after so many schedules. @default none is left out */
  readonly most?: number;
  /** Tries every choice at every point, also where it is known to lead to where a schedule was. @default false */
  readonly everyStep?: boolean;
}

/** A point on the way of the present schedule. */
interface Fork {
  readonly place: Place;
  readonly point: string;
  readonly choices: readonly Choice[];
  readonly untried: Choice[];
  /** The fork before it. */
  readonly from: Fork | undefined;
  /** The choice that the present schedule takes. */
  taken: string;
}

/**
 * Runs every schedule of two clients: each order of their calls to the store, each fault at each call. Depth first,
 * each schedule from its beginning, and nothing twice:
 * - at a point where an earlier schedule was, it ends: what comes next depends on nothing else
 * - a choice is not tried where it is known to lead to such a point: of two steps that commute, the second order; and
 *   a death, since what a driver heard dies with it
 */
export function explore(scenario: Scenario, world: World, options: ExploreOptions = {}): Promise<Explored> {
  const { needTime } = world.stores;
  return withScheduledClock({ noWaiting: !needTime }, () => new Exploration(scenario, world, options).run());
}

class Exploration {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #options: ExploreOptions;
  readonly #graph = new PointGraph();
  readonly #path: Fork[] = [];
  /** Where the deaths of drivers lead from each point. */
  readonly #deaths = new Map<string, ReadonlyMap<string, string>>();
  readonly #schedules: (readonly string[])[] = [];
  readonly #outcomes = new Set<string>();
  readonly #found: Found[] = [];

  constructor(scenario: Scenario, world: World, options: ExploreOptions) {
    this.#scenario = scenario;
    this.#world = world;
    this.#options = options;
  }

  async run(): Promise<Explored> {
    const expected = await references(this.#scenario, this.#world.stores);
    do {
      const schedule = await Schedule.open(this.#scenario, this.#world);
      if (await this.#isNew(schedule)) this.#outcomes.add(await judgeEnd(schedule, this.#scenario, expected));
      this.#schedules.push(schedule.taken);
      for (const violation of schedule.table.account.violations) {
        this.#found.push({ ...violation, schedule: schedule.taken });
      }
      await schedule.close();
      this.#goBack();
    } while (this.#path.length > 0 && !this.#isEnough());
    return {
      schedules: this.#schedules,
      points: this.#graph.size,
      interleavings: this.#graph.ways(),
      outcomes: this.#outcomes,
      violations: this.#found,
    };
  }

  #isEnough(): boolean {
    const { first = false, most = Infinity } = this.#options;
    return (first && this.#found.length > 0) || this.#schedules.length >= most;
  }

  /**
   * Goes where the path leads, takes an untried choice there, and goes on. Returns whether it came to the end, and not
   * to where somebody was.
   */
  async #isNew(schedule: Schedule): Promise<boolean> {
    if (this.#path.length > 0) await this.#comeBack(schedule);
    let fork = this.#path.at(-1) ?? this.#arrive(schedule, undefined);
    while (fork !== undefined) {
      this.#skipKnown(fork);
      if (fork.untried.length === 0) return false;
      fork.taken = fork.untried.shift()?.label ?? "";
      const footprint = await schedule.take(fork.taken);
      const to = schedule.point();
      this.#graph.lead(fork.point, fork.taken, { to, footprint });
      if (this.#graph.has(to)) return false;
      fork = this.#arrive(schedule, fork);
    }
    return true;
  }

  /** Goes back to the last fork where something is left to try. */
  #goBack(): void {
    for (let fork = this.#path.at(-1); fork !== undefined; fork = this.#path.at(-1)) {
      this.#skipKnown(fork);
      if (fork.untried.length > 0) return;
      this.#path.pop();
    }
  }

  #skipKnown(fork: Fork): void {
    while (fork.untried[0] !== undefined && this.#isKnown(fork, fork.untried[0])) fork.untried.shift();
  }

  /** Whether a choice is known to lead to where a schedule was. */
  #isKnown(fork: Fork, choice: Choice): boolean {
    if (this.#options.everyStep === true) return false;
    const step = this.#aroundCorner(fork, choice) ?? this.#knownDeath(fork, choice);
    if (step === undefined || !this.#graph.has(step.to)) return false;
    this.#graph.lead(fork.point, choice.label, step);
    return true;
  }

  /** Where a choice leads that commutes with the step that led here: to where that one led after it. */
  #aroundCorner({ from }: Fork, { label, driver }: Choice): Step | undefined {
    if (from === undefined) return undefined;
    const isOthers = !from.taken.startsWith(driver.name);
    if (isOthers && this.#world.switches !== undefined) return undefined; // their order costs another switch
    return this.#graph.aroundCorner(from.point, from.taken, label);
  }

  /**
   * Where a death leads: to what is stored, without what the driver heard. Nobody can tell whether it died before it
   * heard of a commit, or when it had heard and asked for more.
   */
  #knownDeath({ point }: Fork, { fault, driver, diesAfter, footprint }: Choice): Step | undefined {
    if (fault !== "deaths") return undefined;
    const before = diesAfter === undefined ? point : this.#graph.next(point, diesAfter);
    const to = before === undefined ? undefined : this.#deaths.get(before)?.get(deathOf(driver));
    return to === undefined ? undefined : { to, footprint };
  }

  /** Repeats what leads to the deepest fork. */
  async #comeBack(schedule: Schedule): Promise<void> {
    const taken = this.#path.slice(0, -1).map((fork) => fork.taken);
    const { place, choices } = this.#path.at(-1) as Fork;
    await schedule.repeat(taken, place);
    const [before, now] = [choices, schedule.choices()].map((all) => all.map(({ label }) => label).join("; "));
    if (before !== now) throw new Error(`After ${taken.join("; ")} came ${before}, and the next time ${now}.`);
  }

  /** Notes a new point. Returns it as a fork, unless it is an end. */
  #arrive(schedule: Schedule, from: Fork | undefined): Fork | undefined {
    const point = schedule.point();
    const choices = schedule.choices();
    this.#graph.add(point);
    if (choices.length === 0) return undefined;
    this.#deaths.set(point, schedule.deaths());
    const fork: Fork = { place: schedule.place, point, choices, untried: [...choices], from, taken: "" };
    this.#path.push(fork);
    return fork;
  }
}
