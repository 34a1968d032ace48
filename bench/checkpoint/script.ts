import { randomBytes, randomUUID } from "node:crypto";
import { AIMessage, HumanMessage } from "@langchain/core/messages";

/** 768 random bytes are 1,024 characters of base64, which no database compresses. */
const RANDOM_BYTES = 768;

/**
 * What is said in a conversation: messages of 1 KB, by a person and a model in turn. Their texts and
 * ids are made once, before anything is measured, and are the same for all sides.
 */
export class Script {
  readonly #lines: readonly { readonly id: string; readonly content: string }[];

  /** @param turns how many messages there are to say */
  constructor(turns: number) {
    this.#lines = Array.from({ length: turns }, () => ({
      id: randomUUID(),
      content: randomBytes(RANDOM_BYTES).toString("base64"),
    }));
  }

  /** The text of a turn. */
  textOf(turn: number): string {
    return this.#lineOf(turn).content;
  }

  /** A new message for a turn, with an id, as a model sets it. */
  message(turn: number): HumanMessage | AIMessage {
    return newMessage(turn, this.#lineOf(turn));
  }

  /** A new message for a turn that leaves it to LangGraph's reducer to make up an id. */
  messageWithoutId(turn: number): HumanMessage | AIMessage {
    return newMessage(turn, { content: this.#lineOf(turn).content });
  }

  #lineOf(turn: number): { readonly id: string; readonly content: string } {
    const line = this.#lines[turn];
    if (line === undefined) throw new RangeError(`The script has ${this.#lines.length} turns, so none at ${turn}.`);
    return line;
  }
}

function newMessage(turn: number, fields: { readonly id?: string; readonly content: string }) {
  return turn % 2 === 0 ? new HumanMessage(fields) : new AIMessage(fields);
}
