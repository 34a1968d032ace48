import { ToolMessage } from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages";
import type { DynamicTool, StructuredToolInterface } from "@langchain/core/tools";
import { isCommand, isGraphBubbleUp } from "@langchain/langgraph";
import type { Command, LangGraphRunnableConfig } from "@langchain/langgraph";
import { z } from "zod";
import { isPerdureError, parseOptions, PerdureError } from "../errors/index.ts";
import { readNodeTraits } from "./effect.ts";
import { TOOL_CALL_ID_KEY } from "./idempotency-key.ts";
import { argumentsProblem } from "./tool-arguments.ts";

/** What a {@link toolNode} runs: one call, and what else the tool may see as its state. Send it with LangGraph's `Send`. */
export interface ToolNodeInput {
  readonly toolCall: ToolCall;
}

/** Who hears of a failed tool call: the model, or whoever runs the graph. */
export type ToolErrorPolicy =
  | "tell"
  | "throw"
  | ((error: unknown, call: ToolCall) => "tell" | "throw" | Promise<"tell" | "throw">);

/** A LangChain tool, as `tool()` makes it. */
export type RunnableTool = StructuredToolInterface | DynamicTool<string>;

/** What a {@link toolNode} can run. */
export interface ToolNodeOptions<MessagesKey extends string = "messages"> {
  /** The tools there are. */
  readonly tools: readonly RunnableTool[];
  /**
   * Whether the model is told of an error, in a message with status `error`, or the node fails with it. A function is
   * asked for each error: `TOOL_UNKNOWN`, `TOOL_ARGUMENTS_INVALID`, or what the tool threw.
   * @default "tell"
   */
  readonly onError?: ToolErrorPolicy;
  /** The channel of the conversation. @default "messages" */
  readonly messagesKey?: MessagesKey;
}

/** What a tool node gives: the tool's message, or the `Command` the tool returned. */
export type ToolNodeResult<MessagesKey extends string> = Record<MessagesKey, ToolMessage[]> | Command;

const Options = z.object({
  tools: z.array(z.custom<RunnableTool>(isTool, "each needs a name and invoke")),
  onError: z
    .union([z.enum(["tell", "throw"]), z.custom<ToolErrorPolicy>((value) => typeof value === "function")])
    .default("tell"),
  messagesKey: z.string().min(1).default("messages"),
});

/**
 * A node that runs one tool call. Give each call of a model's message its own task (H13):
 * `new Send("tool", { ...state, toolCall })`. What a tool asks (`interrupt`) holds up its own call only.
 *
 * A call of a tool there is not, with arguments that don't fit, or that throws, becomes a `ToolMessage` with status
 * `error` that says what to mend; `onError` says which errors are thrown instead. Cancelling is always thrown.
 * The tool gets the rest of the input as `config.state`, and can read {@link getIdempotencyKey}.
 *
 * @throws PerdureError `OPTIONS_INVALID`
 */
export function toolNode<const MessagesKey extends string = "messages">(
  options: ToolNodeOptions<MessagesKey>,
): (input: ToolNodeInput, config: LangGraphRunnableConfig) => Promise<ToolNodeResult<MessagesKey>> {
  const { tools, onError, messagesKey } = parseOptions("toolNode", Options, options);
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  if (byName.size < tools.length) {
    throw new PerdureError(
      "OPTIONS_INVALID",
      `toolNode: two of \`tools\` have one name: ${tools.map(({ name }) => name).join(", ")}.`,
      {
        hint: "Give each tool its own name.",
      },
    );
  }

  return async ({ toolCall, ...state }, config) => {
    let output: unknown;
    try {
      output = await run(byName, toolCall, state, config);
    } catch (error) {
      if (isGraphBubbleUp(error) || config.signal?.aborted === true) throw error;
      const policy = typeof onError === "function" ? await onError(error, toolCall) : onError;
      if (policy === "throw") throw error;
      output = errorMessage(toolCall, error, byName.get(toolCall.name));
    }
    if (isCommand(output)) return output as Command;
    return { [messagesKey]: [asMessage(toolCall, output)] } as Record<MessagesKey, ToolMessage[]>;
  };
}

async function run(
  tools: ReadonlyMap<string, RunnableTool>,
  call: ToolCall,
  state: object,
  config: LangGraphRunnableConfig,
): Promise<unknown> {
  const tool = tools.get(call.name);
  if (tool === undefined) {
    throw new PerdureError("TOOL_UNKNOWN", `There is no tool "${call.name}".`, {
      hint: `Tools there are: ${[...tools.keys()].join(", ") || "none"}.`,
    });
  }
  const problem = await argumentsProblem(tool.schema, call.args);
  if (problem !== undefined) {
    throw new PerdureError("TOOL_ARGUMENTS_INVALID", `The arguments of "${call.name}" don't fit: ${problem}.`, {
      hint: "Call it again with arguments that fit its schema.",
    });
  }
  const own: LangGraphRunnableConfig = {
    ...config,
    configurable: { ...config.configurable, [TOOL_CALL_ID_KEY]: call.id ?? "" },
  };
  const runtime = {
    ...own,
    state,
    toolCallId: call.id ?? "",
    config: own,
    store: own.store ?? null,
    writer: own.writer ?? null,
  };
  return (tool.invoke as (input: unknown, config: unknown) => Promise<unknown>)(
    { ...call, type: "tool_call" },
    runtime,
  );
}

function asMessage(call: ToolCall, output: unknown): ToolMessage {
  if (ToolMessage.isInstance(output)) return output;
  return new ToolMessage({
    status: "success",
    name: call.name,
    content: typeof output === "string" ? output : (JSON.stringify(output) ?? ""),
    tool_call_id: call.id ?? "",
  });
}

function errorMessage(call: ToolCall, error: unknown, tool: RunnableTool | undefined): ToolMessage {
  const ours = isPerdureError(error, "TOOL_UNKNOWN") || isPerdureError(error, "TOOL_ARGUMENTS_INVALID");
  const text = error instanceof Error ? error.message : String(error);
  return new ToolMessage({
    status: "error",
    name: call.name,
    content: ours ? text.slice(text.indexOf(": ") + 2) : `The tool "${call.name}" failed: ${text}${doubt(tool)}`,
    tool_call_id: call.id ?? "",
  });
}

/** A call that failed may have done its work before; another call of the model gets another idempotency key. */
function doubt(tool: RunnableTool | undefined): string {
  const { effect } = readNodeTraits(tool !== undefined && "metadata" in tool ? tool.metadata : undefined);
  if (effect !== "irreversible") return "";
  return " It may have taken effect all the same: find out before you call it again.";
}

function isTool(value: unknown): boolean {
  return typeof value === "object" && value !== null && "name" in value && "invoke" in value;
}
