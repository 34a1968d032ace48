/**
 * What goes between the workflow, its activities and the client. All of it stands in Temporal's history, so it is
 * small: ids and names, and what goes in and out of a run; not the state between its steps.
 */

/** A value of a graph as JSON; see wire-codec.ts. */
export type WireValue = unknown;

/** The argument of the workflow. */
export interface RunGraphArgs {
  /** The name of the graph, as the worker knows it. */
  readonly graph: string;
  /** A turn's input; absent to go on with the thread as it stands. */
  readonly input?: WireValue;
  readonly supersede?: boolean;
  readonly maxSteps?: number;
  /** Goes to the nodes. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly context?: WireValue;
  /** Whether the first activity is a local one. */
  readonly localStart?: boolean;
  /** Whether the server has the search attributes of runs. */
  readonly searchable?: boolean;
  /** What a run hands on to the next one of its chain. */
  readonly carried?: CarriedRun;
}

/** What continue-as-new takes along. */
export interface CarriedRun {
  readonly report: ThreadReport;
  readonly settings: RunSettings;
  /** The newest questions that were asked, so that a late answer to one is told from a wrong id. */
  readonly asked: readonly string[];
}

/** How the activities of a run are to be scheduled, as its worker is configured. */
export interface RunSettings {
  readonly granularity: "node" | "burst";
  readonly maxParallelActivities: number;
  readonly heartbeatTimeoutMs: number;
  readonly startToCloseTimeoutMs: number;
}

/** How the activity of one node is to be scheduled, where that is not as for the others. */
export interface NodeSettings {
  readonly taskQueue?: string;
  readonly heartbeatTimeoutMs?: number;
  readonly startToCloseTimeoutMs?: number;
}

/** What every activity is told. */
export interface RunPlace {
  readonly graph: string;
  /** The turn: the first run of the chain. */
  readonly turnId: string;
  /** The run that this one continues as new. */
  readonly previousRunId?: string;
  /** The checkpoint at which the workflow last saw the thread. */
  readonly checkpointId?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly context?: WireValue;
}

export interface StartRequest extends RunPlace {
  readonly input?: WireValue;
  readonly supersede?: boolean;
  readonly maxSteps?: number;
  /** What a local activity that failed has left; after the first attempt, what that one has left counts. */
  readonly left?: unknown;
  /** The workflow's time, for a local activity. */
  readonly scheduledAt?: number;
}

export interface TasksRequest extends RunPlace {
  /** Tasks of one node, or with bursts those of all; none only commits what is finished, and looks. */
  readonly tasks: readonly string[];
  /** The node they are of. */
  readonly node?: string;
  /** Whether other activities run their siblings; then the report says only what has changed. */
  readonly beside?: boolean;
  readonly burst?: boolean;
  /** The step that a burst begins at: its supersteps are counted from there. */
  readonly step?: number;
}

export interface AnswersRequest extends RunPlace {
  /** By interrupt. */
  readonly answers?: Readonly<Record<string, WireValue>>;
  /** Interrupts whose time is over. */
  readonly due?: readonly string[];
  readonly signals?: readonly SignalArgs[];
}

export interface CloseRequest extends RunPlace {
  /** Cancels the thread, and why; absent only to release it. */
  readonly cancel?: string;
  /** Values that the thread did not get, and that may be kept in the checkpointer. */
  readonly unused?: readonly WireValue[];
}

/** The argument of the signal. */
export interface SignalArgs {
  readonly id: string;
  readonly name: string;
  readonly payload: WireValue;
}

/** An open question, as the runner tells it. */
export interface WireInterrupt {
  readonly id: string;
  readonly kind: string;
  readonly node: string;
  /** Absent where it is too large for the history. */
  readonly value?: WireValue;
  readonly dueAt?: number;
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly namespace?: string;
}

/** A failed task. */
export interface WireFailure {
  readonly taskId: string;
  readonly node: string;
  readonly name: string;
  readonly message: string;
  readonly code?: string;
}

/** Where the thread stands after an activity. */
export interface ThreadReport {
  readonly status: "ready" | "interrupted" | "done" | "error" | "cancelled";
  readonly checkpointId: string;
  readonly step: number;
  /** Nodes with unfinished tasks; absent where they are those of `tasks`. */
  readonly next?: readonly string[];
  /** Ids of tasks that can run, by node. */
  readonly tasks: Readonly<Record<string, readonly string[]>>;
  readonly interrupts: readonly WireInterrupt[];
  readonly nodes?: Readonly<Record<string, NodeSettings>>;
  readonly failures?: readonly WireFailure[];
  readonly reason?: string;
  readonly result?: RunResult;
}

/** What an activity returns. */
export type Report =
  | ({ readonly kind: "thread" } & ThreadReport)
  /** A batch is done, and siblings of it are not. */
  | { readonly kind: "same"; readonly checkpointId: string }
  /** As that, while questions are open: they have to be heard of at once, since a sibling may run for hours. */
  | { readonly kind: "asked"; readonly checkpointId: string; readonly interrupts: readonly WireInterrupt[] };

/** What the first activity returns. */
export interface StartReport {
  readonly report: ThreadReport;
  readonly settings: RunSettings;
}

/** What an attempt that failed, and was not the last one, tells the next. */
export interface NextAttempt {
  readonly delayMs: number;
  readonly left?: unknown;
}

/** What a run returns: the final values, or where they are when they are too large for the history. */
export type RunResult =
  | { readonly values: WireValue }
  | { readonly stored: { readonly checkpointId: string; readonly channels: readonly string[] } }
  /** The run has given the thread back before it was done. */
  | { readonly released: true };

/** The activities, by their types. */
export interface GraphActivities {
  graphStart(request: StartRequest): Promise<StartReport>;
  graphTasks(request: TasksRequest): Promise<Report>;
  graphAnswers(request: AnswersRequest): Promise<Report>;
  graphClose(request: CloseRequest): Promise<void>;
}

/** What the query `state` answers. */
export interface WireState {
  readonly graph: string;
  readonly status: "ready" | "interrupted" | "done" | "error" | "cancelled";
  readonly checkpointId: string | null;
  readonly step: number;
  readonly next: readonly string[];
  readonly tasks: readonly { readonly id: string; readonly node: string }[];
  readonly interrupts: readonly WireInterrupt[];
}
