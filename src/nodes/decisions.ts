import { Annotation } from "@langchain/langgraph";

/** An action somebody decided about: a tool's name and its arguments, or whatever the graph calls it. */
export interface Action {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** What was decided about one action, by whom and when; kept in the state. */
export interface DecisionRecord {
  /** The action as it was asked about. */
  readonly action: Action;
  /** `escalate`: nobody decided in time, and somebody else was asked. */
  readonly type: "approve" | "edit" | "reject" | "escalate";
  /** The action as it was changed; only with `edit`. */
  readonly editedAction?: Action;
  /** Why it was rejected, as the model is told; only with `reject`. */
  readonly message?: string;
  /** Who decided, as the answer says; null when nobody did or it does not say. */
  readonly decidedBy: string | null;
  /** A remark for people. */
  readonly comment: string | null;
  /** Who was asked; null for anybody. */
  readonly assignee: string | null;
  /** When it was decided, as an ISO date. */
  readonly at: string;
  /** Present when time decided it and not a person. */
  readonly expired?: true;
}

/**
 * A state channel that keeps every decision, oldest first: `decisions: decisionsChannel()`. Nodes add
 * to it, nothing takes away.
 */
export function decisionsChannel() {
  return Annotation<readonly DecisionRecord[], DecisionRecord | readonly DecisionRecord[]>({
    reducer: (kept, added) => kept.concat(added),
    default: () => [],
  });
}
