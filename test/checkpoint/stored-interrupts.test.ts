import { describe, expect, it } from "vitest";
import { ownInterrupt, storedInterrupts } from "perdure/checkpoint";

const one = { id: "1", value: "one?" };
const two = { id: "2", value: "two?" };
const own = { answers: 1, nested: false };
const repeated = { answers: 1, nested: true };

describe("the interrupts of a write", () => {
  it.each([
    ["one by itself, as LangGraph before 1.7 stores it", one, [one]],
    ["a list, as LangGraph since 1.7 stores it", [one, two], [one, two]],
    ["an empty list", [], []],
    ["a list that was spread", { "0": one }, [one]],
    ["a spread list with its mark", { "0": one, perdure: own }, [{ ...one, perdure: own }]],
    ["nothing", null, []],
  ])("are read from %s", (_, stored, expected) => {
    expect(storedInterrupts(stored)).toEqual(expected);
  });

  it("that were spread under one mark, several of them, are a subgraph's", () => {
    expect(storedInterrupts({ "0": one, "1": two, perdure: own })).toEqual([
      { ...one, perdure: repeated },
      { ...two, perdure: repeated },
    ]);
  });
});

describe("what a task itself waits for", () => {
  it.each([
    ["the one it has", one, one],
    ["the one of a list", [one], one],
    [
      "its own question, and not what it repeats",
      [
        { ...one, perdure: own },
        { ...two, perdure: repeated },
      ],
      "one?",
    ],
    ["the last one where no mark tells them apart", [one, two], two],
    [
      "the last one where all are repeated",
      [
        { ...one, perdure: repeated },
        { ...two, perdure: repeated },
      ],
      "two?",
    ],
  ])("is %s", (_, stored, expected) => {
    const found = ownInterrupt<{ value?: string; perdure?: object }>(stored);
    expect(typeof expected === "string" ? found?.value : found).toEqual(expected);
  });

  it("is nothing in an empty list", () => {
    expect(ownInterrupt([])).toBeUndefined();
  });
});
