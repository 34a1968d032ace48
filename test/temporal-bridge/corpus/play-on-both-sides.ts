import { createRunner } from "perdure/runner";
import type { Runner } from "perdure/runner";
import type { StartedRun } from "perdure/temporal/client";
import type { ExpectStatic } from "vitest";
import type { CorpusGraph, Move } from "./corpus-graph.ts";
import { answersOf } from "./play-in-process.ts";
import type { Played } from "./play-in-process.ts";
import type { HostedCopy, Rig } from "./play-on-temporal.ts";
import { comparable, shown, stopOf, storyOf } from "./story.ts";
import type { Stop, Story } from "./story.ts";

/** Who drives a thread. */
export type Side = "process" | "temporal";

/** Plays what was played in process once more, handing the thread over after each move. */
export async function playOnBothSides(
  { context }: CorpusGraph,
  { graph, world, name, localStart }: HostedCopy,
  { executor, checkpointer }: Rig,
  id: string,
  { moves, story: { stops: expected } }: Played,
  first: Side,
  expect: ExpectStatic,
): Promise<Story> {
  const runner = createRunner(graph, { name, checkpointer }) as unknown as Runner<unknown, unknown>;
  const options = context === undefined ? {} : { context };
  let run: StartedRun | undefined;
  const settled = async (stop: Stop): Promise<void> => {
    if (stop.status !== "interrupted") {
      await run?.result().catch(() => {});
      run = undefined;
      return;
    }
    const { status, step, next, interrupts } = comparable(stop);
    const look = async () => comparable(shown(await executor.query(id, "state")));
    await expect.poll(look, { interval: 25, timeout: 30_000 }).toEqual({ status, step, next, interrupts });
  };
  const inProcess = async (move: Move): Promise<void> => {
    if (run !== undefined) await executor.release(id);
    run = undefined;
    if ("input" in move) await runner.start(id, move.input, options);
    else if ("answer" in move) await runner.resume(id, answersOf(move, (await runner.inspect(id)).interrupts), options);
    else if ("signal" in move) await runner.signal(id, move.signal, options);
    else await runner.continue(id, options);
  };
  const onTemporal = async (move: Move, before: Stop | undefined): Promise<void> => {
    if ("input" in move) run = await executor.execute(name, { id, input: move.input as never, ...options, localStart });
    else if ("again" in move) run = await executor.execute(name, { id, ...options, localStart });
    else {
      if (run === undefined) run = await executor.execute(name, { id, ...options, localStart });
      await settled(before!);
      if ("signal" in move) await executor.signal(id, move.signal);
      else if ("answer" in move) {
        await executor.resume(id, answersOf(move, (await executor.query(id, "state")).interrupts));
      }
    }
  };

  const stops: Stop[] = [];
  for (const [index, move] of moves.entries()) {
    if ((index % 2 === 0) === (first === "process")) await inProcess(move);
    else {
      await onTemporal(move, expected[index - 1]);
      await settled(expected[index]!);
    }
    stops.push(stopOf(await runner.inspect(id)));
  }
  if (run !== undefined) await executor.cancel(id);
  return storyOf(runner as Runner<never, unknown>, id, stops, world);
}
