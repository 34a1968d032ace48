import type {
  Answers,
  DrivableGraph,
  InputOf,
  OpenInterrupt,
  ReadyTask,
  ThreadSignal,
  ValuesOf,
} from "../runner/index.ts";

/**
 * Many runs of graphs, each on a thread of its own, that outlive the process that began them. What drives them is an
 * engine's business: Temporal, or one of this library.
 */
export interface DurableExecutor<Graphs extends Readonly<Record<string, DrivableGraph>> = GraphsByName> {
  /**
   * Begins a run of the graph. Returns when the engine has taken it, before anything has run.
   * @throws THREAD_BUSY when a run of this id is under way
   */
  execute<Name extends keyof Graphs & string>(
    graph: Name,
    options: ExecuteOptions<InputOf<Graphs[Name]>>,
  ): Promise<StartedRun<ValuesOf<Graphs[Name]>>>;

  /**
   * Answers open interrupts of a run, all of those given or none, and returns where it stands when they are stored. The
   * same answer again changes nothing.
   * @throws INTERRUPT_NOT_OPEN, INTERRUPT_ALREADY_ANSWERED, INTERRUPT_AMBIGUOUS, ANSWER_INVALID, RUN_NOT_FOUND
   */
  resume(id: string, answers: Answers): Promise<RunState>;

  /** Leaves a signal for a run, which is kept until a node asks for one of its name. @throws RUN_NOT_FOUND */
  signal(id: string, signal: ThreadSignal): Promise<void>;

  /** Where a run stands, without its values; runs nothing. @throws RUN_NOT_FOUND */
  query(id: string, queryType: "state"): Promise<RunState>;

  /** Stops a run; the signal of running nodes aborts, and the thread can be continued. @throws RUN_NOT_FOUND */
  cancel(id: string): Promise<void>;

  /** A handle of a run, which is looked for when the handle is used. */
  get<Name extends keyof Graphs & string>(
    id: string,
    options?: { readonly runId?: string },
  ): RunHandle<ValuesOf<Graphs[Name]>>;

  /** Runs, those under way before those that are over, and of each the newest first. */
  list(options?: ListRunsOptions): AsyncIterable<RunSummary>;
}

/** Graphs of which only the names are known. */
export type GraphsByName = Readonly<Record<string, DrivableGraph>>;

/** Options of `executor.execute`. */
export interface ExecuteOptions<Input> {
  /** The run's id, which is its thread's id as well. */
  readonly id: string;
  /** What the turn begins with. @default nothing: go on with the thread as it stands, as `runner.continue` does */
  readonly input?: Input;
  /** Drop what the thread waits for or has not finished. @default false */
  readonly supersede?: boolean;
  /** Most supersteps of the whole run. @default 10_000 */
  readonly maxSteps?: number;
  /** Goes to the nodes and to tracing; shown to everybody who may see the run. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Passed to the nodes as LangGraph's `runtime.context`. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/**
 * What became of a run.
 * - `running`: something can run, or runs
 * - `interrupted`: it waits for an answer, a signal or a point in time
 * - `done`: it has its final values
 * - `error`: a node failed, or the run could not go on
 * - `cancelled`: somebody stopped it
 * - `released`: it gave its thread back unfinished, for others to drive
 */
export type RunStatus = "running" | "interrupted" | "done" | "error" | "cancelled" | "released";

/** Where a run stands, without the values of its state. */
export interface RunState {
  readonly id: string;
  readonly graph: string;
  readonly status: RunStatus;
  /** The head of the thread; null before the input is stored. */
  readonly checkpointId: string | null;
  /** As in LangGraph: the input of a new thread is step -1. */
  readonly step: number;
  readonly next: readonly string[];
  readonly tasks: readonly ReadyTask[];
  readonly interrupts: readonly OpenInterrupt[];
}

/** One run. */
export interface RunHandle<Values = unknown> {
  readonly id: string;
  /** The engine's own id of this run of it; undefined for the latest. */
  readonly runId: string | undefined;
  status(): Promise<RunStatus>;
  /**
   * Waits for the final values.
   * @throws RUN_FAILED with what the node threw, RUN_CANCELLED, RUN_RELEASED, RUN_NOT_FOUND
   */
  result(): Promise<Values>;
}

/** A run that was begun here. */
export interface StartedRun<Values = unknown> extends RunHandle<Values> {
  readonly runId: string;
}

/** Which runs `executor.list` lists. */
export interface ListRunsOptions {
  readonly graph?: string;
  readonly status?: RunStatus;
  /** @default 100 */
  readonly limit?: number;
}

/** A run in a list. */
export interface RunSummary {
  readonly id: string;
  readonly runId: string;
  readonly graph: string;
  readonly status: RunStatus;
  readonly startedAt: Date;
  readonly endedAt?: Date;
}
