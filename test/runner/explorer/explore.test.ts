/** What the explorer leaves out, it has seen before. */
import { expect, test } from "vitest";
import { DEATHS } from "./describe-exploration.ts";
import { explore } from "./explore.ts";
import { row } from "./graphs.ts";
import type { Client, Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";
import { memoryStores } from "./stores.ts";

const looks: Client = {
  does: "inspect",
  drives: false,
  call: (runner, threadId) => runner.inspect(threadId),
  refusals: [],
};
/** Each reads the head and the record, at once. */
const twoLook: Scenario = {
  name: "inspect, inspect",
  graph: row,
  begin: ({ runner, threadId }) => runner.start(threadId, { log: "input" }),
  clients: [looks, looks],
};

test("four calls of two drivers are tried in all 24 orders", async () => {
  const explored = await explore(twoLook, { locks: "kept", stores: memoryStores() });
  expect(explored.interleavings).toBe(24n);
  expect(explored.schedules.length).toBeLessThan(24);
});

test("with a death, the driver that lives makes its calls in each order at each place of the other one", async () => {
  const explored = await explore(twoLook, { ...DEATHS, stores: memoryStores() });
  // nobody dies: 24 orders. One of two dies before its first call, or between its calls, of which either was the first
  const oneDies = orders(1, 2) + 2 * orders(2, 2);
  expect(explored.interleavings).toBe(BigInt(24 + 2 * oneDies));
  expect([...explored.outcomes].toSorted()).toEqual([
    "A (inspect) dead, B (inspect) returned done: input one two",
    "A (inspect) returned done, B (inspect) dead: input one two",
    "A (inspect) returned done, B (inspect) returned done: input one two",
  ]);
});

/** Orders of steps, one after the other, among so many calls, which come in any order. */
function orders(steps: number, calls: number): number {
  return factorial(steps + calls) / factorial(steps);
}

function factorial(of: number): number {
  return of <= 1 ? 1 : of * factorial(of - 1);
}

test.each([
  ["siblings: step left, step left", { locks: "kept", faults: { deaths: 1 } }],
  ["siblings: step left, step left", { locks: "broken", switches: 1, faults: { deaths: 1 } }],
  ["fork: fork, fork", { locks: "kept", switches: 0, faults: { deaths: 1, errors: 1 } }],
] as const)("%s: what is not tried leads to where a schedule was, under %j", async (name, rules) => {
  for (const scenario of scenarios(name)) {
    const all = await explore(scenario, { ...rules, stores: memoryStores() }, { everyStep: true });
    const some = await explore(scenario, { ...rules, stores: memoryStores() });
    expect(some.schedules.length).toBeLessThan(all.schedules.length);
    expect(some.points).toBe(all.points);
    expect(some.interleavings).toBe(all.interleavings);
    expect(some.outcomes).toEqual(all.outcomes);
  }
});

test("the same exploration runs the same schedules", async () => {
  for (const scenario of scenarios("siblings: cancel, step left")) {
    const explored = await explore(scenario, { ...DEATHS, stores: memoryStores() });
    expect(await explore(scenario, { ...DEATHS, stores: memoryStores() })).toEqual(explored);
  }
});
