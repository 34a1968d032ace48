/**
 * What the parent (the terminal, the person) and the worker (the graph, the database) say to each
 * other. Nothing is lost if a worker dies with messages on the way: all that counts is in the database.
 */
import type { Action, ApprovalAnswer, DecisionRecord } from "perdure/nodes";
import type { ToolApproval } from "perdure/graphs";
import type { ThreadState } from "perdure/runner";
import type { CustomerMessage } from "./batch.ts";
import type { RefundNews } from "./desk-tools.ts";
import type { ModelName } from "./command-line.ts";
import type { Order } from "./order-database.ts";
import type { PolicyResult } from "./refund-policy.ts";
import type { DatabasePlace } from "./sql.ts";

/** Parent to worker. */
export type Command =
  | { readonly type: "work"; readonly setup: WorkerSetup; readonly messages: readonly CustomerMessage[] }
  | {
      readonly type: "answer";
      readonly threadId: string;
      readonly interruptId: string;
      readonly answer: ApprovalAnswer;
    };

/** What a worker needs to know; keys of providers are in its environment. */
export interface WorkerSetup {
  readonly model: ModelName;
  /** Where the model's server is, for those that run on this machine. */
  readonly modelUrl: string | undefined;
  readonly database: DatabasePlace;
  /** The day the messages came in. */
  readonly today: string;
  /** How a person is asked. @default anybody, and for ever */
  readonly approval?: ToolApproval;
  /** What the terminal can show of the graph's drawing. */
  readonly drawing: { readonly color: boolean; readonly width: number };
}

/** A refund that waits for a person, with what helps to decide. */
export interface OpenQuestion {
  readonly threadId: string;
  readonly interruptId: string;
  readonly action: Action;
  /** Who is asked; absent for anybody. */
  readonly assignee?: string;
  /** Absent where the model asks for nonsense. */
  readonly order?: Order;
  readonly policy?: PolicyResult;
}

/** Worker to parent: the graph once, then all that happens on its threads. */
export type WorkerEvent = { readonly type: "graph"; readonly drawing: string } | ThreadEvent;

/** What happens on one thread. */
export type ThreadEvent = { readonly threadId: string } & (
  | {
      readonly type: "found";
      readonly status: ThreadState["status"] | "new";
      readonly step: number;
      readonly next: readonly string[];
    }
  | { readonly type: "node"; readonly node: string; readonly phase: "start" | "end" }
  | { readonly type: "token" }
  | { readonly type: "question"; readonly question: OpenQuestion }
  | ({ readonly type: "refund" } & RefundNews)
  | { readonly type: "finished"; readonly summary: ThreadSummary }
);

/** What is left of a thread when it is over. */
export interface ThreadSummary {
  readonly status: ThreadState["status"];
  readonly steps: number;
  readonly toolCalls: number;
  readonly tokens: number;
  readonly decisions: readonly DecisionRecord[];
  /** The last words to the customer, or what went wrong. */
  readonly outcome: string;
}
