import type { Rounds } from "../interleave.ts";
import type { BenchPostgres } from "./bench-postgres.ts";
import { inMemory, perdure, postgresSaver } from "./contender.ts";
import { buildThread, measureHistory, measureLongThread } from "./long-thread.ts";
import type { BuiltThread, LongThreadTimes } from "./long-thread.ts";
import { countPerStep } from "./per-step.ts";
import type { PerStep } from "./per-step.ts";
import type { Script } from "./script.ts";
import type { Sizes } from "./sizes.ts";
import { measureThroughput } from "./throughput.ts";
import { count, talk } from "./workload.ts";

/** The two that are compared. */
export type Rivals = "PostgresSaver" | "perdure";

/** What was measured of both on one server. */
export interface OnPostgres {
  readonly many: Rounds<Rivals | "memory">;
  readonly one: Rounds<Rivals | "memory">;
  /** As `many`, with a state of one number. */
  readonly counter: Rounds<Rivals | "memory">;
  /** Not as often as the rest, and ours more often. */
  readonly history: Rounds<Rivals>;
  readonly long: LongThreadTimes<Rivals>;
  readonly built: Readonly<Record<Rivals, Readonly<Record<"long" | "withIds" | "withoutIds", BuiltThread>>>>;
  readonly perStep: Readonly<Record<Rivals, Readonly<Record<"many" | "one", PerStep>>>>;
}

/** How often PostgresSaver reads the history: it takes some 20 s. */
const HISTORY_ROUNDS = 2;

/** What a measurement needs. */
export interface MeasureOptions {
  readonly script: Script;
  readonly sizes: Sizes;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/** Measures PostgresSaver and ours side by side: each has a database on one server. */
export async function measureOnPostgres(
  postgres: BenchPostgres,
  { script, sizes, rounds, progress }: MeasureOptions,
): Promise<OnPostgres> {
  const theirs = postgresSaver(await postgres.createDatabase("bench_langgraph"));
  const ours = perdure(await postgres.createDatabase("bench_perdure"));
  const both = [theirs, ours];
  const all = [...both, inMemory];
  const { steps, historySteps, longSteps } = sizes;
  const messages = talk(script, { steps });

  progress(`steps/s of ${sizes.many.atOnce} threads at once`);
  const many = await measureThroughput(all, messages, { ...sizes.many, rounds });
  progress("steps/s of one thread");
  const one = await measureThroughput(all, messages, { ...sizes.one, rounds });
  progress("steps/s of a counter");
  const counter = await measureThroughput(all, count(steps), { ...sizes.many, rounds });

  const counts = async (contend: typeof postgresSaver | typeof perdure, name: string) => ({
    many: await countPerStep(postgres, contend, messages, { ...sizes.many, database: `counts_many_${name}` }),
    one: await countPerStep(postgres, contend, messages, { ...sizes.one, database: `counts_one_${name}` }),
  });
  progress("statements and transactions per step");
  await postgres.setAutovacuum(false);
  const perStep = {
    PostgresSaver: await counts(postgresSaver, "langgraph"),
    perdure: await counts(perdure, "perdure"),
  };
  await postgres.setAutovacuum(true);

  const build = async (contender: typeof theirs | typeof ours) => {
    const built = async (schema: string, options: Parameters<typeof talk>[1]) => {
      progress(`a thread of ${options.steps} steps with ${contender.name}`);
      return certain(await buildThread(contender, talk(script, options), { schema }));
    };
    return {
      withIds: await built("with_ids", { steps: historySteps }),
      withoutIds: await built("without_ids", { steps: historySteps, withIds: false }),
      long: await built("long", { steps: longSteps }),
    };
  };
  const built = { perdure: await build(ours), PostgresSaver: await build(theirs) };

  const history = { PostgresSaver: [] as number[], perdure: [] as number[] };
  const read = { script, steps: historySteps, schema: "with_ids" };
  for (let round = 1; round <= HISTORY_ROUNDS; round += 1) {
    progress(`history of ${historySteps + 2} checkpoints, ${round} of ${HISTORY_ROUNDS}`);
    history.perdure.push(...(await measureHistory([ours], { ...read, rounds: 2, warmUp: true })).perdure);
    history.PostgresSaver.push(
      ...(await measureHistory([theirs], { ...read, rounds: 1, warmUp: false })).PostgresSaver,
    );
  }

  progress(`reads and turns after ${longSteps} steps`);
  const long = await measureLongThread<Rivals>(both, { script, steps: longSteps, schema: "long", rounds });
  return { many, one, counter, history, long, built, perStep };
}

/** Without a limit of time nothing is given up. */
function certain<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("A thread was given up without a limit of time.");
  return value;
}
