/**
 * The terminal: lines that stay, a live board below them, and questions to the person in front of it.
 * Where stdout is no terminal there is no board, no colour and no cursor: just lines on stderr.
 */
import type { Board } from "./board.ts";
import { frameLines, rowsTaken } from "./frame.ts";
import type { Prompt } from "./frame.ts";
import type { Keyboard } from "./keyboard.ts";

const TICK_MS = 100;

/** Where the desk shows what it does. */
export interface Screen {
  /** Whether lines are all there is, so that more is worth a line. */
  readonly plain: boolean;
  /** Shows a line that stays. */
  line(text: string): void;
  /** Asks the person. One question at a time. Throws the signal's reason when it is withdrawn. */
  ask(prompt: Prompt, withdrawn?: AbortSignal): Promise<string>;
  close(): void;
}

/** What a live board is drawn on: `process.stdout`, or in a test any other terminal. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
  /** Node's own: asks how large the terminal is, which it else does only when it hears of a change. */
  _refreshSize?(): void;
}

/** A terminal with a live board, or plain lines. Without a keyboard nobody can be asked. */
export function openScreen(
  board: Board,
  options: { live: boolean; keyboard: Keyboard | undefined; terminal?: Terminal },
): Screen {
  const { live, keyboard, terminal = process.stdout as Terminal } = options;
  return live ? new LiveScreen(board, keyboard, terminal) : new PlainScreen(keyboard);
}

class PlainScreen implements Screen {
  readonly plain = true;
  readonly #keyboard: Keyboard | undefined;
  /** The line the person types in. */
  #open = "";
  #details = "";

  constructor(keyboard: Keyboard | undefined) {
    this.#keyboard = keyboard;
  }

  line(text: string): void {
    this.#write(this.#open === "" ? `${text}\n` : `\r\u001B[K${text}\n${this.#open}`);
  }

  async ask({ details, hint, text }: Prompt, withdrawn?: AbortSignal): Promise<string> {
    const keyboard = theKeyboard(this.#keyboard);
    const isNewQuestion = details !== this.#details;
    this.#details = details;
    await keyboard.discard();
    if (isNewQuestion) this.line(details);
    if (hint !== undefined) this.line(`  ${hint}`);
    const show = (typed: string) => {
      this.#open = text + typed;
      this.#write(`\r\u001B[K${this.#open}`);
    };
    show("");
    try {
      return await keyboard.readLine({ isNewQuestion, onTyped: show, ...(withdrawn && { withdrawn }) });
    } finally {
      this.#open = "";
      this.#write("\n");
    }
  }

  close(): void {
    if (this.#open !== "") this.#write("\n");
  }

  #write(text: string): void {
    process.stderr.write(text);
  }
}

/**
 * The board is the last thing on the screen; below it, while a question is open, stand its details and
 * the line the person types in. A line that stays is put above all that.
 */
class LiveScreen implements Screen {
  readonly plain = false;
  readonly #board: Board;
  readonly #keyboard: Keyboard | undefined;
  readonly #out: Terminal;
  readonly #redraw = () => this.#draw([]);
  readonly #timer = setInterval(() => {
    this.#tick++;
    this.#redraw();
  }, TICK_MS);
  #tick = 0;
  /** What stands on the screen below the lines that stay; the cursor is at its end. */
  #drawn: readonly string[] = [];
  #question: (Prompt & { typed: string }) | undefined;
  #details = "";

  constructor(board: Board, keyboard: Keyboard | undefined, out: Terminal) {
    this.#board = board;
    this.#keyboard = keyboard;
    this.#out = out;
    this.#out.on("resize", this.#redraw);
  }

  line(text: string): void {
    this.#draw(text.split("\n"));
  }

  async ask(prompt: Prompt, withdrawn?: AbortSignal): Promise<string> {
    const keyboard = theKeyboard(this.#keyboard);
    const isNewQuestion = prompt.details !== this.#details;
    this.#details = prompt.details;
    await keyboard.discard();
    const show = (typed: string) => {
      this.#question = { ...prompt, typed };
      this.#redraw();
    };
    show("");
    try {
      return await keyboard.readLine({ isNewQuestion, onTyped: show, ...(withdrawn && { withdrawn }) });
    } finally {
      this.#question = undefined;
      this.#redraw();
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#out.off("resize", this.#redraw);
    this.#out.write(`${this.#toTop()}\u001B[J`);
  }

  /** Puts `kept` where the last frame began, and a new frame below, all in one write so that nothing flickers. */
  #draw(kept: readonly string[]): void {
    const top = this.#toTop();
    const { columns, rows } = this.#out;
    this.#drawn = frameLines(this.#board, this.#question, { columns, rows, tick: this.#tick });
    const lines = [...kept, ...this.#drawn].map((line) => `${line}\u001B[K`).join("\n");
    this.#out.write(`${top}${lines}\u001B[J`);
  }

  /** Moves the cursor to the first row of what is drawn, by rows as the terminal counts them now. */
  #toTop(): string {
    // A tick may come between a change of the size and the word of it, and would then begin too far down.
    this.#out._refreshSize?.();
    const above = rowsTaken(this.#drawn, this.#out.columns) - 1;
    return above > 0 ? `\r\u001B[${above}A` : "\r";
  }
}

function theKeyboard(keyboard: Keyboard | undefined): Keyboard {
  if (keyboard === undefined) throw new Error("There is no keyboard to answer with.");
  return keyboard;
}
