import { randomUUID } from "node:crypto";
import { elapsedTimeOf } from "../elapsed-time.ts";
import { interleave } from "../interleave.ts";
import type { Rounds, Side } from "../interleave.ts";
import { assertWorkedOn, newCase } from "./case-file.ts";
import type { Contender } from "./contender.ts";
import type { Sizes } from "./sizes.ts";

/** What many runs at once took, in each round. */
export interface Throughput<Name extends string> {
  /** On the clock. */
  readonly elapsedMs: Rounds<Name>;
  /** Of the worker's process. */
  readonly cpuMs: Rounds<Name>;
}

/** Has each side do the same runs at once, in each round. */
export async function measureThroughput<Name extends string>(
  contenders: readonly Contender<Name>[],
  { atOnce, warmUps }: Sizes,
  rounds: number,
): Promise<Throughput<Name>> {
  const cpuMs = Object.fromEntries(contenders.map(({ name }) => [name, [] as number[]])) as Record<Name, number[]>;
  const sides = contenders.map((contender): Side<Name> => {
    const { name, worker } = contender;
    return {
      name,
      prepare: async () => {
        await worker.collectGarbage();
        const before = await worker.cpuMs();
        return {
          run: () => handleCases(contender, atOnce),
          finish: async () => void cpuMs[name].push((await worker.cpuMs()) - before),
        };
      },
    };
  });
  await interleave(sides, { rounds: warmUps, warmUp: false, timeOf: elapsedTimeOf });
  for (const { name } of contenders) cpuMs[name] = [];
  const elapsedMs = await interleave(sides, { rounds, warmUp: false, timeOf: elapsedTimeOf });
  return { elapsedMs, cpuMs };
}

async function handleCases(contender: Contender, atOnce: number): Promise<void> {
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      const id = randomUUID();
      assertWorkedOn(await contender.handleCase(id, newCase(id)), id);
    }),
  );
}
