import { z } from "zod";
import { parseOptions } from "../errors/index.ts";
import { answerProblem } from "./answer.ts";
import type { AnswerSchema } from "./answer.ts";
import { approvalAnswerSchema, approvalQuestion } from "./approval-question.ts";
import type { ActionToApprove, ApprovalAnswer, ApprovalQuestion, Decision } from "./approval-question.ts";
import { Duration, askAbout, dueIn } from "./ask.ts";
import type { Outcome, Reading } from "./ask.ts";
import type { DecisionRecord } from "./decisions.ts";
import { clockOf, currentConfig } from "./running-task.ts";

/**
 * What happens when nobody decides in time: every action is rejected, and then
 * - `"reject"`: nothing more
 * - a node's name: the graph goes there
 * - `{ escalateTo }`: somebody else is asked instead, with a due date of their own
 */
export type OnExpiry<Node extends string = string> = "reject" | Node | Escalation<Node>;

/** Asking again, of somebody else. */
export interface Escalation<Node extends string = string> {
  readonly escalateTo: string;
  /** How long they have. @default as long as the first */
  readonly expiresInMs?: number;
  /** What happens when they don't decide in time either. @default "reject" */
  readonly onExpiry?: OnExpiry<Node>;
}

/** The node that an `onExpiry` names at the end of its escalations, of which it looks at the first eight. */
export type ExpiryNode<Expiry, Depth extends readonly unknown[] = []> = Expiry extends string
  ? Exclude<Expiry, "reject">
  : Depth["length"] extends 8
    ? never
    : Expiry extends { readonly onExpiry?: infer Next }
      ? ExpiryNode<Next, [...Depth, Next]>
      : never;

/** What {@link requestApproval} asks, and of whom. */
export interface ApprovalRequest<Node extends string = string> {
  /** What to decide about, at least one. */
  readonly actions: readonly ActionToApprove[];
  /** Who should decide. @default anybody */
  readonly assignee?: string;
  /** A remark for them. */
  readonly comment?: string;
  /** How long they have, from when they are first asked. @default for ever */
  readonly expiresInMs?: number;
  /** What happens when nobody decides in time. @default "reject" */
  readonly onExpiry?: OnExpiry<Node>;
}

/** What was decided. */
export interface Approval<Node extends string = string> {
  /** A decision for each action, in their order. */
  readonly decisions: readonly Decision[];
  /** What belongs in the state's {@link decisionsChannel}: the decisions, and the escalations before them. */
  readonly records: readonly DecisionRecord[];
  /** Whether time decided it. */
  readonly expired: boolean;
  /** Where to go on, when time decided it and `onExpiry` names a node. */
  readonly goto?: Node;
}

const AnyExpiry: z.ZodType<OnExpiry> = z.lazy(() => z.union([z.string().min(1), EscalationOptions]));
const EscalationOptions = z.object({
  escalateTo: z.string().min(1),
  expiresInMs: Duration.optional(),
  onExpiry: AnyExpiry.optional(),
}) as z.ZodType<Escalation>;
const Request = z
  .object({
    actions: z
      .array(
        z.object({
          name: z.string().min(1),
          args: z.record(z.string(), z.unknown()),
          description: z.string().optional(),
          allowedDecisions: z
            .array(z.enum(["approve", "edit", "reject"]))
            .min(1)
            .optional(),
          argsSchema: z.record(z.string(), z.unknown()).optional(),
        }),
      )
      .min(1),
    assignee: z.string().min(1).optional(),
    comment: z.string().optional(),
    expiresInMs: Duration.optional(),
    onExpiry: AnyExpiry.optional(),
  })
  .refine(({ expiresInMs, onExpiry }) => onExpiry === undefined || expiresInMs !== undefined, {
    message: "needs expiresInMs beside it",
    path: ["onExpiry"],
  });

/**
 * Asks a person before something irreversible is done, from inside a node: the thread stops at an interrupt of kind
 * `approval` until somebody answers or its time is over. Put `records` into the state's `decisions` channel.
 *
 * The question and its answer have the shapes of LangChain's human-in-the-loop middleware
 * ({@link ApprovalQuestion}, {@link ApprovalAnswer}); the answer's JSON schema goes with the interrupt. A decision
 * holds for the names and arguments that were asked about: if the node asks about others when it runs again, it asks anew.
 *
 * @throws PerdureError `OPTIONS_INVALID`, `OUTSIDE_GRAPH`
 *
 * @example
 * const { decisions: [decision], records } = await requestApproval({ actions: [{ name: "refund", args: { amount: 40 } }] });
 * if (decision?.type !== "approve") return { decisions: records };
 */
export async function requestApproval<const Expiry extends OnExpiry = never>(
  request: Omit<ApprovalRequest, "onExpiry"> & { readonly onExpiry?: Expiry },
): Promise<Approval<ExpiryNode<Expiry>>> {
  const { actions } = parseOptions("requestApproval", Request, request) as ApprovalRequest;
  const asked = approvalQuestion(actions);
  const schema = approvalAnswerSchema(asked);
  const subject = actions.map(({ name, args }) => ({ name, args }));
  const records: DecisionRecord[] = [];
  for (let stage: Stage = request; ;) {
    const question = await questionTo(stage, asked);
    const outcome = await askAbout("requestApproval", subject, question, schema, (answer) =>
      readAnswer(schema, answer),
    );
    if (!outcome.due) {
      const { decisions } = outcome.value;
      records.push(...recordsOf(actions, decisions, stage, outcome));
      return { decisions, records, expired: false };
    }
    const next = nextStage(stage);
    if (next !== undefined) {
      records.push(
        ...recordsOf(
          actions,
          actions.map(() => ({ type: "escalate" })),
          stage,
          outcome,
        ),
      );
      stage = next;
      continue;
    }
    const message = `Nobody decided until ${question.dueAt}.`;
    const decisions = actions.map((): Decision => ({ type: "reject", message }));
    records.push(...recordsOf(actions, decisions, stage, outcome));
    const goto =
      stage.onExpiry === undefined || stage.onExpiry === "reject" ? undefined : (stage.onExpiry as ExpiryNode<Expiry>);
    return { decisions, records, expired: true, ...(goto === undefined ? {} : { goto }) };
  }
}

/** One round of asking: the first, or an escalation. */
type Stage = Omit<ApprovalRequest, "actions">;

function nextStage(stage: Stage): Stage | undefined {
  if (typeof stage.onExpiry !== "object") return undefined;
  const { escalateTo, onExpiry = "reject", expiresInMs = stage.expiresInMs } = stage.onExpiry;
  return { ...stage, assignee: escalateTo, onExpiry, ...(expiresInMs === undefined ? {} : { expiresInMs }) };
}

async function questionTo(stage: Stage, asked: ApprovalQuestion): Promise<ApprovalQuestion> {
  const { assignee, comment, expiresInMs } = stage;
  return {
    ...asked,
    ...(assignee === undefined ? {} : { assignee }),
    ...(comment === undefined ? {} : { comment }),
    ...(expiresInMs === undefined ? {} : { dueAt: await dueIn("requestApproval", expiresInMs) }),
  };
}

function readAnswer(schema: AnswerSchema, answer: unknown): Reading<ApprovalAnswer> {
  const problem = answerProblem(schema, answer);
  return problem === undefined ? { ok: true, value: onlyAnswer(answer as ApprovalAnswer) } : { ok: false, problem };
}

/** Only what a decision has, so that no other field of the answer gets into the record or says another action. */
function onlyAnswer({ decisions, decidedBy, comment }: ApprovalAnswer): ApprovalAnswer {
  return {
    decisions: decisions.map((decision): Decision => {
      if (decision.type === "approve") return { type: "approve" };
      if (decision.type === "edit") {
        const { name, args } = decision.editedAction;
        return { type: "edit", editedAction: { name, args } };
      }
      return { type: "reject", ...(decision.message === undefined ? {} : { message: decision.message }) };
    }),
    ...(decidedBy === undefined ? {} : { decidedBy }),
    ...(comment === undefined ? {} : { comment }),
  };
}

function recordsOf(
  actions: readonly ActionToApprove[],
  decisions: readonly (Decision | { readonly type: "escalate" })[],
  stage: Stage,
  outcome: Outcome<ApprovalAnswer>,
): DecisionRecord[] {
  const by = outcome.due
    ? { decidedBy: null, comment: null, at: outcome.answer.at, expired: true as const }
    : {
        decidedBy: outcome.value.decidedBy ?? null,
        comment: outcome.value.comment ?? null,
        at: new Date(clockOf(currentConfig("requestApproval"))).toISOString(),
      };
  return actions.map(({ name, args }, i) => ({
    action: { name, args },
    ...(decisions[i] as Decision),
    assignee: stage.assignee ?? null,
    ...by,
  }));
}
