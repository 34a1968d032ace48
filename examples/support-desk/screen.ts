/**
 * The terminal: lines that stay, a live board below them, and questions to the person in front of it.
 * Where stdout is no terminal there is no board, no colour and no cursor: just lines on stderr.
 */
import { createInterface } from "node:readline/promises";
import type { Interface } from "node:readline/promises";
import { styleText } from "node:util";
import type { Board, BoardRow } from "./board.ts";

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;

/** Where the desk shows what it does. */
export interface Screen {
  /** Whether lines are all there is, so that more is worth a line. */
  readonly plain: boolean;
  /** Shows a line that stays. */
  line(text: string): void;
  /** Asks the person, with `details` above the prompt. One question at a time. */
  ask(details: string, prompt: string): Promise<string>;
  close(): void;
}

/** A terminal with a live board, or plain lines. */
export function openScreen(board: Board, options: { live: boolean }): Screen {
  return options.live ? new LiveScreen(board) : plainScreen();
}

function plainScreen(): Screen {
  const line = (text: string) => void process.stderr.write(`${text}\n`);
  return {
    plain: true,
    line,
    ask: (details, prompt) => {
      line(details);
      return answerTo(prompt, createInterface({ input: process.stdin, output: process.stderr }));
    },
    close: () => undefined,
  };
}

/**
 * The board is the last thing on the screen; below it, while a question is open, stand its details and
 * the line the person types in. A line that stays is put above all that.
 */
class LiveScreen implements Screen {
  readonly plain = false;
  readonly #board: Board;
  readonly #timer = setInterval(() => this.#refresh(), FRAME_MS);
  readonly #out = process.stdout;
  #frame = 0;
  /** Lines of the board and the details that stand on the screen now. */
  #drawn = 0;
  #details: string[] = [];
  #input: Interface | undefined;
  #kept: string[] = [];

  constructor(board: Board) {
    this.#board = board;
  }

  line(text: string): void {
    this.#kept.push(text);
    if (this.#isWrapped()) return; // it is not known where the board begins; the next one takes it along
    this.#erase();
    this.#write(this.#kept.splice(0).flatMap((kept) => kept.split("\n")));
    this.#draw();
    this.#input?.prompt(true);
  }

  async ask(details: string, prompt: string): Promise<string> {
    this.#erase();
    this.#details = details.split("\n");
    this.#draw();
    this.#input = createInterface({ input: process.stdin, output: this.#out });
    try {
      return await answerTo(prompt, this.#input);
    } finally {
      this.#input = undefined;
      this.#out.write("\u001B[1A"); // up from below what was typed
      this.#erase();
      this.#details = [];
      this.#draw();
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  /** Draws the board over itself, and leaves the cursor where the person types. */
  #refresh(): void {
    this.#frame++;
    if (this.#drawn === 0 || this.#isWrapped()) return;
    this.#out.write(`\u001B7\r\u001B[${this.#drawn}A`);
    this.#write(this.#rows());
    this.#out.write("\u001B8");
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\r\u001B[${this.#drawn}A\u001B[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const lines = [...this.#rows(), ...this.#details];
    this.#write(lines);
    this.#drawn = lines.length;
  }

  #rows(): string[] {
    return [...this.#board.values()].map((row) => rowText(row, this.#frame, this.#out.columns));
  }

  #write(lines: readonly string[]): void {
    this.#out.write(lines.map((line) => `${line}\u001B[K\n`).join(""));
  }

  #isWrapped(): boolean {
    return (this.#input?.getCursorPos().rows ?? 0) > 0;
  }
}

/** Ctrl-C, or the end of the input, while a question is open. */
export class NobodyThere extends Error {}

/** @throws NobodyThere */
async function answerTo(prompt: string, terminal: Interface): Promise<string> {
  const gone = new Promise<never>((_, reject) => {
    terminal.once("close", () => reject(new NobodyThere("Stopped: nobody is at the terminal to decide.")));
  });
  try {
    return (await Promise.race([terminal.question(prompt), gone])).trim();
  } finally {
    gone.catch(() => undefined);
    terminal.close();
  }
}

function rowText({ threadId, customer, phase, nodes, tokens }: BoardRow, frame: number, columns: number): string {
  const marks = { new: "·", running: SPINNER[frame % SPINNER.length] ?? "", waiting: "?", lost: "✗", finished: "✓" };
  const doing = {
    new: "",
    running: nodes.join(" + ") || "…",
    waiting: "waits for approval",
    lost: "lost its process",
    finished: "finished",
  };
  const colours = { new: "dim", running: "cyan", waiting: "yellow", lost: "red", finished: "green" } as const;
  const used = tokens > 0 ? `${tokens} tokens` : "";
  const text = `${threadId}  ${customer.padEnd(16)} ${doing[phase].padEnd(20)} ${used}`;
  return `  ${styleText(colours[phase], marks[phase])} ${text.slice(0, Math.max(10, columns - 6))}`;
}
