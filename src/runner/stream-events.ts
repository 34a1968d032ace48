import { IterableReadableStream } from "@langchain/core/utils/stream";
import { PerdureError } from "../errors/index.ts";
import type { DriveWatch, Driven } from "./drive-once.ts";
import type { RunEvent } from "./run-event.ts";
import { checkOptions } from "./run-options.ts";
import type { ContinueOptions, StartOptions } from "./run-options.ts";
import type { StreamCommand } from "./runner.ts";
import type { ThreadOperations } from "./thread-operations.ts";
import { toThreadState } from "./thread-view.ts";
import { watchEvents } from "./watch-events.ts";

/** Drives a thread and streams what happens. Nothing runs before the first event is read. */
export function streamEvents(
  threads: ThreadOperations,
  threadId: string,
  command: StreamCommand<unknown>,
  options: StartOptions & ContinueOptions,
): AsyncIterable<RunEvent<unknown>> {
  return whileDriving(options.signal, (signal, emit: (event: RunEvent<unknown>) => void) =>
    drive(threads, threadId, command, { ...options, signal }, watchEvents(emit)).then((driven) =>
      emit({ type: "state", state: toThreadState(driven.view) }),
    ),
  );
}

/**
 * A stream of what `work` emits, which ends when `work` does. Leaving the stream early aborts the
 * signal that `work` got.
 */
export function whileDriving<T>(
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal, emit: (value: T) => void) => Promise<void>,
): IterableReadableStream<T> {
  const left = new AbortController();
  const signal = outer === undefined ? left.signal : AbortSignal.any([outer, left.signal]);
  let working: Promise<void> | undefined;
  return new IterableReadableStream<T>(
    {
      pull(controller) {
        const emit = (value: T): void => {
          if (!left.signal.aborted) controller.enqueue(value);
        };
        working ??= work(signal, emit).then(
          () => void (left.signal.aborted || controller.close()),
          (error: unknown) => void (left.signal.aborted || controller.error(error)),
        );
      },
      async cancel() {
        left.abort();
        await working;
      },
    },
    { highWaterMark: 0 },
  );
}

function drive(
  threads: ThreadOperations,
  threadId: string,
  command: StreamCommand<unknown>,
  options: StartOptions & ContinueOptions,
  watch: DriveWatch,
): Promise<Driven> {
  const names = typeof command === "object" && command !== null ? Object.keys(command) : [];
  if (names.length !== 1) throw invalidCommand(command);
  if ("start" in command) {
    checkOptions("start", options);
    return threads.start(threadId, command.start, options, watch);
  }
  if ("resume" in command) {
    checkOptions("resume", options);
    return threads.resume(threadId, command.resume, options, watch);
  }
  if ("continue" in command) {
    checkOptions("continue", options);
    return threads.continue(threadId, options, watch);
  }
  throw invalidCommand(command);
}

function invalidCommand(command: unknown): PerdureError {
  return new PerdureError("OPTIONS_INVALID", `runner.stream can't do ${JSON.stringify(command)}.`, {
    hint: "Pass { start: input }, { resume: answers } or { continue: true }.",
  });
}
