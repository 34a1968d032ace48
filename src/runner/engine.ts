import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { DriveSaver } from "./drive-saver.ts";
import type { TaskGate } from "./task-gate.ts";
import type { StreamChunk } from "./pregel.ts";

/** What an engine is told for one drive. */
export interface DriveRequest {
  readonly threadId: string;
  /** A new turn's input; absent to go on from the head. */
  readonly input?: { readonly value: unknown };
  /** Tells the nodes the time, in milliseconds since the epoch. */
  readonly now: () => number;
  /** The step of the input of the run under way. */
  readonly inputStep: number;
  /** Most supersteps of this drive, for what the gate does not see. */
  readonly maxSupersteps: number;
  /** The superstep after whose commit it may end without a look at what comes next. */
  readonly endsAfter?: number;
  /** Where it reads and commits. */
  readonly saver: DriveSaver;
  /** Which tasks it runs, and the signal that stops it. */
  readonly gate: TaskGate;
  /** What goes to the nodes with it. */
  readonly config: DriveConfig;
  /** Gets what the drive streams, in these modes. */
  readonly sink?: StreamSink;
}

/** Who gets what a drive streams. */
export interface StreamSink {
  readonly modes: readonly string[];
  /** Whether it gets what subgraphs stream too. Without, LangGraph itself decides which little of it there is. */
  readonly subgraphs: boolean;
  readonly push: (chunk: StreamChunk) => void;
}

/** What a caller passes on to the nodes: LangChain's own words. */
export interface DriveConfig {
  readonly configurable?: Readonly<Record<string, unknown>> | undefined;
  readonly context?: unknown;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly callbacks?: unknown;
  readonly tags?: readonly string[] | undefined;
  readonly runName?: string | undefined;
}

/** The tasks and the state of one checkpoint. */
export interface CheckpointView {
  readonly values: unknown;
  readonly tasks: readonly { readonly id: string; readonly node: string }[];
}

/**
 * Runs the tasks of one thread and commits its supersteps. Persistence (`saver`) and the running of
 * a task (`gate`) are ports, so another engine over the same graph leaves the same checkpoints.
 */
export interface Engine {
  /** Whether the graph maps its input in a superstep of its own, before its first node. */
  readonly inputSupersteps: 0 | 1;
  /** How many tasks of a superstep the graph itself wants to run at the same time. */
  readonly maxConcurrency: number | undefined;
  readonly interruptBefore: (node: string) => boolean;
  readonly interruptAfter: ((node: string) => boolean) | undefined;
  /** The part of the state that a run of the graph returns. */
  output(values: unknown): unknown;
  /** Nodes where the thread goes next and which the graph does not have; see missing-nodes.ts. */
  missingNodes(head: CheckpointTuple): readonly string[];
  /** Runs what the gate lets through, until nothing more can run. Throws what a task threw. */
  drive(request: DriveRequest): Promise<void>;
  /** Looks at a checkpoint; runs nothing. */
  view(tuple: CheckpointTuple, options: { readonly applyFinished: boolean }): Promise<CheckpointView>;
  /** Commits a change of the state as if `asNode` had made it. */
  update(saver: DriveSaver, threadId: string, values: unknown, asNode: string | undefined): Promise<void>;
  /** Commits a copy of an older checkpoint as the new head. */
  copy(saver: DriveSaver, threadId: string, checkpointId: string): Promise<void>;
}
