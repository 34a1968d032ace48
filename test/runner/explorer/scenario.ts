import type { DrivableGraph, Runner, ThreadCheckpoint, ThreadState } from "perdure/runner";
import type { NodeLedger } from "./account.ts";

/** A runner of the explored graphs: all of them keep a log of lines. */
export type LogRunner = Runner<unknown, LogValues>;

/** The state of the explored graphs. */
export interface LogValues {
  readonly log: readonly string[];
}

/** A thread that two clients are to meet at. */
export interface Beginning {
  readonly runner: LogRunner;
  readonly threadId: string;
  /** Aborts when so many checkpoints are stored: a start with it ends there. */
  readonly stopAfter: (checkpoints: number) => AbortSignal;
}

/** The thread as two clients find it; undefined where nothing is stored of it. */
export type Begun =
  | {
      readonly state: ThreadState<LogValues>;
      /** Oldest first. */
      readonly checkpointIds: readonly string[];
    }
  | undefined;

/** One call to a runner, which a client makes beside the other one. */
export interface Client {
  /** What it does, for people. */
  readonly does: string;
  readonly call: (runner: LogRunner, threadId: string, begun: NonNullable<Begun>) => Promise<unknown>;
  /** Whether it drives the thread until nothing can run, or leaves that to who drives it. */
  readonly drives: boolean;
  /** The errors that it may end with when the other one was first. */
  readonly refusals: readonly string[];
  /** I1: whether the final state shows what the call did, if it returned. @default nothing to show */
  readonly shows?: (end: ThreadEnd) => boolean;
}

/** A finished thread. */
export interface ThreadEnd {
  /** The checkpoints from the first one to the head. */
  readonly chain: readonly ThreadCheckpoint<LogValues>[];
  /** Ids of signals that nobody took. */
  readonly signalsLeft: readonly string[];
  /** The answers that are on record. */
  readonly answers: readonly unknown[];
}

/** A thread, and two clients that meet at it. */
export interface Scenario {
  readonly name: string;
  readonly graph: (ledger: NodeLedger) => DrivableGraph;
  /** Brings a thread to where the two find it. @default nothing is stored of it */
  readonly begin?: (beginning: Beginning) => Promise<unknown>;
  readonly clients: readonly [Client, Client];
  /** What the thread is started with in the end, if nothing is stored of it. @default it is never missing */
  readonly input?: unknown;
  /** Whether one client may end the other's run in the middle. @default false */
  readonly cuts?: boolean;
}
