/** Which worker a process runs. */
export interface WorkerKind {
  readonly address: string;
  readonly taskQueue: string;
  /** The bundle of its workflows. */
  readonly codePath: string;
  /** Absent for the hand-written one. */
  readonly graphs?: { readonly checkpointerUrl: string; readonly granularity: "node" | "burst" };
}

/** What a worker's process is asked. */
export type WorkerQuestion = "cpu" | "garbage" | "memory" | "stop";

/** What it says. */
export type WorkerAnswer =
  | { readonly answer: "ready" }
  | { readonly answer: "garbage" }
  | { readonly answer: "cpu"; readonly cpuMs: number }
  | { readonly answer: "memory"; readonly memory: MemoryTaken };

/** What a worker's process keeps. */
export interface MemoryTaken {
  /** Of JavaScript, in all threads. */
  readonly heapBytes: number;
  /** The part of it in the thread where Temporal runs workflows. */
  readonly workflowHeapBytes: number;
  /** All of it, as the system sees it, without what V8 keeps free for later. */
  readonly residentBytes: number;
}
