import { AIMessage } from "@langchain/core/messages";
import type { DeskState } from "./desk.ts";
import type { ThreadSummary } from "./protocol.ts";

/** What the table at the end shows of a thread, read off its state. */
export function summarize(state: DeskState): ThreadSummary {
  const { messages, usage, decisions } = state.values;
  const said = messages.filter((message) => AIMessage.isInstance(message));
  return {
    status: state.status,
    steps: state.step,
    toolCalls: said.reduce((sum, message) => sum + (message.tool_calls?.length ?? 0), 0),
    tokens: usage.totalTokens,
    decisions,
    outcome: state.status === "error" ? state.error.message : (said.at(-1)?.text ?? ""),
  };
}
