/**
 * The keys a person types. They are read from the first moment to the last, so that what is typed while no
 * question stands on the screen goes nowhere: an approval has to answer a question that was seen.
 */
import { emitKeypressEvents } from "node:readline";
import type { Key } from "node:readline";
import { setImmediate as nextTurn } from "node:timers/promises";

/** A key pressed so soon after a new question appeared was meant for something else. */
const QUIET_MS = 300;

/** Where keys come from: `process.stdin`, or in a test any stream. */
export type KeySource = NodeJS.ReadableStream & { setRawMode?(on: boolean): unknown };

/** What becomes of the keys. */
export interface Keyboard {
  /** Reads, and throws away, what waits to be read. To be called before a question is shown. */
  discard(): Promise<void>;
  /**
   * The line that is typed from now on. `onTyped` hears of each change of it. Throws the reason of `withdrawn` when that aborts.
   */
  readLine(options: {
    isNewQuestion: boolean;
    onTyped: (typed: string) => void;
    withdrawn?: AbortSignal;
  }): Promise<string>;
  /** Gives the terminal back. */
  close(): void;
}

/**
 * Takes the keys of `source`. Of the keys with a meaning of their own, Ctrl-C (at any time), Ctrl-D (in an
 * empty line) and the end of the input call `onStop`; the others, Ctrl-Z among them, do nothing.
 */
export function openKeyboard(source: KeySource, onStop: () => void): Keyboard {
  let reader: ((text: string, key: Key) => void) | undefined;
  const onKey = (text: string | undefined, key: Key) => {
    if (key.ctrl && key.name === "c") onStop();
    else reader?.(text ?? "", key);
  };
  emitKeypressEvents(source);
  source.setRawMode?.(true);
  source.on("keypress", onKey).on("end", onStop).resume();

  return {
    discard: async () => {
      await nextTurn(); // the rest of this turn of the event loop
      await nextTurn(); // and a whole one, in which the input was polled
    },
    readLine: async ({ isNewQuestion, onTyped, withdrawn }) => {
      withdrawn?.throwIfAborted();
      const quietUntil = isNewQuestion ? Date.now() + QUIET_MS : 0;
      let typed = "";
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const withdraw = () => {
        reader = undefined;
        reject(withdrawn?.reason as Error);
      };
      withdrawn?.addEventListener("abort", withdraw);
      reader = (text, key) => {
        if (Date.now() < quietUntil) return;
        if (key.name === "return" || key.name === "enter") {
          reader = undefined;
          return resolve(typed.trim());
        }
        if (key.ctrl && key.name === "d" && typed === "") return onStop();
        typed = typedAfter(typed, text, key);
        onTyped(typed);
      };
      return promise.finally(() => withdrawn?.removeEventListener("abort", withdraw));
    },
    close: () => {
      reader = undefined;
      source.off("keypress", onKey).off("end", onStop).pause();
      source.setRawMode?.(false);
    },
  };
}

/** The line after one more key. */
function typedAfter(typed: string, text: string, { ctrl, meta, name }: Key): string {
  if (name === "backspace") return typed.replace(/.$/u, "");
  if (ctrl && name === "u") return "";
  const isText = !ctrl && !meta && /^\P{C}+$/u.test(text);
  return isText ? typed + text : typed;
}
