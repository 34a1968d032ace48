import type { AnswerSchema } from "./answer.ts";
import type { Action } from "./decisions.ts";

/** What a person may decide about an action. */
export type DecisionType = "approve" | "edit" | "reject";

/** One action to decide about, as the asking node describes it. */
export interface ActionToApprove extends Action {
  /** What a person should know to decide. */
  readonly description?: string;
  /** What may be decided. @default all three */
  readonly allowedDecisions?: readonly DecisionType[];
  /** JSON schema of the arguments, for edits. @default any object */
  readonly argsSchema?: AnswerSchema;
}

/**
 * What an approval asks. `actionRequests` and `reviewConfigs` have the shapes of LangChain's
 * human-in-the-loop middleware (`HITLRequest`), so inboxes made for it work.
 */
export interface ApprovalQuestion {
  readonly actionRequests: readonly {
    readonly name: string;
    readonly args: Action["args"];
    readonly description?: string;
  }[];
  readonly reviewConfigs: readonly {
    readonly actionName: string;
    readonly allowedDecisions: readonly DecisionType[];
    readonly argsSchema?: AnswerSchema;
  }[];
  /** Who should decide. */
  readonly assignee?: string;
  /** A remark for them. */
  readonly comment?: string;
  /** Until when, as an ISO date. */
  readonly dueAt?: string;
  /** What was wrong with the answer before; only when it is asked again for that. */
  readonly problem?: string;
}

/** What is decided about one action; the shape of LangChain's `Decision`. */
export type Decision =
  | { readonly type: "approve" }
  | { readonly type: "edit"; readonly editedAction: Action }
  | { readonly type: "reject"; readonly message?: string };

/** The answer to an {@link ApprovalQuestion}: a decision for each action, in their order. */
export interface ApprovalAnswer {
  readonly decisions: readonly Decision[];
  /** Who decided. */
  readonly decidedBy?: string;
  /** A remark, kept with the decision. */
  readonly comment?: string;
}

/** Puts actions into the shapes of the question. */
export function approvalQuestion(actions: readonly ActionToApprove[]): ApprovalQuestion {
  return {
    actionRequests: actions.map(({ name, args, description }) => ({
      name,
      args,
      ...(description === undefined ? {} : { description }),
    })),
    reviewConfigs: actions.map(({ name, allowedDecisions, argsSchema }) => ({
      actionName: name,
      allowedDecisions: allowedDecisions ?? ["approve", "edit", "reject"],
      ...(argsSchema === undefined ? {} : { argsSchema }),
    })),
  };
}

/**
 * The JSON schema of the answer: as many decisions as actions, of each only what is allowed, edited
 * arguments by the action's own schema. An edit changes the arguments; another action is another question.
 */
export function approvalAnswerSchema(question: ApprovalQuestion): AnswerSchema {
  const decisions = question.reviewConfigs.map(decisionSchema);
  const places = question.reviewConfigs.flatMap(({ argsSchema }, i) =>
    argsSchema === undefined ? [] : [[argsPlace(i), rooted(argsSchema, `#/$defs/${argsPlace(i)}`)] as const],
  );
  return {
    type: "object",
    ...(places.length === 0 ? {} : { $defs: Object.fromEntries(places) }),
    properties: {
      decisions: {
        type: "array",
        prefixItems: decisions,
        items: false,
        minItems: decisions.length,
        maxItems: decisions.length,
      },
      decidedBy: { type: "string" },
      comment: { type: "string" },
    },
    required: ["decisions"],
  };
}

function argsPlace(index: number): string {
  return `args${index}`;
}

/** The schema with its references to itself as they are at its new place. */
function rooted(schema: AnswerSchema, place: string): AnswerSchema {
  const text = JSON.stringify(schema, (key, value: unknown) =>
    key === "$ref" && typeof value === "string" && value.startsWith("#") ? place + value.slice(1) : value,
  );
  return JSON.parse(text) as AnswerSchema;
}

function decisionSchema(config: ApprovalQuestion["reviewConfigs"][number], index: number): AnswerSchema {
  const variants: Record<DecisionType, AnswerSchema> = {
    approve: { type: "object", properties: { type: { const: "approve" } }, required: ["type"] },
    edit: {
      type: "object",
      properties: {
        type: { const: "edit" },
        editedAction: {
          type: "object",
          properties: {
            name: { const: config.actionName },
            args: config.argsSchema === undefined ? { type: "object" } : { $ref: `#/$defs/${argsPlace(index)}` },
          },
          required: ["name", "args"],
        },
      },
      required: ["type", "editedAction"],
    },
    reject: {
      type: "object",
      properties: { type: { const: "reject" }, message: { type: "string" } },
      required: ["type"],
    },
  };
  return {
    type: "object",
    properties: { type: { enum: [...config.allowedDecisions] } },
    required: ["type"],
    anyOf: config.allowedDecisions.map((type) => variants[type]),
  };
}
