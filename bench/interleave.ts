import { cpuTimeOf } from "./cpu-time.ts";

/** One of the programs that are compared. */
export interface Side<Name extends string> {
  readonly name: Name;
  /** Makes everything new that one run needs, and returns the run. */
  readonly prepare: () => Promise<Run>;
}

/** What is measured once. */
export interface Run {
  /** The part that is timed. */
  readonly run: () => Promise<void>;
  /** Frees what was prepared. */
  readonly finish?: () => Promise<void>;
}

/** How often and by which clock. */
export interface InterleaveOptions {
  /** The rounds that count. */
  readonly rounds: number;
  /**
   * Whether a round that does not count comes first: in it the code is compiled and caches are filled.
   * @default true
   */
  readonly warmUp?: boolean;
  /**
   * Runs a piece of work and returns its time in milliseconds.
   * @default cpuTimeOf
   */
  readonly timeOf?: (work: () => Promise<void>) => Promise<number>;
}

/** What was measured of each side: its times in milliseconds, one for each round. */
export type Rounds<Name extends string> = Readonly<Record<Name, readonly number[]>>;

/**
 * Measures all sides in each round, one after the other and every other round in the opposite order,
 * so that a machine that slows down or a neighbour on it meets them all.
 */
export async function interleave<Name extends string>(
  sides: readonly Side<Name>[],
  options: InterleaveOptions,
): Promise<Rounds<Name>> {
  const { rounds, warmUp = true, timeOf = cpuTimeOf } = options;
  const times = Object.fromEntries(sides.map(({ name }) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = warmUp ? 0 : 1; round <= rounds; round += 1) {
    for (const { name, prepare } of round % 2 === 0 ? sides : sides.toReversed()) {
      const { run, finish } = await prepare();
      const time = await timeOf(run);
      await finish?.();
      if (round > 0) times[name].push(time);
    }
  }
  return times;
}
