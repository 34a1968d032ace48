import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openKeyboard } from "../../examples/support-desk/keyboard.ts";
import type { Keyboard } from "../../examples/support-desk/keyboard.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
const CTRL_Z = "\u001A";
const BACKSPACE = "\u007F";

let keys: PassThrough;
let keyboard: Keyboard;
const onStop = vi.fn<() => void>();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onStop.mockReset();
  keys = new PassThrough();
  keyboard = openKeyboard(keys, onStop);
});
afterEach(() => {
  keyboard.close();
  vi.useRealTimers();
});

async function type(text: string): Promise<void> {
  keys.write(text);
  await nextTurn();
}

/** Asks a new question; what it resolves with is in `answers`. */
async function ask(answers: string[], isNewQuestion = true): Promise<void> {
  await keyboard.discard();
  void keyboard.readLine({ isNewQuestion, onTyped: () => undefined }).then((answer) => answers.push(answer));
}

describe("the keyboard", () => {
  it("takes nothing that was typed before the question, read or not, as its answer", async () => {
    const answers: string[] = [];
    await type("a\r");
    keys.write("a\r"); // not read yet when the question is asked
    await ask(answers);
    vi.advanceTimersByTime(1000);
    await type("r\r");
    expect(answers).toEqual(["r"]);
  });

  it("takes no key that came at once with a new question, and does in the middle of one", async () => {
    const answers: string[] = [];
    await ask(answers);
    await type("a\r");
    expect(answers).toEqual([]);
    vi.advanceTimersByTime(1000);
    await type("e\r");
    await ask(answers, false);
    await type("12\r");
    expect(answers).toEqual(["e", "12"]);
  });

  it("answers one question with one line, and drops the next line that came along", async () => {
    const answers: string[] = [];
    await ask(answers, false);
    await type("a\ra\r");
    await ask(answers, false);
    await type("r\r");
    expect(answers).toEqual(["a", "r"]);
  });

  it("reads no more for a question that is withdrawn, and the next one begins with an empty line", async () => {
    const withdrawing = new AbortController();
    const answer = keyboard.readLine({
      isNewQuestion: false,
      onTyped: () => undefined,
      withdrawn: withdrawing.signal,
    });
    await type("ap");
    withdrawing.abort(new Error("too late"));
    await expect(answer).rejects.toThrow("too late");
    await type("prove\r");
    const answers: string[] = [];
    await ask(answers, false);
    await type("r\r");
    expect(answers).toEqual(["r"]);
  });

  it("lets the line be mended, and ignores Ctrl-Z, the arrows and Tab", async () => {
    const typed: string[] = [];
    const answer = keyboard.readLine({ isNewQuestion: false, onTyped: (text) => typed.push(text) });
    await type(`no${CTRL_U}52${BACKSPACE}0${CTRL_Z}\u001B[A\t ü\r`);
    expect(await answer).toBe("50 ü");
    expect(typed.slice(0, 3)).toEqual(["n", "no", ""]);
    expect(onStop).not.toHaveBeenCalled();
  });

  it("stops at Ctrl-C, asked or not, at Ctrl-D in an empty line only, and at the end of the input", async () => {
    await type(CTRL_C);
    expect(onStop).toHaveBeenCalledTimes(1);
    void keyboard.readLine({ isNewQuestion: false, onTyped: () => undefined });
    await type(CTRL_D);
    expect(onStop).toHaveBeenCalledTimes(2);
    await type(`a${CTRL_D}`);
    expect(onStop).toHaveBeenCalledTimes(2);
    keys.end();
    await nextTurn();
    expect(onStop).toHaveBeenCalledTimes(3);
  });
});
