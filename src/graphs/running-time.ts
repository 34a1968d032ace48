import { TurnChannel } from "./turn-channel.ts";

/** The channel in which a graph keeps how long its turn has run, in milliseconds. */
export const RUNNING_MS = "turn.runningMs";

/** A channel that adds up how long supersteps ran: nodes that run side by side count once, waiting not at all. */
export function runningTimeChannel(): TurnChannel<number> {
  return new TurnChannel({ initial: 0, reduce: (sum, spent) => sum + Math.max(...spent) });
}
