import type { BaseMessage } from "@langchain/core/messages";
import type { OpenInterrupt, ThreadState } from "./thread-state.ts";

/** Where in the graph an event comes from. */
export interface EventSource {
  readonly node: string;
  /** The subgraph it happened in, outermost first, as LangGraph names them; empty for the root graph. */
  readonly namespace: readonly string[];
}

/**
 * What happens while a thread is driven, in the order in which it does.
 * - `task_start`, `task_end`: a task begins and ends, with the error it threw if it did
 * - `update`: what a finished task returned; it is stored, and the task never runs again
 * - `token`: a piece of a chat model's message
 * - `custom`: what a node wrote with LangGraph's `writer`
 * - `interrupt`: a question was asked and is stored; siblings may still run
 * - `state`: driving is over; the last event
 *
 * When the connection to the checkpointer is lost, tasks that were not finished begin again once it is back: a
 * `task_start` with the same `taskId`, and with it all they had told. What is finished is not told again; the `update`
 * of a task that was stored in the moment of the loss is not told at all, and shows in the `state`.
 */
export type RunEvent<Values = Record<string, unknown>, Node extends string = string, Asked = unknown> =
  | (EventSource & { readonly type: "task_start"; readonly taskId: string })
  | (EventSource & {
      readonly type: "task_end";
      readonly taskId: string;
      readonly error?: { readonly name: string; readonly message: string };
    })
  | (EventSource & { readonly type: "update"; readonly update: unknown })
  | (EventSource & { readonly type: "token"; readonly text: string; readonly message: BaseMessage })
  | { readonly type: "custom"; readonly namespace: readonly string[]; readonly value: unknown }
  | { readonly type: "interrupt"; readonly interrupt: OpenInterrupt<Node, Asked> }
  | { readonly type: "state"; readonly state: ThreadState<Values, Node, Asked> };
