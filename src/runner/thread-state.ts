import type { ApprovalQuestion, SignalQuestion, TimerQuestion } from "../nodes/index.ts";

/** A task of the present superstep that can run now. */
export interface ReadyTask<Node extends string = string> {
  /** Stable for as long as the thread stands at this checkpoint; what `runner.step` takes. */
  readonly id: string;
  readonly node: Node;
}

interface InterruptFields<Node extends string> {
  /** Names this question and no other, over restarts too; what an answer is given to (I3). */
  readonly id: string;
  /** The node of the root graph in which it was asked. */
  readonly node: Node;
  /** When it is over, in milliseconds since the epoch; `runner.continue` answers it then. */
  readonly dueAt?: number;
  /** JSON Schema of the answer, where the node gave one. */
  readonly schema?: Readonly<Record<string, unknown>>;
  /** The checkpoint namespace it was asked in, when that is a subgraph's. */
  readonly namespace?: string;
}

/**
 * A question the thread waits for; `value` is what was passed to `interrupt()`.
 * - `approval`: a person decides about actions, in the shapes of LangChain's human-in-the-loop middleware
 * - `signal`: the next signal of a name; `timer`: a point in time
 * - `breakpoint`: the graph was compiled to stop here; any answer goes on
 * - `input`: whatever else a node asks
 */
export type OpenInterrupt<Node extends string = string, Asked = unknown> = InterruptFields<Node> &
  (
    | { readonly kind: "approval"; readonly value: ApprovalQuestion }
    | { readonly kind: "signal"; readonly value: SignalQuestion }
    | { readonly kind: "timer"; readonly value: TimerQuestion }
    | { readonly kind: "breakpoint"; readonly value: Breakpoint<Node> }
    | { readonly kind: "input"; readonly value: Asked }
  );

/** Where a breakpoint stops: before these nodes run, after these have run, or in a subgraph inside of these. */
export type Breakpoint<Node extends string = string> =
  | { readonly before: readonly Node[] }
  | { readonly after: readonly Node[] }
  | { readonly inside: readonly Node[] };

/** Why a task failed. */
export interface TaskFailure<Node extends string = string> {
  readonly taskId: string;
  readonly node: Node;
  /** The error's class name. */
  readonly name: string;
  readonly message: string;
  /** The error's own `code`, such as a PerdureError's; what to branch on. */
  readonly code?: string;
  /** The error itself, with its stack: only in the call whose node threw it, since it is not stored. Not enumerable. */
  readonly cause?: unknown;
}

interface ThreadStateFields<Values, Node extends string, Asked> {
  readonly threadId: string;
  /** The head of the thread. */
  readonly checkpointId: string;
  /** The superstep the head was committed by; the input of a new thread is step -1, as in LangGraph. */
  readonly step: number;
  /** Names of the nodes with unfinished tasks, as in LangGraph. */
  readonly next: readonly Node[];
  /** Tasks that can run now. */
  readonly tasks: readonly ReadyTask<Node>[];
  /** Questions that are open now. */
  readonly interrupts: readonly OpenInterrupt<Node, Asked>[];
  /** The state, with what finished siblings of an unfinished superstep wrote. */
  readonly values: Values;
}

/**
 * Where a thread stands.
 * - `ready`: a task can run, or a finished superstep waits to be committed
 * - `interrupted`: nothing can run before a question is answered
 * - `done`: no tasks
 * - `error`: a task failed and nothing else can run; `continue` runs it again
 *   (or, with code GRAPH_CHANGED, the graph lacks a node that is next, and nothing runs)
 * - `cancelled`: somebody cancelled it; `continue` takes it up again
 */
export type ThreadState<
  Values = Record<string, unknown>,
  Node extends string = string,
  Asked = unknown,
> = ThreadStateFields<Values, Node, Asked> &
  (
    | { readonly status: "ready" }
    | { readonly status: "interrupted" }
    | { readonly status: "done" }
    | { readonly status: "error"; readonly error: TaskFailure<Node>; readonly failures: readonly TaskFailure<Node>[] }
    | { readonly status: "cancelled"; readonly reason: string }
  );
