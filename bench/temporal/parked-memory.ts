import { randomUUID } from "node:crypto";
import type { Rounds } from "../interleave.ts";
import { newCase } from "./case-file.ts";
import type { Contender } from "./contender.ts";
import type { Sizes } from "./sizes.ts";
import type { MemoryTaken } from "./worker-messages.ts";

/** What a run takes of its worker's memory while it waits for a person, in each round. */
export type ParkedMemory<Name extends string> = Readonly<Record<keyof MemoryTaken, Rounds<Name>>>;

/** So many runs are begun at the same time. */
const AT_ONCE = 20;
/** The first fills what all runs share; in the second V8 lets go of some 20 MB that starting the worker took, on both sides. */
const ROUNDS_BEFORE = 2;

/** Parks the same number of runs on each side, in each round, beside those of the rounds before. */
export async function measureParkedMemory<Name extends string>(
  contenders: readonly Contender<Name>[],
  { parked }: Sizes,
  rounds: number,
): Promise<ParkedMemory<Name>> {
  const empty = () =>
    Object.fromEntries(contenders.map(({ name }) => [name, [] as number[]])) as Record<Name, number[]>;
  const found = { heapBytes: empty(), workflowHeapBytes: empty(), residentBytes: empty() };
  for (let round = 0; round < ROUNDS_BEFORE + rounds; round += 1) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const { name, worker } = contender;
      const before = await worker.memory();
      for (let left = parked; left > 0; left -= AT_ONCE) await park(contender, Math.min(left, AT_ONCE));
      const after = await worker.memory();
      if (round < ROUNDS_BEFORE) continue;
      for (const kind of ["heapBytes", "workflowHeapBytes", "residentBytes"] as const) {
        found[kind][name].push((after[kind] - before[kind]) / parked);
      }
    }
  }
  return found;
}

async function park(contender: Contender, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, () => {
      const id = randomUUID();
      return contender.park(id, newCase(id));
    }),
  );
}
