import { CHANNEL_FLAVOURS, DELTA_CHANNEL, LIST_CHANNELS, SEED_CHANNEL, VALUE_CHANNELS } from "./channels.ts";
import { randomListEdit } from "./list-edit.ts";
import type { Moment } from "./moment.ts";
import type { ChannelChange } from "./step.ts";

/** What is to change. */
export interface ChangesWanted {
  readonly versions: Readonly<Record<string, number>>;
  readonly count: number;
  /** Whether lists of 1 MB of text are among them. */
  readonly huge: boolean;
  /** Only changes that leave alone what others hold. */
  readonly pure?: boolean;
}

/** Changes of some channels, with the next versions. */
export function randomChanges(moment: Moment, wanted: ChangesWanted): ChannelChange[] {
  const { choices, nextVersion } = moment;
  const channels = new Set<string>();
  while (channels.size < wanted.count) {
    const kind = choices.weighted({ list: 12, value: 3, delta: 2 });
    if (kind === "list") channels.add(choices.pick(LIST_CHANNELS));
    else if (kind === "value") channels.add(choices.pick(VALUE_CHANNELS));
    else channels.add(DELTA_CHANNEL);
  }
  return [...channels].map((channel) => ({
    channel,
    version: nextVersion(wanted.versions[channel]),
    how: howToChange(moment, channel, wanted),
    flavour: CHANNEL_FLAVOURS[channel] ?? "mixed",
    seed: choices.seed(),
  }));
}

function howToChange(
  { choices }: Moment,
  channel: string,
  { huge, pure = false }: ChangesWanted,
): ChannelChange["how"] {
  if (channel === DELTA_CHANNEL) return choices.chance(80) ? "absent" : "snapshot";
  if (VALUE_CHANNELS.includes(channel)) return choices.weighted({ value: 8, absent: 2, append: 1, otherChannel: 1 });
  if (huge && choices.chance(20)) return "huge";
  // Histories are asked of this one, and MemorySaver passes over an undefined value.
  const value = channel === SEED_CHANNEL ? 0 : 2;
  const how = choices.weighted({ edit: 80, absent: 2, value, otherChannel: 3, pool: pure ? 0 : 3 });
  return how === "edit" ? randomListEdit(choices, pure ? "pure" : "any") : how;
}
