import type { Flavour } from "./random-value.ts";

/** The channels that hold lists as a rule, and what of. */
export const CHANNEL_FLAVOURS: Readonly<Record<string, Flavour>> = {
  messages: "messages",
  log: "strings",
  counts: "numbers",
  "items of a cart": "objects",
  смесь: "mixed",
};

/** Channels that hold lists as a rule. */
export const LIST_CHANNELS = Object.keys(CHANNEL_FLAVOURS);
/** Those of them whose items can be changed in place. */
export const OBJECT_CHANNELS: readonly string[] = ["messages", "items of a cart", "смесь"];
/** Channels that hold other values, or nothing. */
export const VALUE_CHANNELS: readonly string[] = ["value", "rare", "__start__", "branch:to:work"];
/** Its value is made of writes, and of a snapshot now and then. */
export const DELTA_CHANNEL = "delta";
/** A list that became a DeltaChannel: its value counts as a snapshot. */
export const SEED_CHANNEL = "log";
