import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createBoard } from "../../examples/support-desk/board.ts";
import { openScreen } from "../../examples/support-desk/screen.ts";
import type { Screen, Terminal } from "../../examples/support-desk/screen.ts";

const BOARD = createBoard(
  Array.from({ length: 3 }, (_, index) => ({ threadId: `case-${index}`, customer: "Maja Lindqvist", text: "Hello." })),
);

/** A terminal that wraps what no longer fits, and says so a moment later, as `process.stdout` does. */
class NarrowingTerminal extends EventEmitter implements Terminal {
  columns = 80;
  rows = 24;
  #width = 80;
  #above: string[] = [];
  #last = "";

  /** The rows with something in them, at the width it has. */
  get shown(): string[] {
    return [...this.#above, this.#last].flatMap((line) => this.#wrapped(line)).filter((row) => row !== "");
  }

  narrow(columns: number): void {
    this.#width = columns;
  }

  _refreshSize(): void {
    if (this.columns === this.#width) return;
    this.columns = this.#width;
    this.emit("resize");
  }

  write(text: string): void {
    // oxlint-disable-next-line no-control-regex -- what a terminal is told
    const [, up = "0", lines = ""] = /^\r(?:\u001B\[(\d+)A)?([^]*)\u001B\[J$/.exec(text) ?? [];
    const rows = [...this.#above, this.#last].flatMap((line) => this.#wrapped(line));
    const kept = rows.slice(0, Math.max(0, rows.length - 1 - Number(up)));
    // oxlint-disable-next-line no-control-regex
    const drawn = lines.replaceAll(/\u001B\[[\dm;]*[mK]/g, "").split("\n");
    this.#above = [...kept, ...drawn.slice(0, -1)];
    this.#last = drawn.at(-1) ?? "";
  }

  #wrapped(line: string): string[] {
    return line.match(new RegExp(`.{1,${this.#width}}`, "gu")) ?? [""];
  }
}

describe("the live screen", () => {
  let terminal: NarrowingTerminal;
  let screen: Screen;
  beforeEach(() => {
    vi.useFakeTimers();
    terminal = new NarrowingTerminal();
    screen = openScreen(BOARD, { live: true, keyboard: undefined, terminal });
  });
  afterEach(() => {
    screen.close();
    vi.useRealTimers();
  });

  it("has each row of the board once, and below the lines that stay", () => {
    screen.line("Process 1 begins.");
    vi.advanceTimersByTime(1_000);
    expect(terminal.shown.map((row) => row.slice(0, 10))).toEqual([
      "Process 1 ",
      "  · case-0",
      "  · case-1",
      "  · case-2",
    ]);
  });

  it.each([20, 12, 9])("leaves no row of the board behind when the terminal narrows to %i columns", (columns) => {
    screen.line("begun");
    vi.advanceTimersByTime(1_000);
    terminal.narrow(columns); // nobody has told the process yet when the next tick comes
    vi.advanceTimersByTime(1_000);
    expect(terminal.shown.map((row) => row.trimEnd())).toEqual([
      "begun",
      ...[0, 1, 2].map((index) => `  · case-${index}  Maja Lindqvist`.slice(0, columns - 1).trimEnd()),
    ]);
  });

  it("leaves nothing of the board when it is closed", () => {
    screen.line("Process 1 begins.");
    vi.advanceTimersByTime(100);
    terminal.narrow(25);
    screen.close();
    expect(terminal.shown).toEqual(["Process 1 begins."]);
  });
});
