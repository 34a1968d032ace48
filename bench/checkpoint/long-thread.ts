import type { StateSnapshot } from "@langchain/langgraph";
import { collect } from "../../test/support/collect.ts";
import type { Rounds } from "../interleave.ts";
import type { Contender, DatabaseContender } from "./contender.ts";
import { assertSaid, conversation, onThread } from "./conversation.ts";
import { coldRounds, warmRounds } from "./rounds-over-savers.ts";
import type { Work } from "./rounds-over-savers.ts";
import type { Script } from "./script.ts";
import { measureSize } from "./thread-size.ts";
import type { ThreadSize } from "./thread-size.ts";
import type { Workload } from "./workload.ts";

const THREAD = "long";

/** A thread that was built, alone in its schema. */
export interface BuiltThread {
  readonly elapsedMs: number;
  readonly size: ThreadSize;
}

/**
 * Runs a workload on a thread alone in a new schema, and measures what it takes on disk. The tables
 * are vacuumed and analyzed then, so that reads find them as a database keeps them.
 * @param timeoutMs when to give up
 * @returns undefined when it was given up
 */
export async function buildThread(
  contender: DatabaseContender,
  workload: Workload,
  { schema, timeoutMs }: { readonly schema: string; readonly timeoutMs?: number },
): Promise<BuiltThread | undefined> {
  const { saver, close } = await contender.open(schema);
  const signal = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  try {
    const walk = workload.over(saver);
    const before = performance.now();
    await walk(THREAD, signal);
    const elapsedMs = performance.now() - before;
    return { elapsedMs, size: await measureSize(contender, schema) };
  } catch (error) {
    if (signal?.aborted === true) return undefined;
    throw error;
  } finally {
    await close();
  }
}

/** Reads of a long thread and turns after it, each by an instance that has cached nothing and by one that has. */
export interface LongThreadTimes<Name extends string> {
  readonly getState: ColdAndWarm<Name>;
  readonly resume: ColdAndWarm<Name>;
}

interface ColdAndWarm<Name extends string> {
  readonly cold: Rounds<Name>;
  readonly warm: Rounds<Name>;
}

/** Measures `getState` and one more turn on a thread that {@link buildThread} made. */
export async function measureLongThread<Name extends string>(
  contenders: readonly Contender<Name>[],
  options: { readonly script: Script; readonly steps: number; readonly schema: string; readonly rounds: number },
): Promise<LongThreadTimes<Name>> {
  const { script, steps, schema, rounds } = options;
  const compile = conversation(script, { steps });
  const said = Object.fromEntries(contenders.map(({ name }) => [name, steps])) as Record<Name, number>;

  const getState: Work<Name> = (saver, name) => {
    const graph = compile(saver);
    let values: unknown;
    return {
      run: async () => void ({ values } = await graph.getState(onThread(THREAD))),
      finish: async () => assertSaid(values, script, said[name]),
    };
  };
  // A question and an answer; each makes the thread longer, by as much on every side.
  const resume: Work<Name> = (saver, name) => {
    const graph = compile(saver);
    const input = { messages: [script.message(said[name])] };
    said[name] += 2;
    let values: unknown;
    return {
      run: async () => void (values = await graph.invoke(input, onThread(THREAD))),
      finish: async () => assertSaid(values, script, said[name]),
    };
  };
  const coldAndWarm = async (work: Work<Name>): Promise<ColdAndWarm<Name>> => ({
    cold: await coldRounds(contenders, work, { schema, rounds }),
    warm: await warmRounds(contenders, work, { schema, rounds }),
  });
  return { getState: await coldAndWarm(getState), resume: await coldAndWarm(resume) };
}

/** How many messages {@link measureLongThread} adds to a thread, with the rounds that do not count. */
export function turnsAdded(rounds: number): number {
  return 2 * 2 * (rounds + 1);
}

/** Measures reading the whole history of a thread that {@link buildThread} made. */
export function measureHistory<Name extends string>(
  contenders: readonly Contender<Name>[],
  options: {
    readonly script: Script;
    readonly steps: number;
    readonly schema: string;
    readonly rounds: number;
    readonly warmUp: boolean;
  },
): Promise<Rounds<Name>> {
  const { script, steps, ...where } = options;
  const compile = conversation(script, { steps });
  const history: Work<Name> = (saver) => {
    const graph = compile(saver);
    let states: StateSnapshot[] = [];
    return {
      run: async () => void (states = await collect(graph.getStateHistory(onThread(THREAD)))),
      finish: async () => {
        if (states.length !== steps + 2) throw new Error(`The history has ${states.length} checkpoints.`);
        // The newest first. The last two have no messages yet: that of the input, and that where it was applied.
        for (const [age, { values }] of states.entries()) assertSaid(values, script, Math.max(0, steps - age));
      },
    };
  };
  return coldRounds(contenders, history, where);
}
