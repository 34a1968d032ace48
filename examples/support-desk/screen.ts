/**
 * The terminal: lines that stay, a live board below them, and questions to the person in front of it.
 * Where stdout is no terminal there is no board, no colour and no cursor: just lines on stderr.
 */
import { createInterface } from "node:readline/promises";
import { styleText } from "node:util";
import type { Board, BoardRow } from "./board.ts";

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;

/** Where the desk shows what it does. */
export interface Screen {
  /** Whether {@link Screen.line} is all there is, so that more is worth a line. */
  readonly plain: boolean;
  /** Shows a line that stays. */
  line(text: string): void;
  /** Asks the person; the board stands still until they answered. */
  ask(question: string): Promise<string>;
  close(): void;
}

/** A terminal with a live board, or plain lines. */
export function openScreen(board: Board, options: { live: boolean }): Screen {
  return options.live ? liveScreen(board) : plainScreen();
}

function plainScreen(): Screen {
  return {
    plain: true,
    line: (text) => process.stderr.write(`${text}\n`),
    ask: (question) => askOn(process.stderr, question),
    close: () => undefined,
  };
}

function liveScreen(board: Board): Screen {
  const out = process.stdout;
  let drawn = 0;
  let frame = 0;
  let asking = false;
  let kept: string[] = [];

  const erase = () => {
    if (drawn > 0) out.write(`\u001B[${drawn}A\u001B[J`);
    drawn = 0;
  };
  const draw = () => {
    if (asking) return;
    const rows = [...board.values()].map((row) => rowText(row, frame, out.columns));
    erase();
    out.write(rows.map((row) => `${row}\n`).join(""));
    drawn = rows.length;
  };
  const write = (text: string) => {
    erase();
    out.write(`${text}\n`);
    draw();
  };
  const timer = setInterval(() => {
    frame++;
    draw();
  }, FRAME_MS);

  return {
    plain: false,
    line: (text) => {
      if (asking) kept.push(text);
      else write(text);
    },
    ask: async (question) => {
      erase();
      asking = true;
      const answer = await askOn(out, question);
      asking = false;
      kept.forEach(write);
      kept = [];
      return answer;
    },
    close: () => {
      clearInterval(timer);
      asking = false;
      draw();
    },
  };
}

/** Ctrl-C or the end of the input while a question is open ends the program: nobody is there to decide. */
async function askOn(output: NodeJS.WriteStream, question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output });
  const gone = new Promise<never>((_, reject) =>
    terminal.once("close", () =>
      reject(new Error("Nobody is at the terminal to decide. With --yes, decisions.json does.")),
    ),
  );
  try {
    return (await Promise.race([terminal.question(question), gone])).trim();
  } finally {
    gone.catch(() => undefined);
    terminal.close();
  }
}

function rowText({ threadId, customer, phase, nodes, tokens }: BoardRow, frame: number, columns: number): string {
  const marks = { new: "·", running: SPINNER[frame % SPINNER.length] ?? "", waiting: "?", finished: "✓" };
  const doing = { new: "", running: nodes.join(" + ") || "…", waiting: "waits for approval", finished: "finished" }[
    phase
  ];
  const text = `${threadId}  ${customer.padEnd(16)} ${doing.padEnd(24)} ${tokens > 0 ? `${tokens} tokens` : ""}`;
  const colour = ({ new: "dim", running: "cyan", waiting: "yellow", finished: "green" } as const)[phase];
  return `  ${styleText(colour, marks[phase])} ${text.slice(0, Math.max(10, columns - 6))}`;
}
