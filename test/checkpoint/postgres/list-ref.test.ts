import fc from "fast-check";
import { expect, it } from "vitest";
import { EMPTY_LIST, lengthOf, planList } from "../../../src/checkpoint/postgres/list-ref.ts";
import type { ListRef } from "../../../src/checkpoint/postgres/list-ref.ts";

/** The table of chunks: what a database would refuse is an error here too. */
class Chunks {
  readonly #rows = new Map<string, readonly number[]>();

  store(lineage: number, start: number, items: readonly number[]): void {
    const key = `${lineage} ${start}`;
    if (this.#rows.has(key)) throw new Error(`there is a chunk at ${start} already`);
    this.#rows.set(key, items);
  }

  read(ref: ListRef): number[] {
    const list: number[] = [];
    for (const { lineage, upTo } of ref.segments) {
      const items = new Map<number, number>();
      for (const [key, chunk] of this.#rows) {
        const [id, start] = key.split(" ").map(Number);
        if (id !== lineage.id || start! >= upTo) continue;
        for (const [offset, item] of chunk.entries()) {
          if (items.has(start! + offset)) throw new Error(`two items at ${start! + offset}`);
          items.set(start! + offset, item);
        }
      }
      while (list.length < upTo) list.push(items.get(list.length)!);
    }
    return list;
  }
}

/** A list that is made of an earlier one: keep so many of its items, then add these. */
const change = fc.record({
  from: fc.nat(),
  keep: fc.nat(12),
  add: fc.array(fc.nat(9), { maxLength: 4 }),
  append: fc.boolean(),
});

it("every list, grown, cut, edited or forked from any earlier one, reads as it was, however others went on", () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 60 }), (changes) => {
      const chunks = new Chunks();
      const lists: { ref: ListRef; items: readonly number[] }[] = [{ ref: EMPTY_LIST, items: [] }];
      for (const { from, keep, add, append } of changes) {
        const before = lists[from % lists.length]!;
        const kept = append ? before.items : before.items.slice(0, keep);
        const items = [...kept, ...add];
        let common = 0;
        while (common < Math.min(before.items.length, items.length) && before.items[common] === items[common])
          common += 1;
        const { ref, append: tail } = planList(before.ref, common, items.length);
        if (tail !== undefined) chunks.store(tail.lineage.id, tail.start, items.slice(tail.start));
        expect(lengthOf(ref)).toBe(items.length);
        expect(ref.segments.length).toBeLessThanOrEqual(32);
        lists.push({ ref, items });
      }
      for (const { ref, items } of lists) expect(chunks.read(ref)).toEqual(items);
    }),
    { numRuns: 500 },
  );
});

it("a list that only grows stays in one lineage and stores each item once", () => {
  let ref = EMPTY_LIST;
  const stored: number[] = [];
  for (let length = 1; length <= 100; length += 1) {
    const plan = planList(ref, length - 1, length);
    stored.push(plan.append!.start);
    ({ ref } = plan);
  }
  expect(ref.segments).toHaveLength(1);
  expect(stored).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

it("the same list again stores nothing", () => {
  const { ref } = planList(EMPTY_LIST, 0, 5);
  expect(planList(ref, 5, 5)).toEqual({ ref });
});
