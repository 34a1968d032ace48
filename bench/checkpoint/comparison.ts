import { median, ratios } from "../median.ts";
import type { OnPostgres, Rivals } from "./on-postgres.ts";

/** How many times better ours is than PostgresSaver, and in the worst and the best round. */
export interface Comparison {
  readonly ratio: number;
  readonly lowest: number;
  readonly highest: number;
}

/**
 * Compares times. Within each round where both sides have as many, so that what slowed a whole round
 * down cancels out; else the medians, with the worst and best pair.
 */
export function compare(times: Readonly<Record<Rivals, readonly number[]>>): Comparison {
  const { PostgresSaver: theirs, perdure: ours } = times;
  const inRounds = theirs.length === ours.length;
  const each = inRounds ? ratios(theirs, ours) : ours.flatMap((time) => theirs.map((rival) => rival / time));
  const ratio = inRounds ? median(each) : median(theirs) / median(ours);
  return { ratio, lowest: Math.min(...each), highest: Math.max(...each) };
}

/** What `--json` prints. */
export type Ratios = Readonly<
  Record<"stepsPerSecond50" | "stepsPerSecond1" | "bytes1600" | "history400" | "getState1600" | "resume1600", number>
>;

/** What the ratios shall be at least, and the bytes of 1,600 steps at most. */
export const BARS = {
  stepsPerSecond50: 2,
  stepsPerSecond1: 1.3,
  history400: 100,
  getState1600: 1,
  resume1600: 1,
  bytes: 10_000_000,
} as const;

/** The ratios of a measurement. */
export function ratiosOf({ many, one, long, history, built }: OnPostgres): Ratios {
  const all = {
    stepsPerSecond50: compare(many).ratio,
    stepsPerSecond1: compare(one).ratio,
    bytes1600: built.PostgresSaver.long.size.bytes / built.perdure.long.size.bytes,
    history400: compare(history).ratio,
    getState1600: compare(long.getState.cold).ratio,
    resume1600: compare(long.resume.cold).ratio,
  };
  return Object.fromEntries(Object.entries(all).map(([name, ratio]) => [name, rounded(ratio)])) as typeof all;
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
