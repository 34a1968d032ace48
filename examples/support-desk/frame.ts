/** What stands on a live terminal at one moment, in lines that fit: the board, and below it the open question. */
import { stripVTControlCharacters, styleText } from "node:util";
import type { Board, BoardRow } from "./board.ts";

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** A question to the person. */
export interface Prompt {
  /** What it is about; the same for all that is asked about one refund. */
  readonly details: string;
  /** What was wrong with the answer before. */
  readonly hint?: string;
  /** Stands before what is typed. */
  readonly text: string;
}

/** The size of a terminal, in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/**
 * The lines to show, none of them wider or all of them higher than the terminal; the cursor belongs at the end of
 * the last one. Where the height is short, it is the board that gives way.
 */
export function frameLines(
  board: Board,
  question: (Prompt & { readonly typed: string }) | undefined,
  { columns, rows, tick }: TerminalSize & { readonly tick: number },
): string[] {
  const width = Math.max(1, columns - 1); // a full last column would move the cursor on
  const below = question === undefined ? [""] : questionLines(question, width);
  const all = [...board.values()].map((row) => rowText(row, tick, width));
  const room = Math.max(0, rows - 1 - below.length);
  const hidden = all.length - room;
  const shown =
    hidden <= 0 ? all : [...all.slice(0, Math.max(0, room - 1)), `  … and ${hidden + 1} more`.slice(0, width)];
  return [...(room === 0 ? [] : shown), ...below];
}

/** How many rows of a terminal `lines` take up once it is `columns` wide: it wraps what was written for a wider one. */
export function rowsTaken(lines: readonly string[], columns: number): number {
  return lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns)), 0);
}

/** Breaks lines at spaces; what goes on in a next line is put under the words of the first. */
export function wrapText(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => {
    const indent = " ".repeat(Math.min(line.search(/[^ ]|$/), Math.floor(width / 2)));
    const lines: string[] = [];
    let rest = line;
    while (rest.length > width) {
      const space = rest.lastIndexOf(" ", width);
      const end = space > indent.length ? space : width;
      lines.push(rest.slice(0, end).trimEnd());
      rest = indent + rest.slice(end).trimStart();
    }
    return [...lines, rest];
  });
}

function questionLines({ details, hint, text, typed }: Prompt & { typed: string }, width: number): string[] {
  const hints = hint === undefined ? [] : wrapText(`  ${hint}`, width).map((line) => styleText("yellow", line));
  const line = text + typed;
  const pieces = Array.from({ length: Math.max(1, Math.ceil(line.length / width)) }, (_, index) =>
    line.slice(index * width, (index + 1) * width),
  );
  return [...wrapText(details, width), ...hints, ...pieces];
}

function rowText({ threadId, customer, phase, nodes, tokens }: BoardRow, tick: number, width: number): string {
  const marks = { new: "·", running: SPINNER[tick % SPINNER.length] ?? "", waiting: "?", lost: "✗", finished: "✓" };
  const doing = {
    new: "",
    running: nodes.join(" + ") || "…",
    waiting: "waits for approval",
    lost: "lost its process",
    finished: "finished",
  };
  const colours = { new: "dim", running: "cyan", waiting: "yellow", lost: "red", finished: "green" } as const;
  const used = tokens > 0 ? `${tokens} tokens` : "";
  const text = `${threadId}  ${customer.padEnd(16)} ${doing[phase].padEnd(20)} ${used}`.trimEnd();
  return `  ${styleText(colours[phase], marks[phase])} ${text.slice(0, Math.max(0, width - 4))}`;
}
