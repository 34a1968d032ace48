import { Command } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { z } from "zod";
import { parseOptions } from "../errors/index.ts";
import type { ActionToApprove } from "./approval-question.ts";
import type { DecisionRecord } from "./decisions.ts";
import { nodeTraits } from "./effect.ts";
import type { TraitOptions } from "./effect.ts";
import { requestApproval } from "./request-approval.ts";
import type { Approval, ExpiryNode, OnExpiry } from "./request-approval.ts";

/** What an {@link approval} node asks, and where it goes on. */
export interface ApprovalOptions<
  State,
  Node extends string,
  Expiry extends OnExpiry,
  Update,
  DecisionsKey extends string,
> {
  /** What to decide about; an empty list goes on as approved, without asking. */
  readonly actions:
    | readonly ActionToApprove[]
    | ((
        state: State,
        config: LangGraphRunnableConfig,
      ) => readonly ActionToApprove[] | Promise<readonly ActionToApprove[]>);
  /** Who should decide. @default anybody */
  readonly assignee?: string;
  /** A remark for them. */
  readonly comment?: string;
  /** How long they have, from when they are first asked. @default for ever */
  readonly expiresInMs?: number;
  /** What happens when nobody decides in time. @default "reject" */
  readonly onExpiry?: Expiry;
  /** Where to go on when every action was approved or edited. @default along the node's edges */
  readonly onApprove?: Node;
  /** Where to go on when any was rejected; goes with `onApprove`. @default along the node's edges */
  readonly onReject?: Node;
  /** What else to write to the state, such as edited arguments. */
  readonly update?: (approval: Approval<Node | ExpiryNode<Expiry>>, state: State) => Update | Promise<Update>;
  /** The channel that keeps the decisions ({@link decisionsChannel}). @default "decisions" */
  readonly decisionsKey?: DecisionsKey;
}

/** What an approval node writes: its decisions and what `update` adds. */
export type ApprovalUpdate<Update, DecisionsKey extends string> = Update &
  Record<DecisionsKey, readonly DecisionRecord[]>;

/** A node that asks, with the options it is to be added with. */
export interface ApprovalNode<State, Node extends string, Update, DecisionsKey extends string = "decisions"> {
  (
    state: State,
    config: LangGraphRunnableConfig,
  ): Promise<ApprovalUpdate<Update, DecisionsKey> | Command<unknown, ApprovalUpdate<Update, DecisionsKey>, Node>>;
  /** For `addNode`: where it can go, and that it asks. */
  readonly options: TraitOptions & { ends?: Node[] };
}

const Options = z
  .object({
    onApprove: z.string().min(1).optional(),
    onReject: z.string().min(1).optional(),
    onExpiry: z.unknown().optional(),
    decisionsKey: z.string().min(1).default("decisions"),
  })
  .refine(({ onApprove, onReject }) => (onApprove === undefined) === (onReject === undefined), {
    message: "onApprove and onReject go together",
  })
  .refine(({ onApprove, onExpiry }) => onApprove !== undefined || expiryNode(onExpiry as OnExpiry) === undefined, {
    message: "a node to go to needs onApprove and onReject beside it: LangGraph would follow the node's edges too",
    path: ["onExpiry"],
  });

/**
 * A node that asks a person ({@link requestApproval}), keeps the decision in the state, and goes on by it:
 * `graph.addNode("ask", ask, ask.options)`. A node that has `onApprove` and `onReject` needs no edges out of it.
 * @throws PerdureError `OPTIONS_INVALID`
 *
 * @example
 * const ask = approval({
 *   actions: (state: typeof State.State) => [{ name: "refund", args: { amount: state.amount } }],
 *   onApprove: "refund",
 *   onReject: "explain",
 * });
 */
export function approval<
  State,
  const Node extends string = never,
  const Expiry extends OnExpiry = never,
  Update extends object = object,
  const DecisionsKey extends string = "decisions",
>(
  options: ApprovalOptions<State, Node, Expiry, Update, DecisionsKey>,
): ApprovalNode<State, Node | ExpiryNode<Expiry>, Update, DecisionsKey> {
  type Target = Node | ExpiryNode<Expiry>;
  type Written = ApprovalUpdate<Update, DecisionsKey>;
  const { decisionsKey } = parseOptions("approval", Options, options);
  const { actions, onApprove, onReject, update } = options;
  const ends = [
    ...new Set([onApprove, onReject, expiryNode(options.onExpiry)].filter((node) => node !== undefined)),
  ] as Target[];

  const node = async (state: State, config: LangGraphRunnableConfig) => {
    const asked = typeof actions === "function" ? await actions(state, config) : actions;
    const result: Approval<Target> =
      asked.length === 0
        ? { decisions: [], records: [], expired: false }
        : await requestApproval<Expiry>(request(options, asked));
    const written = {
      ...(await update?.(result, state)),
      [decisionsKey]: result.records,
    } as unknown as Written;
    const rejected = result.decisions.some(({ type }) => type === "reject");
    const goto = result.goto ?? (rejected ? onReject : onApprove);
    return goto === undefined ? written : new Command<unknown, Written, Target>({ update: written, goto });
  };
  return Object.assign(node, {
    options: {
      ...nodeTraits({ approval: true, ...(onReject === undefined ? { goesOnAfterNo: true } : {}) }),
      ...(ends.length === 0 ? {} : { ends }),
    },
  });
}

function request<State, Node extends string, Expiry extends OnExpiry, Update, DecisionsKey extends string>(
  options: ApprovalOptions<State, Node, Expiry, Update, DecisionsKey>,
  actions: readonly ActionToApprove[],
) {
  const { assignee, comment, expiresInMs, onExpiry } = options;
  return {
    actions,
    ...(assignee === undefined ? {} : { assignee }),
    ...(comment === undefined ? {} : { comment }),
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(onExpiry === undefined ? {} : { onExpiry }),
  };
}

function expiryNode(onExpiry: OnExpiry | undefined): string | undefined {
  if (onExpiry === undefined || onExpiry === "reject") return undefined;
  return typeof onExpiry === "string" ? onExpiry : expiryNode(onExpiry.onExpiry);
}
