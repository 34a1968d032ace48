import { createRunner } from "perdure/runner";
import type { Runner } from "perdure/runner";
import type { StartedRun } from "perdure/temporal/client";
import type { ExpectStatic } from "vitest";
import type { TemporalRig } from "../../support/temporal.ts";
import { answersOf } from "./play-in-process.ts";
import type { Played } from "./play-in-process.ts";
import type { CorpusGraph, Move } from "./corpus-graph.ts";
import { comparable, shown, stopOf, storyOf } from "./story.ts";
import type { Stop, Story } from "./story.ts";
import type { World } from "./world.ts";

export type Rig = TemporalRig<Readonly<Record<string, never>>>;

/** A graph that a worker has, and what surrounds it there. */
export interface HostedCopy {
  readonly graph: never;
  readonly world: World;
  /** The name the worker knows it by. */
  readonly name: string;
  /** Whether its runs begin in a local activity. */
  readonly localStart: boolean;
}

/** Plays the script of a graph on Temporal; waits after each move until the run rests as it did in process. */
export async function playOnTemporal(
  { context }: CorpusGraph,
  { graph, world, name, localStart }: HostedCopy,
  { executor, checkpointer }: Rig,
  id: string,
  { moves, story: { stops: expected } }: Played,
  expect: ExpectStatic,
): Promise<Story> {
  const runner = createRunner(graph, { name, checkpointer }) as unknown as Runner<never, unknown>;
  const given = { localStart, ...(context === undefined ? {} : { context }) };
  let run: StartedRun | undefined;
  const play = async (move: Move): Promise<void> => {
    if ("input" in move) {
      const { input, supersede } = move;
      run = await executor.execute(name, {
        id,
        input: input as never,
        ...given,
        ...(supersede === undefined ? {} : { supersede }),
      });
    } else if ("again" in move) run = await executor.execute(name, { id, ...given });
    else if ("signal" in move) await executor.signal(id, move.signal);
    else if ("answer" in move) {
      const { interrupts } = await executor.query(id, "state");
      await executor.resume(id, answersOf(move, interrupts));
    } // what is due, is due by itself
  };

  const stops: Stop[] = [];
  for (const [index, move] of moves.entries()) {
    await play(move);
    const expectedStop = expected[index]!;
    const following = moves[index + 1];
    // it may be over before anybody has looked
    if (following !== undefined && "due" in following) {
      stops.push(expectedStop);
      continue;
    }
    const ended = expectedStop.status === "interrupted" ? undefined : await endOf(run!);
    const look = async () => comparable(shown(await executor.query(id, "state")));
    await expect.poll(look, { interval: 25, timeout: 30_000 }).toEqual(comparable(onlyShown(expectedStop)));
    if (expectedStop.status === "done") expect(comparable(ended)).toEqual(comparable(expectedStop.values));
    if (expectedStop.status === "error") {
      expect(ended).toMatchObject({ code: "RUN_FAILED" });
      const [failure] = comparable(expectedStop.failures) as readonly { readonly message: string }[];
      expect(comparable((ended as Error).message)).toContain(failure!.message);
    }
    stops.push(stopOf(await runner.inspect(id)));
  }
  return storyOf(runner, id, stops, world);
}

function onlyShown({ status, step, next, interrupts }: Stop) {
  return { status, step, next, interrupts };
}

/** What a run ends with: its result, or the error. */
async function endOf(run: StartedRun): Promise<unknown> {
  const late = Promise.withResolvers<Error>();
  const timer = setTimeout(() => late.resolve(new Error("The run has not ended in time.")), 60_000);
  try {
    return await Promise.race([run.result(), late.promise]);
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
  }
}
