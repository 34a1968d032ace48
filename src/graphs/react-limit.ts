import type { AIMessage, BaseMessage } from "@langchain/core/messages";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";

import { PerdureError } from "../errors/index.ts";
import { type DecisionRecord, requestApproval } from "../nodes/index.ts";
import { openCalls, refusal, withoutCalls } from "./open-calls.ts";
import type { RoundLimit, Spent } from "./react-allowance.ts";

/** The state as these nodes read it: the conversation, and the channels that count. */
export type LimitState = { readonly messages: readonly BaseMessage[] } & Readonly<Record<string, unknown>>;

/** Calls the model; tools can't be called. */
export type Answer = (state: LimitState, config: LangGraphRunnableConfig) => Promise<{ messages: AIMessage[] }>;

/** The node "finish": answers open calls with the limit, and has the model answer from what it has. */
export function finishNode(limit: RoundLimit, answer: Answer) {
  return async (state: LimitState, config: LangGraphRunnableConfig) => {
    const reached = limit.spent(state);
    const closing = closeCalls(
      state.messages,
      reached,
      "Answer now from what you have; no tool can be called any more.",
    );
    const update = await answer({ ...state, messages: [...state.messages, ...closing] }, config);
    const messages = update.messages.map((message) =>
      withoutCalls(message, `I stopped at the limit of ${what(reached)}.`),
    );
    return { ...update, messages: [...closing, ...messages] };
  };
}

/** The node "limit": answers open calls with the limit, so that the conversation can go on elsewhere. */
export function limitNode(limit: RoundLimit) {
  return (state: LimitState) => ({ messages: closeCalls(state.messages, limit.spent(state), "It was not run.") });
}

/** The node "stop": ends the turn in the error that says which limit was reached. */
export function stopNode(limit: RoundLimit) {
  return (state: LimitState): never => {
    const reached = limit.spent(state);
    throw new PerdureError(
      reached?.code ?? "ITERATION_LIMIT",
      `The turn used up its ${what(reached)} and did not come to an answer.`,
      {
        hint: "Raise maxIterations or the budget, or take another onLimit.",
      },
    );
  };
}

/** The name of the action a person is asked about. */
const GO_ON = "continue";

/** The node "ask": asks a person whether the turn may go on, and for how many rounds. */
export function askNode(limit: RoundLimit) {
  return async (state: LimitState) => {
    const names = openCalls(state.messages).map(({ toolCall }) => toolCall.name);
    const { decisions, records } = await requestApproval({
      actions: [
        {
          name: GO_ON,
          args: { iterations: limit.maxIterations },
          description: `The turn used up its ${what(limit.spent(state))}; it would go on with ${names.join(", ")}.`,
          argsSchema: {
            type: "object",
            properties: { iterations: { type: "integer", minimum: 1 } },
            required: ["iterations"],
            additionalProperties: false,
          },
        },
      ],
    });
    const [decision] = decisions;
    const written: { decisions: readonly DecisionRecord[] } = { decisions: records };
    if (decision === undefined || decision.type === "reject") return written;
    const more = decision.type === "edit" ? Number(decision.editedAction.args["iterations"]) : limit.maxIterations;
    return { ...written, ...limit.grant(more, state) };
  };
}

/** Providers refuse a conversation in which a call is unanswered. */
function closeCalls(messages: readonly BaseMessage[], reached: Spent | undefined, rest: string): BaseMessage[] {
  return openCalls(messages).map(({ toolCall }) =>
    refusal(toolCall, `The limit of ${what(reached)} is reached. ${rest}`),
  );
}

function what(reached: Spent | undefined): string {
  return reached?.limit ?? "this turn";
}
