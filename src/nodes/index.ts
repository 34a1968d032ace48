export { modelNode } from "./model-node.ts";
export type { ModelNodeOptions, ModelUpdate, Prompt } from "./model-node.ts";
export { usageChannel } from "./usage.ts";
export type { Usage } from "./usage.ts";
export { toolNode } from "./tool-node.ts";
export type { RunnableTool, ToolErrorPolicy, ToolNodeInput, ToolNodeOptions, ToolNodeResult } from "./tool-node.ts";
export { getIdempotencyKey } from "./idempotency-key.ts";

export { approval } from "./approval.ts";
export type { ApprovalNode, ApprovalOptions, ApprovalUpdate } from "./approval.ts";
export { requestApproval } from "./request-approval.ts";
export type { Approval, ApprovalRequest, Escalation, ExpiryNode, OnExpiry } from "./request-approval.ts";
export type { ActionToApprove, ApprovalAnswer, ApprovalQuestion, Decision, DecisionType } from "./approval-question.ts";
export { decisionsChannel } from "./decisions.ts";
export type { Action, DecisionRecord } from "./decisions.ts";

export { waitForSignal } from "./wait-for-signal.ts";
export type { SignalOptions } from "./wait-for-signal.ts";
export { sleep, sleepUntil } from "./sleep.ts";
export { once } from "./once.ts";
export type { OnceContext } from "./once-work.ts";
export type { OnceCommitter, OncePlace, OnceTxOptions, TransactionSql } from "./once-tx.ts";

export { withPolicies } from "./with-policies.ts";
export type { BudgetPlace, GuardedNode, NodeLike, Policies } from "./with-policies.ts";
export { RETRY_KEY, worthRetrying } from "./retry.ts";
export type { RetryOptions, RetryRule } from "./retry.ts";
export type { BreakerOptions } from "./circuit-breaker.ts";
export type { RateLimitOptions } from "./rate-limit.ts";
export { budgetChannel, budgetExceeded } from "./budget.ts";
export type { Budget, BudgetExcess, Spending } from "./budget.ts";

export { effect, nodeTraits, readNodeTraits } from "./effect.ts";
export type { Effect, NodeTraits, TraitOptions } from "./effect.ts";

export { interruptKind, isDueAnswer, questionDueAt } from "./question.ts";
export type { DueAnswer, InterruptKind, SignalQuestion, TimerQuestion } from "./question.ts";
export { answerProblem, answerSchema } from "./answer.ts";
export type { AnswerSchema } from "./answer.ts";
export { beginAttempt } from "./attempt.ts";
export { CLOCK_KEY } from "./running-task.ts";
export { INPUT_STEP_KEY, currentTurn } from "./turn.ts";
