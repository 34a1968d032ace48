import type { CheckpointPendingWrite } from "@langchain/langgraph-checkpoint";
import { ownInterrupt } from "../checkpoint/index.ts";
import { CHANNEL, isResult } from "./pregel.ts";

/** What a drive adds to the interrupts it stores, so that a reader knows which question each one is. */
export interface InterruptMark {
  /** How many answers the task had when it asked. */
  readonly answers: number;
  /** Asked inside a subgraph of the task; the question itself is stored there. */
  readonly nested: boolean;
  /** No question, but a breakpoint inside a subgraph of the task, of which LangGraph stores nothing. */
  readonly breakpoint?: true;
}

/** What a task that stopped at a breakpoint inside of it is said to ask. */
export const BREAKPOINT_INSIDE = { breakpoint: "inside" } as const;

/** An interrupt as it is stored: LangGraph's, with our mark when a runner drove the thread. */
export interface StoredInterrupt {
  readonly id?: string;
  readonly value: unknown;
  readonly response_schema?: Readonly<Record<string, unknown>>;
  readonly perdure?: InterruptMark;
}

/** An error as it is stored: LangGraph's, and that of the node's error handler, if that failed too. */
export interface StoredError {
  readonly name: string;
  readonly message: string;
  /** The error's own `code`, such as a PerdureError's. */
  readonly code?: string;
  readonly perdure?: { readonly handler: StoredError };
}

/** What is stored of one task of the present superstep. */
export interface TaskWrites {
  /** Its result is stored: it never runs again (I2). */
  readonly finished: boolean;
  /** The answers it was given, oldest first. */
  readonly answers: readonly unknown[];
  readonly interrupt?: StoredInterrupt;
  readonly error?: StoredError;
  /** Its failure was handed to the node's error handler, which runs next. */
  readonly errorHandled: boolean;
  /** The writes of its result, as channel and value. */
  readonly result: readonly (readonly [channel: string, value: unknown])[];
}

interface Collected {
  finished: boolean;
  answers: unknown[];
  interrupt?: StoredInterrupt;
  error?: StoredError;
  errorHandled: boolean;
  result: [string, unknown][];
}

/** What is stored of a task that has no writes yet. */
export const NO_TASK_WRITES: TaskWrites = { finished: false, answers: [], errorHandled: false, result: [] };

/** Sorts the pending writes of a checkpoint by task. */
export function writesByTask(pendingWrites: readonly CheckpointPendingWrite[]): Map<string, TaskWrites> {
  const tasks = new Map<string, Collected>();
  for (const [taskId, channel, value] of pendingWrites) {
    let task = tasks.get(taskId);
    if (task === undefined)
      tasks.set(taskId, (task = { finished: false, answers: [], errorHandled: false, result: [] }));
    const interrupt = channel === CHANNEL.interrupt ? ownInterrupt<StoredInterrupt>(value) : undefined;
    if (interrupt !== undefined) task.interrupt = interrupt;
    else if (channel === CHANNEL.resume) task.answers = Array.isArray(value) ? value : [value];
    else if (channel === CHANNEL.errorSource) task.errorHandled = true;
    else if (channel === CHANNEL.error) {
      if (value !== null) task.error = value as StoredError;
    } else if (isResult(channel)) {
      task.finished = true;
      task.result.push([channel, value]);
    }
  }
  return tasks;
}

/** Whether the task waits for an answer to its own stored question. */
export function asksItself(writes: TaskWrites): boolean {
  if (writes.finished || writes.interrupt === undefined || writes.interrupt.perdure?.nested === true) return false;
  // a mark is missing where LangGraph drove the thread alone: it stores answers only with a new question
  return writes.answers.length === (writes.interrupt.perdure?.answers ?? writes.answers.length);
}
