import { isDeepStrictEqual } from "node:util";
import type { Item, Operation } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Store } from "perdure/checkpoint";
import { HARD_TEXTS, anyNamespace, anyText, anyValue } from "./arbitraries.ts";
import { describeOnEachStore } from "./describe-on-each-store.ts";
import type { StorePlace } from "./describe-on-each-store.ts";
import { FILTER_CASES } from "./filter-cases.ts";
import { LETTERS, LetterEmbeddings } from "./letter-embeddings.ts";

const keysOf = (items: readonly Item[]): string[] => items.map(({ key }) => key);

describeOnEachStore("a store", ({ kind, fresh }) => {
  let place: StorePlace;
  let store: Store;
  beforeEach(async () => {
    place = await fresh();
    store = await place.open();
  });

  describe("items", () => {
    it("come back as they were put: any namespace, key and value of JSON", async () => {
      await fc.assert(
        fc.asyncProperty(anyNamespace, anyText, anyValue, async (namespace, key, value) => {
          await store.put(namespace, key, value);
          const found = [await store.get(namespace, key), ...(await store.search(namespace, { limit: 1 }))];
          for (const item of found) {
            expect(item?.namespace).toEqual(namespace);
            expect(item?.key).toBe(key);
            expect(isDeepStrictEqual(item?.value, value)).toBe(true);
          }
        }),
        { numRuns: kind === "pglite" ? 60 : 200 },
      );
    });

    it("are found under their own namespace and key only", async () => {
      await store.put(["users", "ana"], "name", { text: "Ana" });
      expect((await store.get(["users", "ana"], "name"))?.value).toEqual({ text: "Ana" });
      for (const [namespace, key] of [
        [["users", "ana"], "other"],
        [["users"], "name"],
        [["users", "ana", "more"], "name"],
        [["users:ana"], "name"],
        [["usersana"], "name"],
      ] as const) {
        expect(await store.get([...namespace], key)).toBeNull();
      }
    });

    it("keep createdAt and get a new updatedAt when they are put again; after a delete both are new", async () => {
      await store.put(["a"], "k", { n: 1 });
      const first = (await store.get(["a"], "k"))!;
      expect(Math.abs(first.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
      expect(first.updatedAt).toEqual(first.createdAt);

      const second = await putUntil(store, (item) => item.updatedAt > first.updatedAt);
      expect(second.createdAt).toEqual(first.createdAt);

      await store.delete(["a"], "k");
      expect(await store.get(["a"], "k")).toBeNull();
      await store.put(["a"], "k", { n: 3 });
      const third = (await store.get(["a"], "k"))!;
      expect(third.createdAt > first.createdAt).toBe(true);
      expect(third.updatedAt).toEqual(third.createdAt);
    });

    it("are copies: what is done to a value before or after does not reach the store", async () => {
      const value = { list: [1] };
      await store.put(["a"], "k", value);
      value.list.push(2);
      const found = (await store.get(["a"], "k"))!;
      (found.value["list"] as number[]).push(3);
      found.namespace.push("x");
      expect(await store.get(["a"], "k")).toMatchObject({ namespace: ["a"], value: { list: [1] } });
    });

    it("may be large", async () => {
      const text = "memory \0 ".repeat(300_000);
      await store.put(["a"], "large", { text });
      expect((await store.get(["a"], "large"))?.value["text"]).toBe(text);
    });

    it("may be put by many at once", async () => {
      await Promise.all(Array.from({ length: 300 }, (_, n) => store.put(["many", `${n % 7}`], `${n % 100}`, { n })));
      const items = await store.search(["many"], { limit: Number.POSITIVE_INFINITY });
      expect(items).toHaveLength(300); // 7 and 100 have no common divisor
      await Promise.all(items.map(({ namespace, key }) => store.delete(namespace, key)));
      expect(await store.search([])).toEqual([]);
    });

    it("that are deleted twice, or never were, are just not there", async () => {
      await store.delete(["a"], "k");
      await store.put(["a"], "k", {});
      await store.delete(["a"], "k");
      await store.delete(["a"], "k");
      expect(await store.search([])).toEqual([]);
      expect(await store.listNamespaces()).toEqual([]);
    });
  });

  describe("a search", () => {
    it("finds what lies at or below the prefix, by whole labels: no namespace that only begins alike", async () => {
      const labels = HARD_TEXTS;
      await store.batch(
        labels.flatMap((label): Operation[] => [
          { namespace: ["tenants", label], key: "own", value: { label } },
          { namespace: ["tenants", label, "below"], key: "below", value: { label } },
        ]) as Operation[],
      );
      for (const label of labels) {
        const found = await store.search(["tenants", label]);
        expect(keysOf(found).sort(), label).toEqual(["below", "own"]);
        for (const { namespace } of found) expect(namespace[1]).toBe(label);
      }
      expect(await store.search(["tenant"])).toEqual([]);
      expect(await store.search(["tenants", "acm"])).toEqual([]);
    });

    it("of nothing in particular searches everything", async () => {
      await store.put(["a"], "1", {});
      await store.put(["b", "c"], "2", {});
      expect(keysOf(await store.search([]))).toEqual(["2", "1"]);
    });

    it("gives the newest write first, ten unless told, and pages that follow each other", async () => {
      await store.batch(
        Array.from({ length: 12 }, (_, n) => ({ namespace: ["a"], key: `${n}`, value: {} })) as Operation[],
      );
      await store.put(["a"], "3", { again: true });
      const newest = ["3", "11", "10", "9", "8", "7", "6", "5", "4", "2", "1", "0"];
      expect(keysOf(await store.search(["a"]))).toEqual(newest.slice(0, 10));
      expect(keysOf(await store.search(["a"], { limit: Number.POSITIVE_INFINITY }))).toEqual(newest);
      const pages = await Promise.all([0, 5, 10, 15].map((offset) => store.search(["a"], { limit: 5, offset })));
      expect(pages.map(keysOf)).toEqual([newest.slice(0, 5), newest.slice(5, 10), newest.slice(10), []]);
      expect(await store.search(["a"], { limit: 0 })).toEqual([]);
    });

    it("gives the same in a batch, as a node asks", async () => {
      for (const key of ["1", "2", "3"]) await store.put(["a"], key, {});
      const [found] = await store.batch([{ namespacePrefix: ["a"], filter: {}, limit: 2, offset: 1 }]);
      expect(found).toEqual(await store.search(["a"], { limit: 2, offset: 1 }));
      expect(keysOf(found!)).toEqual(["2", "1"]);
    });

    it("filters by values of JSON, numbers and texts by their own order", async () => {
      await store.batch(FILTER_CASES.map(([value], n) => ({ namespace: ["a"], key: `${n}`, value })) as Operation[]);
      for (const [n, [value, filter, finds]] of FILTER_CASES.entries()) {
        const found = await store.search(["a"], { filter: filter!, limit: Number.POSITIVE_INFINITY });
        const said = JSON.stringify({ value, filter });
        expect(keysOf(found).includes(`${n}`), said).toBe(finds);
        const alike = FILTER_CASES.flatMap(([other], m) => (isDeepStrictEqual(other, value) ? [`${m}`] : []));
        expect(
          alike.every((key) => keysOf(found).includes(key) === finds),
          said,
        ).toBe(true);
      }
    });

    it("counts limit and offset after the filter", async () => {
      for (let n = 0; n < 20; n += 1) await store.put(["a"], `${n}`, { even: n % 2 === 0 });
      expect(keysOf(await store.search(["a"], { filter: { even: true }, limit: 3, offset: 2 }))).toEqual([
        "14",
        "12",
        "10",
      ]);
    });
  });

  describe("a listing of namespaces", () => {
    const namespaces = [
      ["a"],
      ["a", "b"],
      ["a", "b", "c"],
      ["a", "bb"],
      ["a", "x", "c"],
      ["b", "b"],
      ["é"],
      ["*", "b"],
    ];
    beforeEach(async () => {
      await store.batch(namespaces.map((namespace) => ({ namespace, key: "k", value: {} })) as Operation[]);
    });

    it.each([
      [{}, [["*", "b"], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "bb"], ["a", "x", "c"], ["b", "b"], ["é"]]],
      [
        { prefix: ["a", "b"] },
        [
          ["a", "b"],
          ["a", "b", "c"],
        ],
      ],
      [
        { prefix: ["a", "*", "c"] },
        [
          ["a", "b", "c"],
          ["a", "x", "c"],
        ],
      ],
      [
        { prefix: ["*", "b"] },
        [
          ["*", "b"],
          ["a", "b"],
          ["a", "b", "c"],
          ["b", "b"],
        ],
      ],
      [
        { suffix: ["b"] },
        [
          ["*", "b"],
          ["a", "b"],
          ["b", "b"],
        ],
      ],
      [
        { suffix: ["*", "c"] },
        [
          ["a", "b", "c"],
          ["a", "x", "c"],
        ],
      ],
      [
        { prefix: ["a"], suffix: ["c"] },
        [
          ["a", "b", "c"],
          ["a", "x", "c"],
        ],
      ],
      [{ prefix: ["a", "b", "c"], suffix: ["a", "b", "c"] }, [["a", "b", "c"]]],
      [{ prefix: ["a", "b", "c", "d"] }, []],
      [{ maxDepth: 1 }, [["*"], ["a"], ["b"], ["é"]]],
      [{ maxDepth: 2 }, [["*", "b"], ["a"], ["a", "b"], ["a", "bb"], ["a", "x"], ["b", "b"], ["é"]]],
      [
        { maxDepth: 2, prefix: ["a"], suffix: ["c"] },
        [
          ["a", "b"],
          ["a", "x"],
        ],
      ],
      [{ maxDepth: 1, limit: 2, offset: 1 }, [["a"], ["b"]]],
      [{ limit: 2, offset: 6 }, [["b", "b"], ["é"]]],
      [{ limit: 0 }, []],
    ])("by %j has each once, in the order of the labels", async (options, expected) => {
      expect(await store.listNamespaces(options)).toEqual(expected);
    });

    it("has no namespace whose last item was deleted", async () => {
      await store.delete(["b", "b"], "k");
      expect(await store.listNamespaces({ prefix: ["b"] })).toEqual([]);
    });

    it("has a hundred unless told, and all in a batch without a limit, as in LangGraph's store in memory", async () => {
      await store.batch(
        Array.from({ length: 150 }, (_, n) => ({ namespace: ["n", `${n}`], key: "k", value: {} })) as Operation[],
      );
      expect(await store.listNamespaces({ prefix: ["n"] })).toHaveLength(100);
      const listing = { matchConditions: [{ matchType: "prefix", path: ["n"] }] } as unknown as Operation;
      expect((await store.batch([listing]))[0]).toHaveLength(150);
    });
  });

  describe("a batch", () => {
    it("reads the store as it was before, and of two puts of one item stores the later", async () => {
      await store.put(["a"], "k", { n: 0 });
      const operations: Operation[] = [
        { namespace: ["a"], key: "k", value: { n: 1 } },
        { namespace: ["a"], key: "k" },
        { namespacePrefix: ["a"] },
        { matchConditions: [{ matchType: "prefix", path: ["b"] }], limit: 10, offset: 0 },
        { namespace: ["a"], key: "k", value: { n: 2 } },
        { namespace: ["b"], key: "k", value: {} },
        { namespace: ["b"], key: "gone", value: {} },
        { namespace: ["b"], key: "gone", value: null },
        { namespace: ["b"], key: "gone" },
      ];
      const before = expect.objectContaining({ key: "k", value: { n: 0 } });
      const nothing = undefined;
      expect(await store.batch(operations)).toEqual([
        nothing,
        before,
        [before],
        [],
        nothing,
        nothing,
        nothing,
        nothing,
        null,
      ]);
      expect((await store.get(["a"], "k"))?.value).toEqual({ n: 2 });
      expect(keysOf(await store.search(["b"]))).toEqual(["k"]);
    });

    it("with one wrong operation does nothing", async () => {
      const wrong = { namespace: ["a"], key: "k2", value: { n: 1n } } as Operation;
      await expect(store.batch([{ namespace: ["a"], key: "k", value: {} }, wrong])).rejects.toMatchObject({
        code: "VALUE_UNSERIALIZABLE",
      });
      expect(await store.search([])).toEqual([]);
    });

    it("of nothing gives nothing", async () => {
      expect(await store.batch([])).toEqual([]);
    });
  });

  describe("what does not fit is refused, and nothing is stored:", () => {
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    it.each([
      ["an empty namespace", { namespace: [], key: "k", value: {} }],
      ["an empty label", { namespace: ["a", ""], key: "k", value: {} }],
      ["LangGraph's own root", { namespace: ["langgraph", "a"], key: "k", value: {} }],
      ["a label that is missing", { namespace: ["users", undefined], key: "k", value: {} }],
      ["a label that is a number", { namespace: ["users", 1], key: "k", value: {} }],
      ["a namespace that is a text", { namespace: "users", key: "k", value: {} }],
      ["a key that is a number", { namespace: ["a"], key: 1, value: {} }],
      ["a key that is too long", { namespace: ["a"], key: "k".repeat(3_000), value: {} }],
      ["a value that is a text", { namespace: ["a"], key: "k", value: "text" }],
      ["a value that is a list", { namespace: ["a"], key: "k", value: [1] }],
      ["a value that is missing", { namespace: ["a"], key: "k", value: undefined }],
      ["an index that is no path", { namespace: ["a"], key: "k", value: {}, index: [1] }],
      ["a prefix that is a text", { namespacePrefix: "a" }],
      ["a prefix with a missing label", { namespacePrefix: ["users", undefined] }],
      ["a negative limit", { namespacePrefix: [], limit: -1 }],
      ["half an offset", { namespacePrefix: [], offset: 0.5 }],
      ["a limit that is a text", { namespacePrefix: [], limit: "10" }],
      ["an unknown operator", { namespacePrefix: [], filter: { n: { $regex: "." } } }],
      ["a query without an index", { namespacePrefix: [], query: "food" }],
      ["a depth of nothing", { matchConditions: [], maxDepth: 0, limit: 1, offset: 0 }],
      ["an unknown kind of match", { matchConditions: [{ matchType: "infix", path: [] }], limit: 1, offset: 0 }],
      ["an unknown operation", { what: 1 }],
    ])("%s", async (_, operation) => {
      const good = { namespace: ["a"], key: "good", value: {} };
      await expect(store.batch([good, operation] as Operation[])).rejects.toMatchObject({
        code: "STORE_OPERATION_INVALID",
      });
      expect(await store.search([])).toEqual([]);
    });

    it.each([
      ["a bigint", { n: 1n }],
      ["a value that refers to itself", cyclic],
      ["a value whose toJSON makes no object of it", new Date()],
    ])("%s", async (_, value) => {
      await expect(store.put(["a"], "k", value)).rejects.toMatchObject({ code: "VALUE_UNSERIALIZABLE" });
      expect(await store.search([])).toEqual([]);
    });
  });

  it("takes a namespace and key of 2,000 bytes that cannot be compressed", async () => {
    const random = (bytes: number): string =>
      Array.from({ length: bytes }, () => String.fromCharCode(33 + Math.floor(Math.random() * 94))).join("");
    const key = random(2_000 - 8 - 4);
    await store.put(["root"], key, { n: 1 });
    const namespace = Array.from({ length: 200 }, () => random(2));
    await store.put(namespace, "", { n: 2 });
    expect((await store.get(["root"], key))?.value).toEqual({ n: 1 });
    expect((await store.get(namespace, ""))?.value).toEqual({ n: 2 });
    await expect(store.put(["root"], `${key}x`, {})).rejects.toMatchObject({ code: "STORE_OPERATION_INVALID" });
  });

  it("lets items expire ttlMs after they were last put, and deleteExpired removes them", async () => {
    const forgetful = await place.open({ ttlMs: 1 });
    await store.put(["a"], "stays", {});
    await forgetful.put(["a"], "goes", { n: 1 });
    await vi.waitFor(async () => expect(await store.get(["a"], "goes")).toBeNull());
    expect(keysOf(await store.search(["a"]))).toEqual(["stays"]);
    await forgetful.put(["b"], "goes", {});
    await vi.waitFor(async () => expect(await store.listNamespaces()).toEqual([["a"]]));
    expect(await store.deleteExpired()).toBe(2);
    expect(await store.deleteExpired()).toBe(0);

    await forgetful.put(["a"], "goes", { n: 2 });
    await vi.waitFor(async () => expect(await store.get(["a"], "goes")).toBeNull());
    await store.put(["a"], "goes", { n: 3 }); // by a store that keeps things
    const again = (await store.get(["a"], "goes"))!;
    expect(again.value).toEqual({ n: 3 });
    expect(again.createdAt).toEqual(again.updatedAt);
    expect(await store.deleteExpired()).toBe(0);
  });

  describe("with an index", () => {
    const embeddings = new LetterEmbeddings();
    const index = { dims: LETTERS, embeddings, fields: ["text"] };

    it("ranks by meaning, below the prefix and within the filter, with scores", async () => {
      const indexed = await place.open({ index });
      await indexed.put(["ana"], "pizza", { text: "pizza", kind: "food" });
      await indexed.put(["ana"], "rain", { text: "rain", kind: "weather" });
      await indexed.put(["ana"], "jazz", { text: "jazz", kind: "music" });
      await indexed.put(["bob"], "pizza", { text: "pizza", kind: "food" });
      const found = await indexed.search(["ana"], { query: "pizzas" });
      expect(keysOf(found)).toEqual(["pizza", "jazz", "rain"]);
      expect(found[0]?.score).toBeGreaterThan(0.9);
      expect(found[0]!.score! > found[1]!.score!).toBe(true);
      expect(keysOf(await indexed.search([], { query: "pizza", filter: { kind: "food" } }))).toEqual([
        "pizza",
        "pizza",
      ]);
      expect(keysOf(await indexed.search(["ana"], { query: "pizzas", limit: 1, offset: 1 }))).toEqual(["jazz"]);
      expect(keysOf(await indexed.search(["ana"]))).toEqual(["jazz", "rain", "pizza"]);
      expect((await indexed.search(["ana"]))[0]).not.toHaveProperty("score");
    });

    it("ranks what is not indexed last, and embeds again what is put again", async () => {
      const indexed = await place.open({ index });
      await indexed.put(["a"], "hidden", { text: "pizza" }, false);
      await indexed.put(["a"], "other", { text: "zzz", title: "pizza" }, ["title"]);
      await indexed.put(["a"], "nothing", { n: 1 });
      await indexed.put(["a"], "changed", { text: "pizza" });
      await indexed.put(["a"], "changed", { text: "rain" });
      const found = await indexed.search(["a"], { query: "pizza" });
      expect(keysOf(found)).toEqual(["other", "changed", "nothing", "hidden"]);
      expect(found.map(({ score }) => score !== undefined)).toEqual([true, true, false, false]);
      await store.put(["a"], "other", { text: "by a store without an index" });
      expect(keysOf(await indexed.search(["a"], { query: "pizza" }))).toEqual([
        "changed",
        "other",
        "nothing",
        "hidden",
      ]);
    });

    it("asks the model once for a batch, and stores nothing when the model fails or its vectors do not fit", async () => {
      const indexed = await place.open({ index });
      embeddings.calls.length = 0;
      await indexed.batch(
        ["x", "y", "x"].map((text, n) => ({ namespace: ["a"], key: `${n}`, value: { text } })) as Operation[],
      );
      expect(embeddings.calls).toEqual([2]); // "x" is one text
      const misfit = await place.open({ index: { ...index, dims: 3 } });
      await expect(misfit.put(["b"], "k", { text: "x" })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
      const broken = new LetterEmbeddings();
      broken.embedDocuments = () => Promise.reject(new Error("no model today"));
      const failing = await place.open({ index: { ...index, embeddings: broken } });
      await expect(failing.put(["b"], "k", { text: "x" })).rejects.toThrow("no model today");
      expect(await store.search(["b"])).toEqual([]);
    });
  });

  it("is closed once and for all: its calls throw STORE_CLOSED, and others on the same place go on", async () => {
    const other = await place.open();
    await store.put(["a"], "k", {});
    await Promise.all([store.close(), store.close(), store.stop()]);
    for (const call of [
      () => store.get(["a"], "k"),
      () => store.put(["a"], "k", {}),
      () => store.search([]),
      () => store.deleteExpired(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "STORE_CLOSED" });
    }
    expect(keysOf(await other.search([]))).toEqual(["k"]);
    await other.close();
  });
});

/** Puts again until the clock of the database has moved on. */
async function putUntil(store: Store, fits: (item: Item) => boolean): Promise<Item> {
  for (;;) {
    await store.put(["a"], "k", { n: 2 });
    const item = (await store.get(["a"], "k"))!;
    if (fits(item)) return item;
  }
}
