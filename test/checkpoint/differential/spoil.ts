import { BaseMessage } from "@langchain/core/messages";

/** Changes everything in a value that can be changed, as careless code that was given it would. */
export function spoil(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (value instanceof Uint8Array) value.fill(0);
  else if (BaseMessage.isInstance(value)) value.content = "spoiled";
  else if (value instanceof Map || value instanceof Set) {
    for (const item of [...value]) spoil(item);
    value.clear();
  } else if (Array.isArray(value)) {
    for (const item of value) spoil(item);
    value.push("spoiled");
  } else if (!Object.isFrozen(value)) {
    for (const item of Object.values(value)) spoil(item);
    (value as Record<string, unknown>)["spoiled"] = true;
  }
}
