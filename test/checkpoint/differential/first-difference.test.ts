import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import { Choices } from "./choices.ts";
import { firstDifference } from "./first-difference.ts";
import { randomValue } from "./random-value.ts";

describe("firstDifference", () => {
  it.each([
    ["a missing property and an undefined one", { a: 1, b: undefined }, { a: 1 }, ".b"],
    ["a hole and an undefined item", [1, undefined], [1], "[1]"],
    ["0 and -0", [0], [-0], "[0]"],
    ["a number and its text", { a: { b: 1 } }, { a: { b: "1" } }, ".a.b"],
    ["an empty list and an empty object", [], {}, ""],
    ["the classes of messages", new HumanMessage("a"), new SystemMessage("a"), ""],
    ["bytes and a Buffer of them", new Uint8Array([1]), Buffer.from([1]), ""],
    ["bytes", [new Uint8Array([1, 2])], [new Uint8Array([1, 3])], "[0]"],
    [
      "the order of a Map",
      new Map([
        ["a", 1],
        ["b", 2],
      ]),
      new Map([
        ["b", 2],
        ["a", 1],
      ]),
      "[0][0]",
    ],
    ["the items of a Set", new Set([1]), new Set([1, 2]), "[1]"],
    ["the messages of errors", new Error("a"), new Error("b"), "[1]"],
    ["dates", new Date(1), new Date(2000), ""],
  ])("tells %s apart", (_what, ours, reference, path) => {
    expect(firstDifference(ours, reference)).toMatchObject({ path });
    expect(firstDifference(reference, ours)).toMatchObject({ path });
  });

  it("finds none between values that were made from one seed, and none once they were stored and read", async () => {
    const { serde } = new MemorySaver();
    const stored = async (value: unknown): Promise<unknown> => {
      const [type, bytes] = await serde.dumpsTyped([value]);
      return ((await serde.loadsTyped(type, bytes)) as unknown[])[0];
    };
    for (let seed = 0; seed < 300; seed += 1) {
      const value = randomValue(new Choices(seed));
      expect(firstDifference(randomValue(new Choices(seed)), value)).toBeUndefined();
      const once = await stored(value);
      expect(firstDifference(await stored(once), once)).toBeUndefined();
    }
  });
});
