import { HumanMessage } from "@langchain/core/messages";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { expect, it } from "vitest";
import { growingLists } from "../../../src/checkpoint/import/growing-lists.ts";

const item = fc.oneof(
  fc.nat(),
  fc.constantFrom("", "]", ",", '"', "[", "x".repeat(100)),
  fc.string(),
  fc.record({ text: fc.string(), nested: fc.array(fc.nat()) }),
  fc.constant(null),
  fc.string().map((content) => new HumanMessage({ id: content, content })),
);
/** A list that grows, is cut, or is another one. */
const lists = fc
  .array(fc.record({ keep: fc.nat({ max: 12 }), add: fc.array(item, { maxLength: 6 }) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((changes) => {
    const all: unknown[][] = [];
    for (const { keep, add } of changes) all.push([...(all.at(-1) ?? []).slice(0, keep), ...add]);
    return all;
  });

it("reads every list as LangGraph's serializer does, whatever was read before", async () => {
  const plain = new MemorySaver().serde;
  await fc.assert(
    fc.asyncProperty(lists, async (all) => {
      const growing = growingLists(plain);
      for (const list of all) {
        const [type, bytes] = await plain.dumpsTyped(list);
        expect(await growing.loadsTyped(type, bytes)).toEqual(await plain.loadsTyped(type, bytes));
      }
    }),
    { numRuns: 300 },
  );
});

it("gives the items that a list begins with as the very same objects, in a list of its own", async () => {
  const growing = growingLists(new MemorySaver().serde);
  const messages = Array.from({ length: 4 }, (_, n) => new HumanMessage({ id: `${n}`, content: "x".repeat(100) }));
  const read = async (list: unknown): Promise<unknown[]> => {
    const [type, bytes] = await growing.dumpsTyped(list);
    return (await growing.loadsTyped(type, bytes)) as unknown[];
  };
  const first = await read(messages.slice(0, 3));
  first.push("a change of the caller's");
  const second = await read(messages);
  expect(second).toHaveLength(4);
  for (const index of [0, 1, 2]) expect(second[index]).toBe(first[index]);
  expect(second).toEqual(messages);
});
