import type { Account } from "./account.ts";
import { begin } from "./begin.ts";
import type { Stores } from "./begin.ts";
import { runnerOn } from "./explored-runner.ts";
import { finish } from "./finish.ts";
import type { Finished } from "./finish.ts";
import type { Violation } from "./invariants.ts";
import type { Begun, Scenario, ThreadEnd } from "./scenario.ts";
import type { ScheduledDriver } from "./scheduled-driver.ts";
import type { Schedule } from "./schedule.ts";
import { FreeSeat } from "./seats.ts";

/** What may come of a scenario, as text: what comes of it when its clients call one after the other, or not at all. */
export type References = ReadonlySet<string>;

/** A client, and the commit that it dies with, if it does. */
type Turn = readonly [which: 0 | 1, commits?: number];

/** More commits than any client makes. */
const MOST_COMMITS = 12;

/** Runs a scenario undisturbed, in each order, with both clients, one, or none. */
export async function references(scenario: Scenario, stores: Stores): Promise<References> {
  const orders: Turn[][] = [[[0], [1]], [[1], [0]], [[0]], [[1]], []];
  for (let commits = 1; scenario.cuts === true && commits <= MOST_COMMITS; commits += 1) {
    orders.push([[0, commits], [1]], [[1, commits], [0]]);
  }
  const ends = new Set<string>();
  for (const order of orders) ends.add(await runInTurn(scenario, stores.undisturbed ?? stores, order));
  return ends;
}

async function runInTurn(scenario: Scenario, stores: Stores, order: readonly Turn[]): Promise<string> {
  const { table, begun } = await begin(scenario, stores, "kept");
  for (const [which, commits = Infinity] of order) {
    const seat = new FreeSeat(which === 0 ? "A" : "B", table);
    const death = seat.dieAfter(commits);
    const call = scenario.clients[which].call(
      runnerOn(scenario, seat, table),
      table.threadId,
      begun as NonNullable<Begun>,
    );
    await Promise.race([death, call.catch(() => {})]); // it may come too late
  }
  return text((await finish(scenario, table)).end);
}

/** Finishes the thread, judges what came of it, and tells it in a line. */
export async function judgeEnd(schedule: Schedule, scenario: Scenario, expected: References): Promise<string> {
  const { table, drivers } = schedule;
  const wrong: Violation[] = [];
  for (const driver of drivers) {
    if (driver.isUnderWay) wrong.push({ invariant: "ends", what: `${driver.name} waits for a lock for ever` });
    else wrong.push(...judgeRefusal(driver, schedule));
  }
  const ends = drivers.map(({ name, client, end }) => `${name} (${client.does}) ${endText(end)}`).join(", ");
  let finished: Finished | undefined;
  try {
    wrong.push(...(await judgeRest(schedule, scenario)));
    finished = await finish(scenario, table);
  } catch (error) {
    wrong.push({ invariant: "ends", what: `it can't be finished: ${String(error)}` });
  }
  if (finished !== undefined) {
    const { end, reanswered } = finished;
    for (const what of reanswered) wrong.push({ invariant: "I3", what });
    if (!expected.has(text(end))) wrong.push({ invariant: "I5", what: `undisturbed it never ends as ${text(end)}` });
    for (const driver of drivers) wrong.push(...judgeAccepted(driver, end));
    if (scenario.cuts !== true) wrong.push(...judgeAnswers(table.account, end));
  }
  table.account.violations.push(...wrong);
  const lines = finished?.end.chain.at(-1)?.values.log.join(" ");
  return `${ends}: ${lines ?? "nothing"}`;
}

/** Where nothing went wrong and both drive, nothing is left that could run: an answer or a signal that neither saw. */
async function judgeRest({ table, drivers, world, had }: Schedule, scenario: Scenario): Promise<Violation[]> {
  const isDisturbed = world.locks === "broken" || had("deaths") || had("errors") || had("losses");
  if (isDisturbed || !drivers.every(({ client }) => client.drives)) return [];
  const { status, interrupts } = await runnerOn(scenario, new FreeSeat("finish", table), table).inspect(table.threadId);
  const { signals = [] } = (await table.storeOf("finish").readRecord(table.threadId)) ?? {};
  if (status === "ready") return [{ invariant: "ends", what: "the thread is ready, and nobody drives it" }];
  const waits = interrupts.some(
    ({ kind, value }) => kind === "signal" && signals.some(({ name }) => name === value.name),
  );
  return waits ? [{ invariant: "ends", what: "a signal and who waits for it did not meet" }] : [];
}

function judgeAccepted({ name, client, end }: ScheduledDriver, thread: ThreadEnd): Violation[] {
  if (end.at !== "returned" || client.shows === undefined || client.shows(thread)) return [];
  return [{ invariant: "I1", what: `${name} returned, and what it did (${client.does}) is lost` }];
}

/** I1: an answer that was accepted is what its node was told, and nothing else. */
function judgeAnswers({ acceptedAnswers }: Account, { chain }: ThreadEnd): Violation[] {
  return acceptedAnswers.flatMap(({ interrupt, answer }): Violation[] => {
    const node = interrupt.slice(interrupt.lastIndexOf("/") + 1, interrupt.indexOf("?"));
    const line = `${node}=${String(JSON.parse(answer))}`;
    if (chain.at(-1)?.values.log.includes(line) === true) return [];
    return [{ invariant: "I1", what: `${interrupt} took the answer ${answer}, and went on without` }];
  });
}

/** A refusal has to be one that the scenario knows, or what a fault of this schedule explains. */
function judgeRefusal({ name, client, end }: ScheduledDriver, schedule: Schedule): Violation[] {
  if (end.at !== "threw" || client.refusals.includes(end.code)) return [];
  const isConflict = schedule.world.locks === "broken" || schedule.had("losses");
  if (end.code === "CHECKPOINT_CONFLICT" && isConflict) return [];
  if (end.code === "CHECKPOINTER_UNREACHABLE" && (schedule.had("errors") || schedule.had("losses"))) return [];
  return [{ invariant: "ends", what: `${name} (${client.does}) threw ${end.code}` }];
}

function endText(end: ScheduledDriver["end"]): string {
  if (end.at === "returned") return `returned ${end.status}`;
  return end.at === "threw" ? `threw ${end.code}` : end.at;
}

function text({ chain, signalsLeft }: ThreadEnd): string {
  const steps = chain.map(({ step, next, values }) => `${step} [${values.log.join()}] → ${next.join()}`);
  return `${steps.join("; ")}${signalsLeft.length === 0 ? "" : `; signals left: ${signalsLeft.join()}`}`;
}
