import { Annotation, END, Overwrite, START, StateGraph } from "@langchain/langgraph";
import { describe, expect, it } from "vitest";
import { KnownItems } from "../../../src/checkpoint/postgres/known-items.ts";
import { pgliteCheckpointer } from "../../support/pglite-checkpointer.ts";
import { newThread } from "../conformance/store.ts";

interface Item {
  readonly id: number;
  text: string;
}

describe("what was stored is known again", () => {
  it("by its identity, in several lists at once and twice in one list", () => {
    const items = new KnownItems();
    const [a, b] = [{}, {}];
    const first = items.taken([a, b, a, "x"]);
    const second = items.taken([b, a]);
    expect(items.common(first, [a, b, a, "x", b])).toBe(4);
    expect(items.common(second, [b, a, {}])).toBe(2);
    expect(items.common(first, [a, b, {}, "x"])).toBe(2);
    expect(items.common(first, [a, b, a, "y"])).toBe(3);
  });

  it("until a node returned it, alone, in a list or in an object around it", () => {
    for (const wrapped of [(x: object) => x, (x: object) => [x], (x: object) => ({ op: "set", items: [x] })]) {
      const items = new KnownItems();
      const [a, b] = [{}, {}];
      const marks = items.taken([a, b]);
      items.returned(wrapped(b));
      expect(items.common(marks, [a, b])).toBe(1);
      expect(items.common(items.taken([a, b]), [a, b])).toBe(2);
    }
  });

  it("not where it was returned after it was serialized for one list and stored again for another one", () => {
    const items = new KnownItems();
    const a = {};
    const here = items.taken([a]);
    items.returned([a]);
    items.taken([a]);
    expect(items.common(here, [a])).toBe(0);
  });

  it("also holes and undefined, which are stored alike", () => {
    const items = new KnownItems();
    // oxlint-disable-next-line no-sparse-arrays -- the hole is the point
    const marks = items.taken([1, , undefined, NaN]);
    expect(items.common(marks, [1, undefined, undefined, NaN])).toBe(4);
    expect(items.common(marks, [1, {}])).toBe(1);
  });
});

describe("an item that a node changes in place and returns", () => {
  const pglite = pgliteCheckpointer();

  const on = (threadId: string) => ({ configurable: { thread_id: threadId }, durability: "sync" as const });

  it("in an Overwrite is stored as it was returned", async () => {
    const State = Annotation.Root({
      items: Annotation<Item[], Item[] | Overwrite<Item[]>>({
        reducer: (a, b) => a.concat(b as Item[]),
        default: () => [],
      }),
    });
    const graph = new StateGraph(State)
      .addNode("first", () => ({ items: [{ id: 1, text: "old" }] }))
      .addNode("second", ({ items }) => {
        items[0]!.text = "new";
        return { items: new Overwrite(items) };
      })
      .addEdge(START, "first")
      .addEdge("first", "second")
      .addEdge("second", END)
      .compile({ checkpointer: pglite.checkpointer });
    const config = on(newThread());
    await graph.invoke({ items: [] }, config);
    expect((await graph.getState(config)).values).toEqual({ items: [{ id: 1, text: "new" }] });
  });

  it("in an update that its reducer unpacks is stored as it was returned", async () => {
    const State = Annotation.Root({
      items: Annotation<Item[], { set: Item }>({
        reducer: (all, { set }) => [...all.filter(({ id }) => id !== set.id), set],
        default: () => [],
      }),
    });
    const graph = new StateGraph(State)
      .addNode("first", () => ({ items: { set: { id: 1, text: "old" } } }))
      .addNode("second", ({ items: [item] }) => {
        item!.text = "new";
        return { items: { set: item! } };
      })
      .addEdge(START, "first")
      .addEdge("first", "second")
      .addEdge("second", END)
      .compile({ checkpointer: pglite.checkpointer });
    const config = on(newThread());
    await graph.invoke({ items: { set: { id: 0, text: "input" } } }, config);
    expect((await graph.getState(config)).values.items).toEqual([
      { id: 1, text: "old" },
      { id: 0, text: "new" },
    ]);
  });

  it("and that many threads share is stored once in each", async () => {
    const shared = { id: 0, text: "x".repeat(300) };
    const State = Annotation.Root({
      items: Annotation<Item[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
    });
    const graph = new StateGraph(State)
      .addNode("add", ({ items }) => ({ items: [{ id: items.length, text: "y".repeat(300) }] }))
      .addEdge(START, "add")
      .addConditionalEdges("add", ({ items }) => (items.length < 12 ? "add" : END))
      .compile({ checkpointer: pglite.checkpointer });
    const threads = [newThread(), newThread(), newThread()];
    await Promise.all(threads.map((thread) => graph.invoke({ items: [shared] }, on(thread))));
    const { rows } = await pglite.database.query(
      `SELECT count(*)::int AS times FROM perdure_blobs b JOIN perdure_threads t USING (thread)
        WHERE t.thread_id = ANY ($1::text[]) AND b.lineage IN (SELECT unnest(c.lineages) FROM perdure_checkpoints c
          WHERE c.thread = t.thread AND c.id = t.head) AND b.text LIKE '%xxx%'`,
      [threads],
    );
    expect(rows).toEqual([{ times: 3 }]);
    const all = await pglite.database.query(
      `SELECT count(*)::int AS times FROM perdure_blobs b JOIN perdure_threads t USING (thread)
        WHERE t.thread_id = ANY ($1::text[]) AND b.text LIKE '%xxx%'`,
      [threads],
    );
    // Once as the input, once as the list's first item.
    expect(all.rows).toEqual([{ times: 6 }]);
  });
});
