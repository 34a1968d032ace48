import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { createBoard } from "../../examples/support-desk/board.ts";
import { frameLines, rowsTaken, wrapText } from "../../examples/support-desk/frame.ts";

const BOARD = createBoard(
  Array.from({ length: 10 }, (_, index) => ({ threadId: `case-${index}`, customer: "Maja Lindqvist", text: "Hello." })),
);
const QUESTION = {
  details:
    "? case-101  refund_order: €64.90 to Maja Lindqvist\n  for Kettle Otto (order A-1001, €64.90)\n  policy: at most €64.90. Delivered 14 days ago and damaged: up to 100 % of the price.",
  hint: "Type a to approve it.",
  text: "  approve, edit or reject? [a/e/r] ",
  typed: "xyz",
};

describe("frameLines", () => {
  it.each([80, 70, 60, 45, 20])(
    "shows every word of the question at %i columns, and no line is too wide",
    (columns) => {
      const lines = frameLines(BOARD, QUESTION, { columns, rows: 40, tick: 0 }).map(stripVTControlCharacters);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(columns);
      const { details, hint, text, typed } = QUESTION;
      const shown = lines.join("").replaceAll(" ", "");
      expect(shown).toContain([details, hint, text, typed].join("").replaceAll(/\s/g, ""));
    },
  );

  it.each([24, 20, 14, 8])("is never higher than %i rows: the board gives way, the question stays", (rows) => {
    const lines = frameLines(BOARD, QUESTION, { columns: 80, rows, tick: 0 }).map(stripVTControlCharacters);
    expect(lines.length).toBeLessThan(rows);
    expect(lines).toContain("? case-101  refund_order: €64.90 to Maja Lindqvist");
    expect(lines.at(-1)).toBe("  approve, edit or reject? [a/e/r] xyz");
  });

  it("leaves the cursor in a line of its own while nothing is asked", () => {
    const lines = frameLines(BOARD, undefined, { columns: 80, rows: 24, tick: 0 });
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toBe("");
  });
});

describe("rowsTaken", () => {
  it("counts the rows of a terminal that became narrower, without the colours", () => {
    expect(rowsTaken(["", "\u001B[33m1234567890\u001B[39m"], 10)).toBe(2);
    expect(rowsTaken(["", "1234567890"], 4)).toBe(4);
  });
});

describe("wrapText", () => {
  it("breaks at spaces, under the indent of the line, and in a word only where it must", () => {
    expect(wrapText("  one two three", 10)).toEqual(["  one two", "  three"]);
    expect(wrapText("abcdefghij\n\nk", 4)).toEqual(["abcd", "efgh", "ij", "", "k"]);
  });
});
