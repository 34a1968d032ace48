import { AIMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import type { Choices } from "./choices.ts";

/** What the items of a list are. */
export type Flavour = "messages" | "strings" | "numbers" | "objects" | "mixed";

const TEXTS = [
  "",
  "a",
  "plain words",
  "häßlich, 日本語, עברית, 👩‍👩‍👧",
  "nul \0 inside",
  "half a pair \ud800",
  "\udc00 and the other half",
  "[Circular]",
  '{"lc":2,"type":"undefined"}',
  'quote " backslash \\ newline \n',
  "null",
] as const;

/** A text: short ones with every kind of character, and longer ones. */
export function randomText(choices: Choices): string {
  if (choices.chance(15)) return "0123456789abcdef".repeat(choices.between(1, 200)) + choices.seed();
  return choices.pick(TEXTS) + (choices.chance(50) ? choices.seed().toString(36) : "");
}

/** A text of 1 MB that does not compress to nothing. */
export function hugeText(choices: Choices): string {
  let text = "";
  while (text.length < 1_000_000) text += choices.seed().toString(36) + " lorem ipsum dolor sit amet ".repeat(40);
  return text.slice(0, 1_000_000);
}

/** A value of any kind that a channel can hold. */
export function randomValue(choices: Choices, depth = 0): unknown {
  const deeper = depth < 3 ? 1 : 0;
  switch (
    choices.weighted({
      null: 2,
      undefined: 2,
      boolean: 2,
      number: 4,
      text: 6,
      date: 1,
      regexp: 1,
      bytes: 2,
      error: 1,
      message: 2,
      object: 6 * deeper,
      array: 4 * deeper,
      map: 2 * deeper,
      set: 2 * deeper,
    })
  ) {
    case "null":
      return null;
    case "undefined":
      return undefined;
    case "boolean":
      return choices.chance(50);
    case "number":
      return choices.pick([0, -0, 1, -1, 0.1, Number.MAX_SAFE_INTEGER, 1e300, Number.NaN, choices.seed()]);
    case "text":
      return randomText(choices);
    case "date":
      return new Date(choices.between(0, 2 ** 31) * 1000);
    case "regexp":
      return /a"b\/c/giu;
    case "bytes":
      return randomBytes(choices);
    case "error":
      return new Error(randomText(choices));
    case "message":
      return randomMessage(choices);
    case "object":
      return Object.fromEntries(
        items(choices, 4, () => [randomKey(choices), randomValue(choices, depth + 1)] as const),
      );
    case "array":
      return items(choices, 4, () => randomValue(choices, depth + 1));
    case "map":
      return new Map(items(choices, 3, () => [randomText(choices), randomValue(choices, depth + 1)] as const));
    case "set":
      return new Set(items(choices, 3, () => randomValue(choices, depth + 1)));
  }
}

/** An item for a list of this flavour. */
export function randomItem(choices: Choices, flavour: Flavour): unknown {
  switch (flavour) {
    case "messages":
      return randomMessage(choices);
    case "strings":
      return randomText(choices);
    case "numbers":
      return choices.between(0, 50);
    case "objects":
      return { id: choices.seed(), text: randomText(choices), tags: items(choices, 3, () => choices.between(0, 9)) };
    case "mixed":
      return choices.chance(5) ? Buffer.from(randomBytes(choices)) : randomValue(choices);
  }
}

function randomMessage(choices: Choices): BaseMessage {
  const id = choices.chance(90) ? `message-${choices.seed()}` : undefined;
  const named = id === undefined ? {} : { id };
  const content = randomText(choices);
  switch (choices.weighted({ human: 4, blocks: 1, ai: 4, calls: 2, tool: 2, system: 1, remove: 1 })) {
    case "human":
      return new HumanMessage({ ...named, content });
    case "blocks":
      return new HumanMessage({ ...named, content: [{ type: "text", text: content }] });
    case "ai":
      return new AIMessage({ ...named, content, response_metadata: { model: "m", nested: { tokens: [1, 2] } } });
    case "calls":
      return new AIMessage({
        ...named,
        content: "",
        tool_calls: [{ type: "tool_call", id: `call-${choices.seed()}`, name: "look", args: { at: content } }],
        response_metadata: { usage: { input_tokens: 1, output_tokens: 2 } },
      });
    case "tool":
      return new ToolMessage({ ...named, content, tool_call_id: `call-${choices.seed()}`, status: "success" });
    case "system":
      return new SystemMessage({ ...named, content });
    case "remove":
      return new RemoveMessage({ id: id ?? "nobody" });
  }
}

function randomBytes(choices: Choices): Uint8Array {
  const length = choices.pick([0, 1, 5, 300]);
  return Uint8Array.from({ length }, () => choices.between(0, 256));
}

function randomKey(choices: Choices): string {
  return choices.pick(["id", "a", "b", "content", "ключ", "with \0 nul", "0", "10", "lc"]);
}

function items<T>(choices: Choices, most: number, make: () => T): T[] {
  return Array.from({ length: choices.between(0, most + 1) }, make);
}
