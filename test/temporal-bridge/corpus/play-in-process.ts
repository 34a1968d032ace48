import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import type { DrivableGraph, OpenInterrupt, Runner, ThreadState } from "perdure/runner";
import { answerAll } from "./corpus-graph.ts";
import type { CorpusGraph, Move } from "./corpus-graph.ts";
import { stopOf, storyOf } from "./story.ts";
import type { Stop, Story } from "./story.ts";
import { World } from "./world.ts";

/** The answers that a move gives to what is open. */
export function answersOf(
  { answer, choose = () => true }: Extract<Move, { readonly answer: unknown }>,
  open: readonly OpenInterrupt[],
): Record<string, unknown> {
  return Object.fromEntries(open.filter(choose).map((question) => [question.id, answer(question)]));
}

/** What was done with a graph, and what came of it. */
export interface Played {
  readonly story: Story;
  readonly moves: readonly Move[];
}

/** Plays the script of a graph by a runner in this process. */
export async function playInProcess(
  { build, script, context }: CorpusGraph,
  checkpointer: Checkpointer,
  threadId: string,
): Promise<Played> {
  const world = new World();
  let ahead = 0;
  const graph: DrivableGraph = await build(world);
  const runner = createRunner(graph, {
    name: "corpus",
    checkpointer,
    now: () => Date.now() + ahead,
  }) as unknown as Runner<unknown, unknown>;
  const options = context === undefined ? {} : { context };
  const play = async (move: Move): Promise<ThreadState<unknown>> => {
    if ("input" in move) {
      const { supersede } = move;
      return runner.start(threadId, move.input, { ...options, ...(supersede === undefined ? {} : { supersede }) });
    }
    if ("answer" in move) {
      const { interrupts } = await runner.inspect(threadId);
      return runner.resume(threadId, answersOf(move, interrupts), options);
    }
    if ("signal" in move) return (await runner.signal(threadId, move.signal, options))!;
    if ("due" in move) ahead += 3_600_000;
    return runner.continue(threadId, options);
  };
  try {
    const stops: Stop[] = [];
    const moves: Move[] = [];
    for (const move of script === "end" ? toTheEnd(stops) : script) {
      moves.push(move);
      stops.push(stopOf(await play(move)));
    }
    return { story: await storyOf(runner, threadId, stops, world), moves };
  } finally {
    await world.close();
  }
}

/** Begins, answers what is asked, and tries again what failed, as long as there is any of it. */
function* toTheEnd(stops: readonly Stop[]): Generator<Move> {
  yield { input: {} };
  for (let stop = stops.at(-1); stop?.status !== "done"; stop = stops.at(-1)) {
    if (stops.length > 200) throw new Error("The graph does not come to an end.");
    yield stop?.status === "error" ? { again: true } : answerAll;
  }
}
