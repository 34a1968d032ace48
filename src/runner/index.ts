export { createRunner } from "./runner.ts";
export type { Runner, RunnerOptions, StreamCommand } from "./runner.ts";
export type {
  CallOptions,
  CancelOptions,
  ContinueOptions,
  RunOptions,
  StartOptions,
  StepOptions,
} from "./run-options.ts";
export type { Answers } from "./answers.ts";
export type { ThreadSignal } from "./thread-operations.ts";
export type { Breakpoint, OpenInterrupt, ReadyTask, TaskFailure, ThreadState } from "./thread-state.ts";
export type { ClaimOptions, ReleaseOptions } from "./thread-owner.ts";
export type { FailedTask, JudgeFailure } from "./failure-judge.ts";
export type { EventSource, RunEvent } from "./run-event.ts";
export type { HistoryOptions, ThreadCheckpoint } from "./thread-history.ts";
export { nodeNames, oneNodeGraph } from "./one-node-graph.ts";
export { findStrandedThreads } from "./find-stranded-threads.ts";
export type { FindStrandedOptions, StrandedThread } from "./find-stranded-threads.ts";
export type { ForkOptions, UpdateOptions } from "./edit-thread.ts";
export type { AskedOf, DrivableGraph, InputOf, NodeOf, OutputOf, UpdateOf, ValuesOf } from "./graph-types.ts";
