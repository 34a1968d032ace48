/**
 * The person's side of an approval. Whoever is asked, at the terminal or in decisions.json, is asked one
 * question at a time, and once: an answer that a dying worker did not take is given again to the next.
 */
import { userInfo } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { ApprovalAnswer, Decision } from "perdure/nodes";
import type { DecisionRules } from "./batch.ts";
import { MAX_REFUND_CENTS, refundArguments } from "./desk-tools.ts";
import { formatCents, parseEuros } from "./money.ts";
import type { Prompt } from "./frame.ts";
import type { OpenQuestion } from "./protocol.ts";
import type { Screen } from "./screen.ts";

/** Decides about one refund. Throws the signal's reason when the question is withdrawn before: its time was over. */
export type Decide = (question: OpenQuestion, withdrawn?: AbortSignal) => Promise<ApprovalAnswer>;

/** An answer that was given. */
export interface GivenAnswer {
  readonly threadId: string;
  readonly answer: ApprovalAnswer;
}

/** Hands each question to `decide`, one after the other until one of them fails; asked again, it gives the answer it has. All answers are noted in `given`. */
export function askOnce(decide: Decide, given: GivenAnswer[]): Decide {
  const answers = new Map<string, Promise<ApprovalAnswer>>();
  let last: Promise<unknown> = Promise.resolve();
  return (question, withdrawn) => {
    const { threadId, interruptId } = question;
    const known = answers.get(interruptId);
    if (known !== undefined) return known;
    const answer = last.then(async () => {
      withdrawn?.throwIfAborted();
      const decided = await decide(question, withdrawn);
      given.push({ threadId, answer: decided });
      return decided;
    });
    last = answer.catch((error: unknown) => {
      if (withdrawn?.aborted !== true) throw error;
    });
    last.catch(() => undefined); // who asked is told
    answers.set(interruptId, answer);
    return answer;
  };
}

/** Approves whatever the rules make no exception for, and takes a moment over it, as a person would. */
export function decideByRules(rules: DecisionRules, momentMs: number, screen: Pick<Screen, "line">): Decide {
  return async (question) => {
    screen.line(questionText(question));
    await pause(momentMs);
    const answer = answerByRules(rules, question);
    screen.line(`  → ${answerText(answer)}`);
    return answer;
  };
}

function answerByRules({ decidedBy, exceptions }: DecisionRules, question: OpenQuestion): ApprovalAnswer {
  const rule = exceptions.find(({ orderId }) => orderId === question.action.args["orderId"]);
  if (rule === undefined) return { decisions: [{ type: "approve" }], decidedBy };
  const { comment } = rule;
  if (rule.type === "reject") return { decisions: [{ type: "reject", message: comment }], decidedBy, comment };
  return { decisions: [edited(question, rule.amountCents)], decidedBy, comment };
}

/** Asks the person at the terminal. */
export function decideAtTerminal(screen: Pick<Screen, "ask" | "line">): Decide {
  const decidedBy = userInfo().username;
  return async (question, withdrawn) => {
    const details = questionText(question);
    const ask = (prompt: Prompt) => screen.ask(prompt, withdrawn);
    const answer: ApprovalAnswer = { decisions: [await askPerson({ ask }, question, details)], decidedBy };
    screen.line(`${details}\n  → ${answerText(answer)}`);
    return answer;
  };
}

async function askPerson(screen: Pick<Screen, "ask">, question: OpenQuestion, details: string): Promise<Decision> {
  const canEdit = refundArguments.safeParse(edited(question, 1).editedAction.args).success;
  const text = canEdit ? "  approve, edit or reject? [a/e/r] " : "  approve or reject? [a/r] ";
  let hint: string | undefined;
  for (;;) {
    const choice = (await screen.ask({ details, ...(hint !== undefined && { hint }), text })).toLowerCase();
    if (/^(a|approve|y|yes)$/.test(choice)) return { type: "approve" };
    if (/^(r|reject|n|no)$/.test(choice)) {
      const message = await screen.ask({ details, text: "  why? " });
      return { type: "reject", ...(message !== "" && { message }) };
    }
    if (canEdit && /^(e|edit)$/.test(choice)) {
      const amountCents = await askAmount(screen, question, details);
      if (amountCents !== undefined) return edited(question, amountCents);
      hint = "No amount, no change.";
    } else {
      hint = `Type a to approve it, ${canEdit ? "e to change the amount, " : ""}or r to reject it.`;
    }
  }
}

/** @returns cents; undefined if the person thought better of it */
async function askAmount(
  screen: Pick<Screen, "ask">,
  { order, policy }: OpenQuestion,
  details: string,
): Promise<number | undefined> {
  const most = policy?.allowed ? policy.maxAmountCents : (order?.priceCents ?? MAX_REFUND_CENTS);
  const example = (Math.min(1250, most) / 100).toFixed(2);
  const range = `between ${formatCents(1)} and ${formatCents(most)}, such as ${example}`;
  let hint = `Type an amount ${range}, or nothing to go back.`;
  for (;;) {
    const typed = await screen.ask({ details, hint, text: "  how much instead, in euros? " });
    if (typed === "") return undefined;
    const cents = parseEuros(typed);
    if (cents !== undefined && cents >= 1 && cents <= most) return cents;
    hint = `${JSON.stringify(typed)} can't be refunded: type an amount ${range}, or nothing to go back.`;
  }
}

/** The action, the amount, the customer and what the policy says, in a few lines. */
function questionText({ threadId, action, assignee, order, policy }: OpenQuestion): string {
  const amount = action.args["amountCents"];
  const money = typeof amount === "number" ? formatCents(amount) : "no amount";
  const asked = `? ${threadId}${assignee === undefined ? "" : `  for ${assignee}`}`;
  if (order === undefined) return `${asked}  ${action.name} ${JSON.stringify(action.args)}: no such order`;
  return [
    `${asked}  ${action.name}: ${money} to ${order.customer}`,
    `  for ${order.item} (order ${order.id}, ${formatCents(order.priceCents)})`,
    `  policy: ${policy?.allowed ? `at most ${formatCents(policy.maxAmountCents)}. ` : ""}${policy?.reason ?? "does not know this condition"}`,
  ].join("\n");
}

const DECISION_WORDS = { approve: "approved", edit: "approved with a change", reject: "rejected" };

/** What was decided, in a few words. */
function answerText({ decisions: [decision], decidedBy = "somebody", comment }: ApprovalAnswer): string {
  if (decision === undefined) return "nothing was decided";
  const { editedAction } = { editedAction: undefined, ...decision };
  const change = editedAction === undefined ? "" : ` to ${formatCents(Number(editedAction.args["amountCents"]))}`;
  return `${DECISION_WORDS[decision.type]}${change} by ${decidedBy}${comment === undefined ? "" : `: ${comment}`}`;
}

function edited({ action }: OpenQuestion, amountCents: number): Extract<Decision, { type: "edit" }> {
  return { type: "edit", editedAction: { name: action.name, args: { ...action.args, amountCents } } };
}
