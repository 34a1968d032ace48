import type { Load } from "./throughput.ts";

/** How much is measured. */
export interface Sizes {
  /** Whether it is the real measurement. */
  readonly full: boolean;
  /** Steps of one run. */
  readonly steps: number;
  readonly many: Load;
  readonly one: Load;
  readonly historySteps: number;
  readonly longSteps: number;
  readonly listedThreads: number;
  readonly listLimit: number;
}

/** The sizes of the real measurement at 1, and smaller ones below. */
export function sizesAt(scale: number): Sizes {
  const size = (full: number, least: number): number => Math.max(least, Math.round(full * scale));
  return {
    full: scale === 1,
    steps: 20,
    many: { atOnce: size(50, 2), inTurn: 1 },
    one: { atOnce: 1, inTurn: size(10, 1) },
    // A thread has two checkpoints before its first step has one.
    historySteps: size(400, 4) - 2,
    longSteps: size(1_600, 10),
    listedThreads: size(10_000, 20),
    listLimit: 50,
  };
}
