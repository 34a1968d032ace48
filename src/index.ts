export { createRunner } from "./runner/index.ts";
export type { Answers, OpenInterrupt, RunEvent, Runner, ThreadState } from "./runner/index.ts";
export { openCheckpointer } from "./checkpoint/index.ts";
export type { Checkpointer } from "./checkpoint/index.ts";
export { cappedEdge, chain, checkGraph, dag, drawGraph, mapReduce, reactGraph } from "./graphs/index.ts";
export { effect, once, requestApproval, sleep, sleepUntil, waitForSignal, withPolicies } from "./nodes/index.ts";
export type { ApprovalAnswer, ApprovalQuestion, Decision } from "./nodes/index.ts";
export { PerdureError, isPerdureError } from "./errors/index.ts";
export type { ErrorCode } from "./errors/index.ts";
