import { expect, it } from "vitest";
import { smallestFailing } from "./smallest-failing.ts";

it("leaves only what a sequence fails with", async () => {
  const items = Array.from({ length: 200 }, (_, index) => index);
  const fails = async (some: readonly number[]): Promise<boolean> => some.includes(17) && some.includes(160);
  expect(await smallestFailing(items, fails, 10_000)).toEqual([17, 160]);
});

it("gives back what it has when the time is over", async () => {
  expect(await smallestFailing([1, 2, 3], async () => true, 0)).toEqual([1, 2, 3]);
});
