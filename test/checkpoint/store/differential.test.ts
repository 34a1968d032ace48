import { isDeepStrictEqual } from "node:util";
import { InMemoryStore } from "@langchain/langgraph-checkpoint";
import type { BaseStore, Item, Operation } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openStore } from "perdure/checkpoint";
import { anyValue } from "./arbitraries.ts";
import { describeOnEachStore } from "./describe-on-each-store.ts";

/** Few, so that operations meet, and such that one might be taken for the beginning of another. */
const LABELS = ["a", "ab", "a.b", "a:b", "a%", "_", "*", "\\", "a\0", "a\u0001", "a\ue000", "\ud800", "é"] as const;
const KEYS = ["1", "2", "k\0", "%"] as const;
const FIELDS = ["n", "t", "a\0", "deep.er"] as const;

const label = fc.constantFrom(...LABELS);
const namespace = fc.array(label, { minLength: 1, maxLength: 3 });
const prefix = fc.array(label, { maxLength: 2 });
const path = fc.array(fc.oneof(label, fc.constant("*")), { maxLength: 3 });
const key = fc.constantFrom(...KEYS);
const leaf = fc.oneof(
  fc.integer({ min: -2, max: 12 }),
  fc.constantFrom(
    0.5,
    1e21,
    -1e-7,
    "5",
    "10",
    "9",
    "",
    "a",
    "B",
    "é",
    "a\0",
    "\ud800",
    "2026-01-01",
    true,
    false,
    null,
  ),
);
const fieldValue = fc.oneof(
  { weight: 6, arbitrary: leaf },
  { weight: 1, arbitrary: fc.array(leaf, { maxLength: 2 }) },
  { weight: 1, arbitrary: fc.dictionary(fc.constantFrom("x", "y"), leaf, { maxKeys: 2 }) },
);
const value = fc.oneof(
  { weight: 5, arbitrary: fc.dictionary(fc.constantFrom(...FIELDS), fieldValue, { maxKeys: 3 }) },
  { weight: 1, arbitrary: anyValue },
);
const operand = fc.oneof({ weight: 8, arbitrary: fieldValue }, { weight: 1, arbitrary: fc.constant(undefined) });
const ordered = fc.oneof(
  fc.integer({ min: -2, max: 12 }),
  fc.constantFrom("5", "10", "a", "B", "é", "a\0", "2026-01-01"),
);
const condition = fc.oneof(
  operand,
  fc.record({ $eq: operand }),
  fc.record({ $ne: operand }),
  fc.record({ $in: fc.array(operand, { maxLength: 3 }) }),
  fc.record({ $nin: fc.array(operand, { maxLength: 3 }) }),
  fc.record({ $gt: ordered }),
  fc.record({ $gte: ordered, $lt: ordered }),
  fc.record({ $lte: ordered }),
);
const filter = fc.dictionary(fc.constantFrom(...FIELDS), condition, { maxKeys: 2 });
const limit = fc.oneof(fc.nat(6), fc.constantFrom(10, Number.POSITIVE_INFINITY));

const put = fc.record({ namespace, key, value });
const remove = fc.record({ namespace, key, value: fc.constant(null) });
const get = fc.record({ namespace, key });
const search = fc.record({ namespacePrefix: prefix, filter, limit, offset: fc.nat(3) });
const listing = fc.record({
  matchConditions: fc.array(fc.record({ matchType: fc.constantFrom("prefix", "suffix"), path }), { maxLength: 2 }),
  maxDepth: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  limit,
  offset: fc.nat(3),
});
const batches = fc.array(
  fc.array(
    fc.oneof(
      { weight: 5, arbitrary: put },
      { weight: 2, arbitrary: remove },
      { weight: 1, arbitrary: get },
      { weight: 5, arbitrary: search },
      { weight: 2, arbitrary: listing },
    ),
    { minLength: 1, maxLength: 5 },
  ),
  { minLength: 10, maxLength: 40 },
) as fc.Arbitrary<Operation[][]>;

describeOnEachStore("random batches, from two openers in turn", ({ kind, fresh }) => {
  it("have the results that a store in memory has: 0 differences", async () => {
    let operations = 0;
    await fc.assert(
      fc.asyncProperty(batches, async (rounds) => {
        const place = await fresh();
        const stores = [await place.open(), await place.open()] as const;
        const twin = await openStore("memory:");
        for (const [round, batch] of rounds.entries()) {
          const expected = withoutTimes(await twin.batch(batch));
          const found = withoutTimes(await stores[round % 2 === 0 ? 0 : 1].batch(batch));
          operations += batch.length;
          if (!isDeepStrictEqual(found, expected)) expect({ batch, found }).toEqual({ batch, found: expected });
        }
        for (const store of stores) await store.close();
      }),
      { numRuns: kind === "pglite" ? 10 : 30 },
    );
    expect(operations).toBeGreaterThan(kind === "pglite" ? 200 : 600);
  }, 120_000);
});

/**
 * LangGraph's store in memory says what a store should do, save where it is wrong itself: it joins labels with a
 * colon, takes `["ab"]` for a namespace below `["a"]`, lists namespaces that have become empty, and gives the oldest
 * first. Here no label begins another, nothing is deleted before a listing, and results are compared as sets.
 */
describe("a store in memory and LangGraph's own", () => {
  const simple = fc.constantFrom("xa", "xb", "xc");
  const simpleNamespace = fc.array(simple, { minLength: 1, maxLength: 3 });
  const simpleFilter = fc.dictionary(
    fc.constantFrom("n", "t"),
    fc.oneof(
      fc.integer({ min: 0, max: 3 }),
      fc.constantFrom("a", "b", null, true),
      fc.record({ $ne: fc.constantFrom(0, "a", null) }),
      fc.record({ $in: fc.array(fc.constantFrom(0, 1, "a"), { maxLength: 2 }) }),
      fc.record({ $nin: fc.array(fc.constantFrom(0, 1, "a"), { maxLength: 2 }) }),
    ),
    { maxKeys: 2 },
  );
  const simpleValue = fc.dictionary(
    fc.constantFrom("n", "t"),
    fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom("a", "b", null, true)),
    { maxKeys: 2 },
  );
  const numbers = fc.record({ n: fc.integer({ min: 0, max: 9 }) });
  const simpleKey = fc.constantFrom("1", "2");

  it("find the same items", async () => {
    const writes = fc.array(
      fc.record({ namespace: simpleNamespace, key: simpleKey, value: fc.option(simpleValue, { nil: null }) }),
      { maxLength: 30 },
    );
    const prefixes = fc.array(fc.tuple(fc.array(simple, { maxLength: 3 }), simpleFilter), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(writes, prefixes, async (puts, searches) => {
        const [ours, theirs] = await both(puts);
        for (const [namespacePrefix, wanted] of searches) {
          const options = { filter: wanted, limit: Number.POSITIVE_INFINITY };
          const [found, expected] = [
            await ours.search(namespacePrefix, options),
            await theirs.search(namespacePrefix, options),
          ];
          expect(asSet(found)).toEqual(asSet(expected));
        }
        for (const { namespace: at, key: under } of puts) {
          expect((await ours.get(at, under))?.value).toEqual((await theirs.get(at, under))?.value);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("compare numbers alike", async () => {
    const writes = fc.array(fc.record({ namespace: simpleNamespace, key: simpleKey, value: numbers }), {
      maxLength: 20,
    });
    const operator = fc.constantFrom("$gt", "$gte", "$lt", "$lte", "$eq", "$ne");
    await fc.assert(
      fc.asyncProperty(writes, operator, fc.integer({ min: 0, max: 9 }), async (puts, name, than) => {
        const [ours, theirs] = await both(puts);
        const options = { filter: { n: { [name]: than } }, limit: Number.POSITIVE_INFINITY };
        expect(asSet(await ours.search([], options))).toEqual(asSet(await theirs.search([], options)));
      }),
      { numRuns: 200 },
    );
  });

  it("list the same namespaces", async () => {
    const writes = fc.array(fc.record({ namespace: simpleNamespace, key: simpleKey, value: numbers }), {
      maxLength: 20,
    });
    const simplePath = fc.array(fc.oneof(simple, fc.constant("*")), { minLength: 1, maxLength: 3 });
    const listings = fc.record(
      {
        prefix: simplePath,
        suffix: simplePath,
        maxDepth: fc.integer({ min: 1, max: 3 }),
        limit: fc.nat(5),
        offset: fc.nat(3),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(writes, listings, async (puts, options) => {
        const [ours, theirs] = await both(puts);
        expect(await ours.listNamespaces(options)).toEqual(await theirs.listNamespaces(options));
      }),
      { numRuns: 200 },
    );
  });

  async function both(
    puts: readonly { namespace: string[]; key: string; value: Item["value"] | null }[],
  ): Promise<readonly [BaseStore, BaseStore]> {
    const stores: readonly [BaseStore, BaseStore] = [await openStore("memory:"), new InMemoryStore()];
    for (const store of stores) for (const write of puts) await store.batch([write]);
    return stores;
  }
});

function asSet(items: readonly Item[]): string[] {
  return items.map((item) => JSON.stringify([item.namespace, item.key, item.value])).sort();
}

/** Dates are the database's own; everything else must be the same. */
function withoutTimes(results: readonly unknown[]): unknown[] {
  return results.map((result) => {
    const items = Array.isArray(result) ? (result as unknown[]) : [result];
    const compared = items.map((item) => {
      if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
      const { createdAt, updatedAt, ...rest } = item as Item;
      return { ...rest, times: createdAt instanceof Date && updatedAt instanceof Date && createdAt <= updatedAt };
    });
    return Array.isArray(result) ? compared : compared[0];
  });
}
