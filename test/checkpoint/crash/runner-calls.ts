import type { Checkpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import { createRunner } from "perdure/runner";
import type { RunEvent, ThreadState } from "perdure/runner";
import { answerOf, inputOf } from "./load-graph.ts";
import type { loadGraph } from "./load-graph.ts";
import type { LoadCalls, Stand } from "./thread-load.ts";

type State = Pick<ThreadState<unknown>, "status" | "checkpointId" | "interrupts" | "values">;

/** Drives threads with a runner: with its calls, or with its streams. */
export function runnerCalls(
  graph: ReturnType<typeof loadGraph>,
  checkpointer: Checkpointer,
  streams: boolean,
): LoadCalls {
  const runner = createRunner(graph, { name: "load", checkpointer });
  // of the process that was killed the server may still hold the lock
  const options = { whenBusy: "enqueue" } as const;
  return {
    look: async (thread) => {
      try {
        return standOf(await runner.inspect(thread));
      } catch (error) {
        if (isPerdureError(error, "THREAD_NOT_FOUND")) return { status: "new", turn: -1, checkpoint: "" };
        throw error;
      }
    },
    start: async (thread, turn) =>
      standOf(
        streams
          ? await lastState(runner.stream(thread, { start: inputOf(turn) }, options))
          : await runner.start(thread, inputOf(turn), options),
      ),
    answer: async (thread, { interrupt = "", turn }) => {
      const answers = { [interrupt]: answerOf(turn) };
      return standOf(
        streams
          ? await lastState(runner.stream(thread, { resume: answers }, options))
          : await runner.resume(thread, answers, options),
      );
    },
    goOn: async (thread) => standOf(await runner.continue(thread, options)),
  };
}

/** Reads a stream to its end; no update may come twice. */
async function lastState(events: AsyncIterable<RunEvent<unknown>>): Promise<State> {
  const updates = new Set<string>();
  let last: RunEvent<unknown> | undefined;
  for await (const event of events) {
    last = event;
    if (event.type !== "update") continue;
    const update = JSON.stringify(event.update);
    if (updates.has(update)) throw new Error(`The stream told twice of ${update.slice(0, 40)}`);
    updates.add(update);
  }
  if (last?.type !== "state") throw new Error(`The stream ended with ${last?.type}.`);
  return last.state;
}

function standOf({ status, checkpointId, interrupts, values }: State): Stand {
  if (status === "error" || status === "cancelled") throw new Error(`The thread is ${status}.`);
  const { turn } = values as { turn: number };
  const [open] = interrupts;
  return { status, turn, checkpoint: checkpointId, ...(open === undefined ? {} : { interrupt: open.id }) };
}
