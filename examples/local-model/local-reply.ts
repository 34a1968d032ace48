/**
 * How a model that knows nothing of tools calls them: the tools are described in its prompt, and a
 * grammar lets it write nothing but a call of one of them, or an answer.
 */
import type { ChatMessage, ChatReply, ChatRequest, ChatTool } from "./chat-completions-server.ts";
import { textOf } from "./chat-completions-server.ts";
import type { LocalModel } from "./smollm2.ts";

const MAX_TOKENS = 150;
const MAX_ANSWER_CHARACTERS = 120;
const MAX_ARGUMENT_CHARACTERS = 40;

/** Answers a chat request with the local model. The calls fit the schemas; whether they make sense is another matter. */
export async function localReply(model: LocalModel, request: ChatRequest, signal: AbortSignal): Promise<ChatReply> {
  const { text, ...usage } = await model.complete({
    prompt: promptOf(request),
    schema: replySchema(request.tools),
    maxTokens: MAX_TOKENS,
    signal,
  });
  return { ...readReply(text), ...usage };
}

/** The conversation in ChatML, the format SmolLM2 was trained on. A tool's result comes as the user's words. */
export function promptOf({ messages, tools }: ChatRequest): string {
  const system = messages.filter(isInstruction).map(textOf).join("\n");
  const turns = messages
    .filter((message) => !isInstruction(message))
    .map((message) => {
      if (message.role === "tool") return turn("user", `Result: ${textOf(message)}`);
      return turn(
        message.role,
        message.tool_calls?.length ? message.tool_calls.map(callText).join("\n") : textOf(message),
      );
    });
  return [turn("system", [system, ...tools.map(toolText)].join("\n")), ...turns, "<|im_start|>assistant\n"].join("");
}

/** What may be written: a call of one of the tools, or, always, an answer. */
export function replySchema(tools: readonly ChatTool[]): object {
  const calls = tools.map(({ function: tool }) => ({
    type: "object",
    properties: { tool: { const: tool.name }, arguments: simplified(tool.parameters) },
  }));
  const answer = { type: "object", properties: { answer: { type: "string", maxLength: MAX_ANSWER_CHARACTERS } } };
  return { oneOf: [...calls, answer] };
}

/** A reply that was cut off in the middle of its JSON is passed on as an answer, as it is. */
export function readReply(text: string): Pick<ChatReply, "content" | "toolCalls"> {
  const said = parse(text);
  if (typeof said["tool"] === "string") {
    return { content: "", toolCalls: [{ name: said["tool"], arguments: JSON.stringify(said["arguments"] ?? {}) }] };
  }
  return { content: typeof said["answer"] === "string" ? said["answer"] : text, toolCalls: [] };
}

function isInstruction({ role }: ChatMessage): boolean {
  return role === "system" || role === "developer";
}

/** Without the control marks: a customer's words must not open a turn of their own. */
function turn(role: string, text: string): string {
  return `<|im_start|>${role}\n${text.replaceAll(/<\|im_(start|end)\|>/g, "")}<|im_end|>\n`;
}

function callText(call: NonNullable<ChatMessage["tool_calls"]>[number]): string {
  return `{"tool": ${JSON.stringify(call.function.name)}, "arguments": ${call.function.arguments}}`;
}

function toolText({ function: tool }: ChatTool): string {
  const { properties = {} } = tool.parameters as { properties?: object };
  return `Tool ${tool.name}(${Object.keys(properties).join(", ")}): ${tool.description}`;
}

/** The keywords a grammar knows. The others are checked where the tool is called, as for any model. */
function simplified(schema: unknown): object {
  const { type, enum: choices, properties, items } = (schema ?? {}) as Record<string, unknown>;
  if (Array.isArray(choices)) return { enum: choices };
  if (type === "object") {
    const entries = Object.entries((properties ?? {}) as object).map(([name, value]) => [name, simplified(value)]);
    return { type, properties: Object.fromEntries(entries) as object };
  }
  if (type === "array") return { type, items: simplified(items), maxItems: 4 };
  if (type === "integer" || type === "number" || type === "boolean") return { type };
  return { type: "string", maxLength: MAX_ARGUMENT_CHARACTERS };
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
