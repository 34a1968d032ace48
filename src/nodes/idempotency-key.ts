import { createHash } from "node:crypto";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { currentConfig, taskIdentity } from "./running-task.ts";

/** Where {@link toolNode} leaves the id of the tool call that runs. */
export const TOOL_CALL_ID_KEY = "perdure_tool_call_id";

/**
 * A key for the work that is being done now, to hand to a payment provider or a unique column so that
 * the same work done twice has one effect. Made of the thread, the task and the tool call, so it is the
 * same for each retry, after a crash and after a resume, and another one for any other call. A fork of
 * the thread is other work. LangChain's own `ToolNode` runs several calls in one task; there pass each
 * tool its config, or the key is the same for all of them.
 * @param config the config a tool or node was given; found by itself when absent
 * @returns 64 hexadecimal digits (SHA-256)
 * @throws PerdureError `OUTSIDE_GRAPH` when no config is given and no node is running
 */
export function getIdempotencyKey(config?: LangGraphRunnableConfig): string {
  const found = config ?? currentConfig("getIdempotencyKey");
  const { threadId, taskId } = taskIdentity(found);
  return idempotencyKey(threadId, taskId, "tool", toolCallId(found));
}

/** The hash itself: of its parts, each told apart from the next. */
export function idempotencyKey(...parts: readonly (string | undefined)[]): string {
  return createHash("sha256")
    .update(JSON.stringify(parts.map((part) => part ?? null)))
    .digest("hex");
}

function toolCallId(config: LangGraphRunnableConfig): string | undefined {
  const configurable: Record<string, unknown> = config.configurable ?? {};
  if (typeof configurable[TOOL_CALL_ID_KEY] === "string") return configurable[TOOL_CALL_ID_KEY];
  // LangChain's own ToolNode says it in the tool's config
  return "toolCallId" in config && typeof config.toolCallId === "string" ? config.toolCallId : undefined;
}
