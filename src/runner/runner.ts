import type { Runnable } from "@langchain/core/runnables";
import type { Command } from "@langchain/langgraph";
import { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { Checkpointer } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import type { Answers } from "./answers.ts";
import { Driver } from "./driver.ts";
import type { Driven } from "./drive-once.ts";
import { forkThread, updateThread } from "./edit-thread.ts";
import type { ForkOptions, UpdateOptions } from "./edit-thread.ts";
import type { AskedOf, DrivableGraph, InputOf, NodeOf, OutputOf, UpdateOf, ValuesOf } from "./graph-types.ts";
import { PregelEngine } from "./pregel-engine.ts";
import type { RunEvent } from "./run-event.ts";
import { checkOptions, checkReason, checkRunnerOptions, checkSignal, checkThreadId } from "./run-options.ts";
import type { CancelOptions, ContinueOptions, RunOptions, StartOptions, StepOptions } from "./run-options.ts";
import { RunnerRunnable } from "./runner-runnable.ts";
import { streamEvents } from "./stream-events.ts";
import { readHistory } from "./thread-history.ts";
import type { HistoryOptions, ThreadCheckpoint } from "./thread-history.ts";
import { ThreadOperations } from "./thread-operations.ts";
import type { ThreadSignal } from "./thread-operations.ts";
import { claimThread, releaseThread } from "./thread-owner.ts";
import type { ClaimOptions, ReleaseOptions } from "./thread-owner.ts";
import type { ThreadState } from "./thread-state.ts";
import { toThreadState } from "./thread-view.ts";

/** Options of {@link createRunner}. */
export interface RunnerOptions {
  /** Names the graph in traces and messages. */
  readonly name: string;
  /** Where its threads live; from `openCheckpointer`. */
  readonly checkpointer: Checkpointer;
  /** The time, in milliseconds since the epoch, by which timers are due. @default Date.now */
  readonly now?: () => number;
  /**
   * How long the calls that drive a thread wait for a checkpointer that can't be reached, in milliseconds, before
   * they throw CHECKPOINTER_UNREACHABLE; with 0 they throw at once. Counted anew whenever the thread has moved on.
   * @default 60_000
   */
  readonly reconnectTimeoutMs?: number;
}

/** What `runner.stream` does while its events are read. */
export type StreamCommand<Input> =
  | { readonly start: Input }
  | { readonly resume: Answers }
  | { readonly continue: true };

/**
 * Drives one graph on threads: each is a run of the graph that outlives the process. Every call
 * returns the thread as it stands when driving stops; what it accepted is stored by then (I1). When the connection to
 * the checkpointer is lost, `start`, `resume`, `signal`, `continue` and `stream` wait and go on from what is stored.
 */
export interface Runner<
  Input,
  Values,
  Node extends string = string,
  Asked = unknown,
  Update = Partial<Values>,
  Output = Values,
> {
  readonly name: string;

  /**
   * Begins a turn: commits the input and drives the thread until nothing can run. With a `runId` the same call can be
   * made again by whoever did not hear of its result.
   * @throws THREAD_BUSY, THREAD_INTERRUPTED, THREAD_UNFINISHED, GRAPH_CHANGED, OPTIONS_INVALID, CHECKPOINT_CONFLICT; STEP_LIMIT_REACHED
   * where it goes on with a turn that used up its supersteps
   */
  start(threadId: string, input: Input, options?: StartOptions): Promise<ThreadState<Values, Node, Asked>>;

  /**
   * Answers open interrupts, all of those given or none, and drives on. Giving the same answer again
   * changes nothing, also on a finished thread. While somebody else drives the thread alone the answer is
   * committed and they go on with it; whoever calls `step` has to look for it.
   * @throws INTERRUPT_AMBIGUOUS, INTERRUPT_NOT_OPEN, INTERRUPT_ALREADY_ANSWERED, ANSWER_INVALID,
   * GRAPH_CHANGED, RUN_CANCELLED, STEP_LIMIT_REACHED, THREAD_NOT_FOUND
   */
  resume(threadId: string, answers: Answers, options?: RunOptions): Promise<ThreadState<Values, Node, Asked>>;

  /**
   * Leaves a signal for the thread, which is kept until a node asks for one of its name, and drives on
   * if one did. A thread that was not started yet keeps it too; then there is no state to return.
   */
  signal(
    threadId: string,
    signal: ThreadSignal,
    options?: RunOptions,
  ): Promise<ThreadState<Values, Node, Asked> | undefined>;

  /**
   * Goes on after a crash, a failure, a cancel, or when a timer is due: runs what has not run, and
   * what failed once more. On a thread that has nothing to do it only looks.
   * @throws THREAD_BUSY, THREAD_NOT_FOUND, STEP_LIMIT_REACHED, CHECKPOINT_CONFLICT
   */
  continue(threadId: string, options?: ContinueOptions): Promise<ThreadState<Values, Node, Asked>>;

  /**
   * Lets just these ready tasks run, beside other calls that run their siblings, in this process or
   * another. The last one in commits the superstep. Ids of tasks that are past are skipped, so a
   * repeated call is safe.
   * @throws TASK_NOT_READY for a task that waits for an answer
   */
  step(threadId: string, options?: StepOptions): Promise<ThreadState<Values, Node, Asked>>;

  /** Where the thread stands; runs nothing. @throws THREAD_NOT_FOUND */
  inspect(threadId: string): Promise<ThreadState<Values, Node, Asked>>;

  /**
   * Drives as `start`, `resume` or `continue` do, and tells what happens meanwhile. Leaving the loop
   * early stops driving; the thread can be continued.
   */
  stream(
    threadId: string,
    command: StreamCommand<Input>,
    options?: StartOptions & ContinueOptions,
  ): AsyncIterable<RunEvent<Values, Node, Asked>>;

  /** The thread's checkpoints, newest first. */
  history(threadId: string, options?: HistoryOptions): AsyncIterable<ThreadCheckpoint<Values, Node>>;

  /**
   * Makes an older checkpoint the head again, so that `continue` goes on from there. Drives nothing.
   * @throws CHECKPOINT_NOT_FOUND, FORK_HALF_DONE, THREAD_BUSY
   */
  fork(threadId: string, options: ForkOptions): Promise<ThreadState<Values, Node, Asked>>;

  /**
   * Changes the state as if a node had. Drives nothing.
   * @throws THREAD_BUSY, OPTIONS_INVALID; THREAD_UNFINISHED while finished tasks wait for their siblings
   */
  update(threadId: string, values: Update, options?: UpdateOptions<Node>): Promise<ThreadState<Values, Node, Asked>>;

  /**
   * Stops the thread wherever it is driven: aborts the signal of running nodes, and whatever they
   * return later is not applied (I7). `continue` takes it up again.
   */
  cancel(threadId: string, reason: string, options?: CancelOptions): Promise<ThreadState<Values, Node, Asked>>;

  /**
   * Makes the thread an owner's, such as a Temporal run's: until `release` every other call that starts, answers,
   * continues or changes it is refused with THREAD_OWNED. Drives nothing. A later run of the same owner may claim
   * it from an earlier one, never the other way round.
   * @throws THREAD_OWNED, THREAD_BUSY while somebody drives it who is not its owner, THREAD_NOT_FOUND
   */
  claim(threadId: string, options: ClaimOptions): Promise<ThreadState<Values, Node, Asked>>;

  /** Gives the thread back to whoever wants to drive it. Of a thread that is somebody else's by now, nothing changes. */
  release(threadId: string, options: ReleaseOptions): Promise<ThreadState<Values, Node, Asked>>;

  /**
   * The runner as a LangChain Runnable, for wherever a compiled graph goes: `thread_id` from
   * `config.configurable`, `Command({ resume })` and `null` as inputs. A failed task throws.
   */
  asRunnable(): Runnable<Input | Command | null, Output>;
}

/**
 * Makes a runner for a graph: a StateGraph, a compiled graph, an agent made by createAgent, or a
 * functional entrypoint. The graph stays as it is; a checkpointer it was compiled with is not used.
 * @throws GRAPH_UNSUPPORTED, CHECKPOINTER_UNSUPPORTED, OPTIONS_INVALID
 */
export function createRunner<const G extends DrivableGraph>(
  graph: G,
  options: RunnerOptions,
): Runner<InputOf<G>, ValuesOf<G>, NodeOf<G>, AskedOf<G>, UpdateOf<G>, OutputOf<G>> {
  checkRunnerOptions(options);
  const { name, checkpointer, now = Date.now, reconnectTimeoutMs = 60_000 } = options;
  checkCheckpointer(name, checkpointer);
  const driver = new Driver(new PregelEngine(graph, checkpointer), checkpointer, now, reconnectTimeoutMs);
  const threads = new ThreadOperations(driver, name);
  type State = ThreadState<ValuesOf<G>, NodeOf<G>, AskedOf<G>>;
  type Event = RunEvent<ValuesOf<G>, NodeOf<G>, AskedOf<G>>;
  const stateOf = ({ view, error }: Pick<Driven, "view"> & Partial<Driven>): State => {
    const state = toThreadState(view);
    if (state.status === "error" && error !== undefined) Object.defineProperty(state.error, "cause", { value: error });
    return state as State;
  };

  return {
    name,
    async start(threadId, input, runOptions = {}) {
      checkThreadId(threadId);
      checkOptions("start", runOptions);
      return stateOf(await threads.start(threadId, input, runOptions));
    },
    async resume(threadId, answers, runOptions = {}) {
      checkThreadId(threadId);
      checkOptions("resume", runOptions);
      return stateOf(await threads.resume(threadId, answers, runOptions));
    },
    async signal(threadId, signal, runOptions = {}) {
      checkThreadId(threadId);
      checkSignal(signal);
      checkOptions("signal", runOptions);
      const driven = await threads.signal(threadId, signal, runOptions);
      return driven && stateOf(driven);
    },
    async continue(threadId, runOptions = {}) {
      checkThreadId(threadId);
      checkOptions("continue", runOptions);
      return stateOf(await threads.continue(threadId, runOptions));
    },
    async step(threadId, stepOptions = {}) {
      checkThreadId(threadId);
      checkOptions("step", stepOptions);
      return stateOf(await threads.step(threadId, stepOptions));
    },
    async inspect(threadId) {
      checkThreadId(threadId);
      return stateOf({ view: await driver.readExisting(threadId) });
    },
    stream(threadId, command, runOptions = {}) {
      checkThreadId(threadId);
      return streamEvents(threads, threadId, command, runOptions) as AsyncIterable<Event>;
    },
    history(threadId, historyOptions = {}) {
      checkThreadId(threadId);
      checkOptions("history", historyOptions);
      return readHistory(driver, threadId, historyOptions) as AsyncIterable<ThreadCheckpoint<ValuesOf<G>, NodeOf<G>>>;
    },
    async fork(threadId, forkOptions) {
      checkThreadId(threadId);
      checkOptions("fork", forkOptions);
      return stateOf({ view: await forkThread(driver, threadId, forkOptions) });
    },
    async update(threadId, values, updateOptions = {}) {
      checkThreadId(threadId);
      checkOptions("update", updateOptions);
      return stateOf({ view: await updateThread(driver, threadId, values, updateOptions) });
    },
    async cancel(threadId, reason, cancelOptions = {}) {
      checkThreadId(threadId);
      checkReason(reason);
      checkOptions("cancel", cancelOptions);
      return stateOf({ view: await threads.cancel(threadId, reason, cancelOptions.owner) });
    },
    async claim(threadId, claimOptions) {
      checkThreadId(threadId);
      checkOptions("claim", claimOptions);
      return stateOf({ view: await claimThread(driver, threadId, claimOptions) });
    },
    async release(threadId, releaseOptions) {
      checkThreadId(threadId);
      checkOptions("release", releaseOptions);
      return stateOf({ view: await releaseThread(driver, threadId, releaseOptions) });
    },
    asRunnable() {
      return new RunnerRunnable<InputOf<G>, OutputOf<G>>(driver, threads, name);
    },
  };
}

function checkCheckpointer(name: string, checkpointer: unknown): void {
  if (checkpointer instanceof Checkpointer) return;
  const given =
    checkpointer instanceof Promise
      ? "a Promise: the await is missing"
      : checkpointer instanceof BaseCheckpointSaver
        ? "a saver of LangGraph's own, which can't lock a thread"
        : typeof checkpointer;
  throw new PerdureError("CHECKPOINTER_UNSUPPORTED", `Runner "${name}" was given ${given} as its checkpointer.`, {
    hint: 'Open one: checkpointer: await openCheckpointer("memory:").',
  });
}
