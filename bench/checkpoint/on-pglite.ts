import { PGlite } from "@electric-sql/pglite";
import type { Rounds } from "../interleave.ts";
import { perdureOnPglite } from "./contender.ts";
import { buildThread, measureHistory, measureLongThread } from "./long-thread.ts";
import type { BuiltThread, LongThreadTimes } from "./long-thread.ts";
import type { MeasureOptions } from "./on-postgres.ts";
import { measureThroughput } from "./throughput.ts";
import { count, talk } from "./workload.ts";

/** What was measured of ours alone: PostgresSaver can't run on PGlite. */
export interface OnPglite {
  readonly many: Rounds<"pglite">;
  readonly one: Rounds<"pglite">;
  readonly counter: Rounds<"pglite">;
  /** Undefined what took longer than {@link BUILD_LIMIT_MS} to set up. */
  readonly history: Rounds<"pglite"> | undefined;
  readonly long: LongThreadTimes<"pglite"> | undefined;
  readonly built: Readonly<Record<"long" | "withIds" | "withoutIds", BuiltThread | undefined>>;
}

/** After how long the building of a thread is given up. */
export const BUILD_LIMIT_MS = 60_000;

/** Measures ours on PGlite. */
export async function measureOnPglite(
  directory: string,
  { script, sizes, rounds, progress }: MeasureOptions,
): Promise<OnPglite> {
  progress("PGlite");
  const database = await PGlite.create(directory);
  try {
    const contender = perdureOnPglite(database);
    const { steps, historySteps, longSteps } = sizes;
    const messages = talk(script, { steps });
    const build = async (schema: string, options: Parameters<typeof talk>[1]) => {
      progress(`a thread of ${options.steps} steps on PGlite`);
      return buildThread(contender, talk(script, options), { schema, timeoutMs: BUILD_LIMIT_MS });
    };

    const many = await measureThroughput([contender], messages, { ...sizes.many, rounds });
    const one = await measureThroughput([contender], messages, { ...sizes.one, rounds });
    const counter = await measureThroughput([contender], count(steps), { ...sizes.many, rounds });
    const built = {
      withIds: await build("with_ids", { steps: historySteps }),
      withoutIds: await build("without_ids", { steps: historySteps, withIds: false }),
      long: await build("long", { steps: longSteps }),
    };
    progress("reads and turns on PGlite");
    const history =
      built.withIds &&
      (await measureHistory([contender], { script, steps: historySteps, schema: "with_ids", rounds: 1, warmUp: true }));
    const long =
      built.long && (await measureLongThread([contender], { script, steps: longSteps, schema: "long", rounds }));
    return { many, one, counter, history, long, built };
  } finally {
    await database.close();
  }
}
