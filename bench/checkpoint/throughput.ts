import { randomUUID } from "node:crypto";
import type { Rounds } from "../interleave.ts";
import type { Contender } from "./contender.ts";
import { warmRounds } from "./rounds-over-savers.ts";
import type { Work } from "./rounds-over-savers.ts";
import type { Walk, Workload } from "./workload.ts";

/** How many threads run at once, and how many each round runs one after another. */
export interface Load {
  readonly atOnce: number;
  readonly inTurn: number;
}

/** The steps of a workload under a load. */
export function stepsOf({ steps }: Pick<Workload, "steps">, { atOnce, inTurn }: Load): number {
  return steps * atOnce * inTurn;
}

/** Times of running a workload under a load, on new threads each time. */
export function measureThroughput<Name extends string>(
  contenders: readonly Contender<Name>[],
  workload: Workload,
  options: Load & { readonly rounds: number },
): Promise<Rounds<Name>> {
  const work: Work<Name> = (saver) => {
    const walk = workload.over(saver);
    return { run: () => underLoad(walk, options) };
  };
  return warmRounds(contenders, work, { schema: "throughput", rounds: options.rounds });
}

/** Runs it on new threads. */
export async function underLoad(walk: Walk, { atOnce, inTurn }: Load): Promise<void> {
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let run = 0; run < inTurn; run += 1) await walk(randomUUID());
    }),
  );
}
