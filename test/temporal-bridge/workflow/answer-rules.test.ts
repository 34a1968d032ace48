import { describe, expect, it } from "vitest";
import type { WireInterrupt } from "../../../src/temporal-bridge/shared/protocol.ts";
import { AnswerRules } from "../../../src/temporal-bridge/workflow/answer-rules.ts";

const question = (id: string): WireInterrupt => ({ id, kind: "input", node: "ask" });

describe("what a run knows of its answers", () => {
  const open = [question("one"), question("two")];
  function rules() {
    const made = new AnswerRules();
    made.see(open);
    return made;
  }

  it("lets answers to open questions through, by their ids", () => {
    expect(rules().check({ two: false, one: null }, open)).toEqual({ one: null, two: false });
  });

  it("gives a bare answer to the only question that is open", () => {
    const made = rules();
    made.give({ one: 1 });
    expect(made.check({ answer: 0 }, open)).toEqual({ two: 0 });
  });

  it.each([
    ["a bare one while several are open", { answer: 1 }, "INTERRUPT_AMBIGUOUS"],
    ["one to an id that never was", { three: 1 }, "INTERRUPT_NOT_OPEN"],
    ["good ones together with such a one", { one: 1, three: 1 }, "INTERRUPT_NOT_OPEN"],
    ["none at all", {}, "OPTIONS_INVALID"],
    ["what is no map", "yes", "OPTIONS_INVALID"],
  ])("refuses %s", (_what, answers, type) => {
    expect(() => rules().check(answers, open)).toThrow(expect.objectContaining({ type, nonRetryable: true }));
  });

  it("refuses another answer to what was answered, and takes the same one for done", () => {
    const made = rules();
    made.give({ one: { b: 1, a: [2] } });
    expect(made.check({ one: { a: [2], b: 1 } }, open)).toEqual({});
    expect(() => made.check({ one: { a: [2], b: 2 } }, open)).toThrow(
      expect.objectContaining({ type: "INTERRUPT_ALREADY_ANSWERED" }),
    );
    expect(made.unanswered(open)).toEqual([question("two")]);
  });

  it("lets an answer be given again that was refused by whoever stores it", () => {
    const made = rules();
    made.give({ one: "ill-typed" });
    made.take({ one: "ill-typed" });
    expect(made.check({ one: 1 }, open)).toEqual({ one: 1 });
  });

  it("leaves what it can't judge to whoever stores it: long answers, and questions of an earlier run of the chain", () => {
    const made = new AnswerRules(["past"]);
    made.see(open);
    const long = "x".repeat(2_000);
    made.give({ one: long });
    expect(made.check({ one: `${long}!`, past: 1 }, open)).toEqual({ one: `${long}!`, past: 1 });
  });

  it("remembers the newest thousand questions", () => {
    const made = new AnswerRules();
    for (let n = 0; n < 1_500; n += 1) made.see([question(`${n}`)]);
    expect(made.asked).toHaveLength(1_000);
    expect(made.asked.at(-1)).toBe("1499");
    expect(() => made.check({ 0: 1 }, open)).toThrow(expect.objectContaining({ type: "INTERRUPT_NOT_OPEN" }));
  });
});
