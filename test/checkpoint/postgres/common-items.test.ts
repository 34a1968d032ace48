import fc from "fast-check";
import { expect, it } from "vitest";
import { commonItems } from "../../../src/checkpoint/postgres/common-items.ts";

const textOf = (items: readonly unknown[]) => JSON.stringify(items).slice(1, -1);
const compare = (before: readonly unknown[], list: readonly unknown[]) =>
  commonItems(textOf(before), before.length, { type: null, bytes: Buffer.from(textOf(list)) });
const restOf = (comparison: ReturnType<typeof commonItems>, start: number) =>
  JSON.parse(`[${Buffer.from(comparison.from(start).bytes).toString()}]`) as unknown[];

it.each([
  ["grew", [1, "a"], [1, "a", { b: 2 }], 2],
  ["grew by a number that begins like the last one", [1, 2], [1, 23], 1],
  ["is the same", [1, 2], [1, 2], 2],
  ["was cut", [1, 2, 3], [1, 2], 2],
  ["was edited", [1, 2, 3], [1, 9, 3], 1],
  ["has its keys in another order", [{ a: 1, b: [2] }], [{ b: [2], a: 1 }, 5], 1],
])("a list that %s", (_how, before, list, common) => {
  const comparison = compare(before, list);
  expect(comparison.common).toBe(common);
  expect(restOf(comparison, common)).toEqual(list.slice(common));
});

it("finds as many equal items as there are, and the rest as it is", () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { minLength: 1 }),
      fc.array(fc.jsonValue()),
      fc.nat(),
      (shared, added, cut) => {
        const before = shared.map((item) => JSON.parse(JSON.stringify(item)) as unknown);
        const list = [...before.slice(0, cut % (before.length + 1)), ...added].map(
          (item) => JSON.parse(JSON.stringify(item)) as unknown,
        );
        const comparison = compare(before, list);
        const { common } = comparison;
        expect(list.slice(0, common)).toEqual(before.slice(0, common));
        expect(common).toBeGreaterThanOrEqual(Math.min(cut % (before.length + 1), list.length));
        expect(restOf(comparison, common)).toEqual(list.slice(common));
      },
    ),
  );
});
