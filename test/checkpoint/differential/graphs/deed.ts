import { AIMessage, RemoveMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { Overwrite, REMOVE_ALL_MESSAGES } from "@langchain/langgraph";
import { Choices } from "../choices.ts";
import { editList, randomListEdit } from "../list-edit.ts";
import { randomItem, randomText, randomValue } from "../random-value.ts";

/** What one superstep does. Its values follow from the seed. */
export interface Deed {
  readonly kind: DeedKind;
  readonly seed: number;
}

/** How often each kind is chosen. */
const DEED_WEIGHTS = {
  /** Adds messages. */
  say: 8,
  /** Removes one message, or all. */
  remove: 2,
  removeAll: 1,
  /** Returns another message with the id of one that is there. */
  replace: 2,
  /** Changes a message in place and returns it: alone, among others, or as the whole list. */
  mutate: 3,
  overwrite: 1,
  /** A list without a reducer is replaced by an edited one. */
  note: 5,
  bag: 2,
  nothing: 1,
  /** Asks a question, or two. */
  ask: 3,
  askTwice: 1,
  fail: 1,
  /** Tasks side by side. */
  send: 2,
  /** A subgraph, which may ask too. */
  below: 3,
} as const;

/** One kind of deed. */
export type DeedKind = keyof typeof DEED_WEIGHTS;

/** What deeds see and change. */
export interface Acted {
  readonly messages: BaseMessage[];
  readonly notes: unknown[];
}

/** Chooses what a run does, superstep by superstep. */
export function randomPlan(choices: Choices): Deed[] {
  return Array.from({ length: choices.between(0, 4) }, () => ({
    kind: choices.weighted(DEED_WEIGHTS),
    seed: choices.seed(),
  }));
}

/** What a node returns that does the deed. */
export function perform({ kind, seed }: Deed, state: Acted): Record<string, unknown> {
  const choices = new Choices(seed);
  const message = choices.pickAny(state.messages);
  const log = [`${kind} ${seed}`];
  switch (kind) {
    case "say":
      return { log, messages: Array.from({ length: choices.between(1, 3) }, () => said(choices)) };
    case "remove":
      return message?.id === undefined ? { log } : { log, messages: [new RemoveMessage({ id: message.id })] };
    case "removeAll":
      return { log, messages: [new RemoveMessage({ id: REMOVE_ALL_MESSAGES }), said(choices)] };
    case "replace":
      return message?.id === undefined
        ? { log }
        : { messages: [new AIMessage({ id: message.id, content: "replaced" })] };
    case "mutate": {
      if (message === undefined) return { log };
      message.content = randomText(choices);
      return { log, messages: choices.pick([message, [message], [said(choices), message]]) };
    }
    case "overwrite": {
      if (message !== undefined) message.content = randomText(choices);
      return { log, messages: new Overwrite(choices.chance(50) ? state.messages : state.messages.slice(1)) };
    }
    case "note":
      // Not in place: a sibling may fail, and then the result is not applied, and MemorySaver would store it all the same.
      return { notes: editList(state.notes, { name: randomListEdit(choices, "pure"), flavour: "mixed", seed }) };
    case "bag":
      return { bag: { [choices.pick(["a", "b", "c"])]: randomValue(choices) } };
    case "nothing":
    case "ask":
    case "askTwice":
    case "fail":
    case "send":
    case "below":
      return { log };
  }
}

function said(choices: Choices): BaseMessage {
  for (;;) {
    const message = randomItem(choices, "messages") as BaseMessage;
    // Without an id, LangGraph gives it a random one; and what is not there cannot be removed.
    if (message.id !== undefined && !RemoveMessage.isInstance(message)) return message;
  }
}
