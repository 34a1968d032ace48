import { Annotation } from "@langchain/langgraph";
import type { UsageMetadata } from "@langchain/core/messages";

/** What a model used: tokens as the provider counts them, and how many calls they are from. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
  readonly calls: number;
}

/** Nothing used yet. */
export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0, calls: 0 };

/** A state channel that adds up what models used on a thread: `usage: usageChannel()`. */
export function usageChannel() {
  return Annotation<Usage>({ reducer: addUsage, default: () => NO_USAGE });
}

/** The sum of two. */
export function addUsage(left: Usage, right: Usage): Usage {
  return {
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    totalTokens: left.totalTokens + right.totalTokens,
    calls: left.calls + right.calls,
  };
}

/** One model call, from a message's `usage_metadata`; a provider that reports none counts as a call of 0 tokens. */
export function usageOf(metadata: UsageMetadata | undefined): Usage {
  const inputTokens = metadata?.input_tokens ?? 0;
  const outputTokens = metadata?.output_tokens ?? 0;
  return { inputTokens, outputTokens, totalTokens: metadata?.total_tokens ?? inputTokens + outputTokens, calls: 1 };
}
