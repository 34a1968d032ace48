import { describe, expect, it } from "vitest";
import { fulfils, parseFilter } from "../../../src/checkpoint/store/filter.ts";
import { FILTER_CASES } from "./filter-cases.ts";

const fits = (value: Record<string, unknown>, filter: unknown): boolean => fulfils(value, parseFilter(filter));

describe("a filter", () => {
  it.each(FILTER_CASES)("of the value %j by %j: %s, since values of JSON are compared", (value, filter, finds) => {
    expect(fits(value, filter)).toBe(finds);
  });

  it("looks at a field of the value only, never at what every object has", () => {
    expect(fits({}, { constructor: { $ne: undefined } })).toBe(false);
    expect(fits(JSON.parse('{"__proto__":1}') as Record<string, unknown>, { ["__proto__"]: 1 })).toBe(true);
  });

  it.each([
    [{ n: { $regex: "a" } }, "$regex"],
    [{ n: { $gt: 1, also: 2 } }, "also"],
    [{ n: { $gt: null } }, "$gt"],
    [{ n: { $lt: undefined } }, "$lt"],
    [{ n: { $lte: [1] } }, "$lte"],
    [{ n: { $in: 5 } }, "$in"],
    [[1], "object"],
    ["kind", "object"],
  ])("that cannot be meant is refused, and named: %j", (filter, named) => {
    expect(() => parseFilter(filter)).toThrow(
      expect.objectContaining({ code: "STORE_OPERATION_INVALID", message: expect.stringContaining(named) }),
    );
  });

  it.each([5n, () => 1, Symbol("s")])("by what JSON has no place for is refused: %s", (operand) => {
    for (const filter of [{ n: operand }, { n: { $ne: operand } }, { n: { $in: [operand] } }]) {
      expect(() => parseFilter(filter)).toThrow(expect.objectContaining({ code: "STORE_OPERATION_INVALID" }));
    }
  });
});
