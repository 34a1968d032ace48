import { cpuTimeOf } from "./cpu-time.ts";

/** One of the programs that are compared. */
export interface Side<Name extends string> {
  readonly name: Name;
  /** Makes everything new that one run needs, and returns the run. */
  readonly prepare: () => Promise<() => Promise<void>>;
}

/** What was measured of each side: its CPU times in milliseconds, one for each round. */
export type Rounds<Name extends string> = Readonly<Record<Name, readonly number[]>>;

/**
 * Measures all sides in each round, one after the other and every other round in the opposite order,
 * so that a machine that slows down or a neighbour on it meets them all. A round that does not count
 * comes first: in it the code is compiled.
 */
export async function interleave<Name extends string>(
  sides: readonly Side<Name>[],
  rounds: number,
): Promise<Rounds<Name>> {
  const times = Object.fromEntries(sides.map(({ name }) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, prepare } of round % 2 === 0 ? sides : sides.toReversed()) {
      const time = await cpuTimeOf(await prepare());
      if (round > 0) times[name].push(time);
    }
  }
  return times;
}
