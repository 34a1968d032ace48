import fc from "fast-check";
import { HumanMessage } from "@langchain/core/messages";
import { Send } from "@langchain/langgraph";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import { strictSerializer } from "../../src/checkpoint/strict-serializer.ts";

const plain = new MemorySaver().serde;
const strict = strictSerializer(plain);

const text = async (serde: Pick<SerializerProtocol, "dumpsTyped">, value: unknown): Promise<string> => {
  const [type, bytes] = await serde.dumpsTyped(value);
  return `${type} ${new TextDecoder().decode(bytes)}`;
};

describe("strictSerializer", () => {
  it("writes what LangGraph's serializer writes, of any value that it does not refuse", async () => {
    const values = fc.anything({
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    });
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        const written = await text(strict, value).catch(() => undefined);
        if (written !== undefined) expect(written).toBe(await text(plain, value));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ["a message", { messages: [new HumanMessage("hi")] }],
    ["a Send", [new Send("node", { a: 1 })]],
    ["what calls itself a Send", { lg_name: "Send", node: "n", args: [], other: 1 }],
    ["a value with a toJSON of its own", { at: { toJSON: () => "then" } }],
    ["undefined in an object and in a list", { a: undefined, b: [undefined, , 1] }], // eslint-disable-line no-sparse-arrays
    ["numbers that JSON has not", [NaN, -Infinity, -0]],
    ["half a character", "\ud800"],
    [
      "an instance of a class",
      new (class Money {
        cents = 5;
      })(),
    ],
    ["a deep tree", Array.from({ length: 200 }).reduce<unknown>((inner) => [inner], "leaf")],
    ["bytes", new Uint8Array([1, 2])],
    ["no list, though it says so", Object.assign(Object.create(Array.prototype) as object, { m: new Map([[1, 2]]) })],
    ["a list that says it is none", Object.setPrototypeOf([1, undefined, 2], null)],
    ["a list that shows nothing", Object.assign([new Map([[1, 2]])], { [Symbol.iterator]: () => [].values() })],
    ["a list that calls itself a Send", Object.assign([1], { lg_name: "Send", node: "n", args: [] })],
  ])("writes %s as LangGraph's does", async (_what, value) => {
    expect(await text(strict, value)).toBe(await text(plain, value));
  });

  it("refuses what LangGraph's stores as a placeholder", async () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    await expect(strict.dumpsTyped(circular)).rejects.toMatchObject({ code: "VALUE_UNSERIALIZABLE" });
    await expect(strict.dumpsTyped({ cents: 5n })).rejects.toMatchObject({ code: "VALUE_UNSERIALIZABLE" });
    await expect(strict.dumpsTyped(() => 1)).rejects.toMatchObject({ code: "VALUE_UNSERIALIZABLE" });
  });
});
