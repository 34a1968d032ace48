import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { elapsedTimeOf } from "../elapsed-time.ts";
import { interleave } from "../interleave.ts";
import type { Rounds, Run } from "../interleave.ts";
import type { Contender } from "./contender.ts";

/** What is measured over a saver. Its `finish` sees that it was done right, in nobody's time. */
export type Work<Name extends string> = (saver: BaseCheckpointSaver, name: Name) => Run;

/** Where and how often. */
export interface RoundsOptions {
  readonly schema: string;
  readonly rounds: number;
  /** @default true */
  readonly warmUp?: boolean;
}

/** Each round over an instance of its own, so that no saver has cached anything. The database has. */
export function coldRounds<Name extends string>(
  contenders: readonly Contender<Name>[],
  work: Work<Name>,
  { schema, ...options }: RoundsOptions,
): Promise<Rounds<Name>> {
  const sides = contenders.map(({ name, open }) => ({
    name,
    prepare: async () => {
      const { saver, close } = await open(schema);
      const { run, finish } = work(saver, name);
      const finishAndClose = async () => {
        await finish?.();
        await close();
      };
      return { run, finish: finishAndClose };
    },
  }));
  return interleave(sides, { ...options, timeOf: elapsedTimeOf });
}

/** All rounds over one instance. */
export async function warmRounds<Name extends string>(
  contenders: readonly Contender<Name>[],
  work: Work<Name>,
  { schema, ...options }: RoundsOptions,
): Promise<Rounds<Name>> {
  const opened = await Promise.all(contenders.map(async ({ name, open }) => ({ name, ...(await open(schema)) })));
  try {
    const sides = opened.map(({ name, saver }) => ({ name, prepare: async () => work(saver, name) }));
    return await interleave(sides, { ...options, timeOf: elapsedTimeOf });
  } finally {
    for (const { close } of opened) await close();
  }
}
