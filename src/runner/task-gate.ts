import { setMaxListeners } from "node:events";
import { GraphInterrupt, isGraphBubbleUp, isGraphInterrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { nextTurn } from "../checkpoint/index.ts";
import { beginAttempt } from "../nodes/index.ts";
import type { DriveSaver } from "./drive-saver.ts";
import type { FailureJudge } from "./failure-judge.ts";
import { BREAKPOINT_INSIDE } from "./pending-writes.ts";
import { TaskSlots } from "./task-slots.ts";
import { PREGEL_KEY, goingOn } from "./pregel.ts";
import type { PregelNodeLike, TaskConfig, TaskRunnable } from "./pregel.ts";

/** Which tasks a drive may run. */
export interface GatePlan {
  /** At the head: only these task ids; absent for all. */
  readonly only?: ReadonlySet<string>;
  /** At the head: not these, because they wait for an answer or failed before. */
  readonly except: ReadonlySet<string>;
  /** The head the two lists speak of; undefined when an input makes a new one. */
  readonly headCheckpointId: string | undefined;
  /** The last superstep whose tasks may run. */
  readonly lastStep: number;
  /** From this time on no further superstep is begun, in milliseconds since the epoch. */
  readonly deadline: number | undefined;
  readonly now: () => number;
  /** How many tasks run at the same time; absent for all. */
  readonly maxConcurrency: number | undefined;
  /** Who decides about failures; absent where the nodes' own rules do. */
  readonly judge?: FailureJudge | undefined;
}

/** What happens to a task, for whoever watches. */
export interface TaskWatcher {
  readonly started: (task: RunningTask) => void;
  readonly ended: (task: RunningTask, error: unknown) => void;
}

/** A task that a drive lets run. */
export interface RunningTask {
  readonly id: string;
  readonly node: string;
  readonly step: number;
}

/** LangGraph counts the supersteps of a subgraph anew on each call; the limit of a run is over its root (H8). */
const NO_RECURSION_LIMIT = 1_000_000_000;

/** Where a drive's gate stands in `configurable`, so that one graph serves many drives at once. */
export const GATE_KEY = "__perdure_gate";

/**
 * Decides for each task of one drive whether it runs now. A task that may not run throws an empty
 * GraphInterrupt, which LangGraph takes as "not now" and does not store.
 */
export class TaskGate {
  readonly #plan: GatePlan;
  readonly #saver: DriveSaver;
  readonly #watcher: TaskWatcher | undefined;
  readonly #ended: Set<string>;
  readonly #slots: TaskSlots | undefined;
  /** Who decides about failures, where that is not left to the nodes' own rules. */
  readonly judge: FailureJudge | undefined;
  /** Aborts when the drive is to stop. */
  readonly signal: AbortSignal;
  /** Supersteps of which a task failed: there LangGraph aborts the others. */
  readonly #failedSteps = new Set<number>();
  /** What tasks threw. */
  readonly threw = new Set<unknown>();
  /** Tasks that were let through. */
  readonly admitted = new Set<string>();
  /** The limit that kept a task from running, if one did. */
  stoppedBy: "maxSteps" | "deadline" | undefined;

  /** @param ended collects the ids of tasks that ran to their end */
  constructor(
    plan: GatePlan,
    saver: DriveSaver,
    signal: AbortSignal,
    ended: Set<string>,
    watcher: TaskWatcher | undefined,
  ) {
    this.#plan = plan;
    this.#saver = saver;
    this.#ended = ended;
    this.#watcher = watcher;
    this.signal = signal;
    this.judge = plan.judge;
    setMaxListeners(0, signal);
    this.#slots = plan.maxConcurrency === undefined ? undefined : new TaskSlots(plan.maxConcurrency, signal);
  }

  /** Runs the task, or turns it away. */
  async run(gatedNode: GatedNode, input: unknown, config: TaskConfig): Promise<unknown> {
    const { name, node } = gatedNode;
    const id = taskIdOf(config);
    const failedTask = node.isErrorHandler === true ? failedTaskOf(config) : undefined;
    if (failedTask !== undefined) this.#saver.handles(id, failedTask);
    const result = this.#saver.resultOf(id);
    if (result !== undefined) return replay(result, config); // I2
    if (!this.#admits(failedTask ?? id, config)) throw new GraphInterrupt([]);
    // what fails outside of the gate, by its time limit, comes here first by its handler
    if (failedTask !== undefined && this.judge?.spares(failedTask, timedOut()) === true) throw new GraphInterrupt([]);
    this.admitted.add(failedTask ?? id);
    this.judge?.begins(id, name, node);
    const task: RunningTask = { id, node: name, step: stepOf(config) };
    // I1, I2: what this task builds on, the run's input first of all, is stored before it begins
    const stored = this.#saver.stored();
    if (stored !== undefined) await stored;
    if (this.#slots !== undefined) await this.#slots.take();
    try {
      return await this.#run(task, gatedNode, input, config);
    } finally {
      this.#slots?.give();
    }
  }

  async #run(task: RunningTask, gatedNode: GatedNode, input: unknown, config: TaskConfig): Promise<unknown> {
    const { node, run } = gatedNode;
    const { id } = task;
    this.signal.throwIfAborted();
    beginAttempt(config as LangGraphRunnableConfig); // H15
    this.#watcher?.started(task);
    try {
      const output = await run.invoke(input, this.#shield(config, gatedNode));
      if (this.#watcher !== undefined) await nextTurn(); // what the node has streamed is told before its end
      this.signal.throwIfAborted(); // I7: too late
      this.#ended.add(id);
      this.#watcher?.ended(task, undefined);
      return output;
    } catch (thrown) {
      const error = isGraphInterrupt(thrown) && thrown.interrupts.length === 0 ? breakpointInside() : asError(thrown);
      if (!isGraphBubbleUp(error)) this.threw.add(error);
      if (!isGraphBubbleUp(error) && node.errorHandlerNode === undefined) this.#failedSteps.add(task.step);
      this.#saver.failedWith(id, error);
      this.#watcher?.ended(task, error);
      if (!isGraphBubbleUp(error) && !this.signal.aborted && this.judge?.spares(id, error) === true)
        throw new GraphInterrupt([]);
      throw error;
    }
  }

  #admits(id: string, config: TaskConfig): boolean {
    if (this.admitted.has(id)) return true; // the handler of what just failed
    const { only, except, headCheckpointId, lastStep, deadline, now } = this.#plan;
    if (config.executionInfo?.checkpointId === headCheckpointId)
      return !except.has(id) && (only === undefined || only.has(id));
    if (stepOf(config) > lastStep) this.stoppedBy = "maxSteps";
    else if (deadline !== undefined && now() >= deadline) this.stoppedBy = "deadline";
    else return true;
    return false;
  }

  /**
   * The config as the node sees it. LangGraph aborts the siblings of a task that failed; here they go
   * on to their end, so the result of a superstep does not depend on which task failed first (I5). Its
   * limit on parallel tasks stays at the root, since a subgraph loses tasks by it (H20). A subgraph
   * does not run again what it has finished (I2).
   */
  #shield(config: TaskConfig, { stepTimeout }: GatedNode): TaskConfig {
    const { maxConcurrency: _, ...rest } = goingOn(config);
    const configurable = this.judge === undefined ? rest.configurable : { ...rest.configurable, ...this.judge.port };
    return {
      ...rest,
      ...(configurable === undefined ? {} : { configurable }),
      recursionLimit: NO_RECURSION_LIMIT,
      signal: this.#signalFor(config, stepTimeout !== undefined),
    };
  }

  #signalFor(config: TaskConfig, stepIsTimed: boolean): AbortSignal {
    const { signal, heartbeat } = config;
    const isTimed = heartbeat !== undefined; // LangGraph gives it to nodes with a timeout of their own
    if (signal === undefined || !(isTimed || stepIsTimed)) return this.signal;
    const step = stepOf(config);
    const isOver = (reason: unknown): boolean => isTimeout(reason) || (isTimed && !this.#failedSteps.has(step));
    return AbortSignal.any([this.signal, abortedWhen(signal, isOver)]);
  }
}

/** A node behind the gate. */
export interface GatedNode {
  readonly name: string;
  readonly node: PregelNodeLike;
  readonly run: TaskRunnable;
  /** The graph's limit for a superstep, in milliseconds. */
  readonly stepTimeout: number | undefined;
}

/** Lets a gate, where the config has one, decide over each run of the node. */
export function gated(gatedNode: GatedNode): TaskRunnable {
  return {
    invoke(input, config) {
      const gate = config.configurable?.[GATE_KEY];
      return gate instanceof TaskGate ? gate.run(gatedNode, input, config) : gatedNode.run.invoke(input, config);
    },
  };
}

/** A subgraph that stops at a breakpoint throws an empty one, which would leave nothing behind that says so. */
function breakpointInside(): GraphInterrupt {
  return new GraphInterrupt([{ value: BREAKPOINT_INSIDE }]);
}

/** LangGraph takes a thrown `undefined` for success, and fails on other primitives. */
function asError(thrown: unknown): object {
  if (typeof thrown === "object" && thrown !== null) return thrown;
  return new Error(`The node threw ${String(thrown)}, which is no error.`, { cause: thrown });
}

function taskIdOf(config: TaskConfig): string {
  return config.executionInfo?.taskId ?? String(config.configurable?.[PREGEL_KEY.taskId]);
}

/** The task whose failure an error handler gets: its namespace lies in that task's. */
function failedTaskOf(config: TaskConfig): string | undefined {
  const above = config.executionInfo?.checkpointNs.split("|").at(-2);
  return above?.slice(above.lastIndexOf(":") + 1);
}

function stepOf(config: TaskConfig): number {
  return Number(config.metadata?.["langgraph_step"]);
}

function replay(result: readonly (readonly [string, unknown])[], config: TaskConfig): undefined {
  const send = config.configurable?.[PREGEL_KEY.send] as (writes: unknown) => void;
  send(result.map(([channel, value]) => [channel, value]));
}

function timedOut(): Error {
  return Object.assign(new Error("The node took longer than its time limit."), { name: "NodeTimeoutError" });
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

/** Aborts with `signal`, unless that aborts for a reason that does not count. */
function abortedWhen(signal: AbortSignal, counts: (reason: unknown) => boolean): AbortSignal {
  const controller = new AbortController();
  const follow = (): void => {
    if (counts(signal.reason)) controller.abort(signal.reason);
  };
  if (signal.aborted) follow();
  else signal.addEventListener("abort", follow, { once: true });
  return controller.signal;
}
