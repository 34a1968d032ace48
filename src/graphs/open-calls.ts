import { AIMessage, ToolMessage, type BaseMessage, type ToolCall } from "@langchain/core/messages";

/** A tool call that nobody has answered yet, and what is wrong with it if its arguments were not JSON. */
export interface OpenCall {
  readonly toolCall: ToolCall;
  readonly problem?: string;
}

/** The calls of the last message of the model that no `ToolMessage` after it answers, in their order. */
export function openCalls(messages: readonly BaseMessage[]): OpenCall[] {
  const at = messages.findLastIndex((message) => AIMessage.isInstance(message));
  const last = messages[at];
  if (!AIMessage.isInstance(last)) return [];
  const answered = new Set(
    messages.slice(at).map((message) => (ToolMessage.isInstance(message) ? message.tool_call_id : undefined)),
  );
  return (last.tool_calls ?? [])
    .filter(({ id }) => !answered.has(id))
    .map((toolCall) => {
      const invalid = last.invalid_tool_calls?.find(({ id }) => id === toolCall.id);
      return invalid === undefined
        ? { toolCall }
        : { toolCall, problem: invalid.error ?? "Its arguments are no JSON." };
    });
}

/** The answer to a call that was not run. */
export function refusal(call: ToolCall, content: string): ToolMessage {
  return new ToolMessage({ status: "error", name: call.name, content, tool_call_id: call.id ?? "" });
}

/**
 * The conversation as a provider takes it: each call answered right after its message. A turn that was superseded, or
 * an update, leaves calls open whose effect nobody can tell any more, and the model must not take them for not made.
 */
export function withAllAnswered(messages: readonly BaseMessage[]): readonly BaseMessage[] {
  const whole: BaseMessage[] = [];
  let open: ToolCall[] = [];
  const close = () => {
    for (const call of open)
      whole.push(refusal(call, "The turn ended before this call had an answer. It may have run."));
    open = [];
  };
  for (const message of messages) {
    if (ToolMessage.isInstance(message)) open = open.filter(({ id }) => id !== message.tool_call_id);
    else close();
    whole.push(message);
    if (AIMessage.isInstance(message)) open = [...(message.tool_calls ?? [])];
  }
  close();
  return whole;
}

/**
 * Makes a model's message fit to stay in a conversation. Providers refuse one in which a call is unanswered, so calls
 * with arguments that are no JSON become calls like the others, to be answered with what is wrong with them; and
 * an id that an earlier message has would make LangGraph replace that message, so it gets another.
 */
export function mendMessage(
  message: AIMessage,
  earlier: readonly BaseMessage[],
  freshId: string | undefined,
): AIMessage {
  const invalid = message.invalid_tool_calls ?? [];
  const idIsTaken = message.id !== undefined && earlier.some(({ id }) => id === message.id);
  if (invalid.length === 0 && !idIsTaken) return message;
  const { tool_calls: _raw, ...kwargs } = message.additional_kwargs;
  return new AIMessage({
    content: message.content,
    additional_kwargs: kwargs,
    response_metadata: message.response_metadata,
    tool_calls: [
      ...(message.tool_calls ?? []),
      ...invalid.map(({ name = "", id = "" }) => ({ name, id, args: {}, type: "tool_call" as const })),
    ],
    invalid_tool_calls: invalid,
    ...defined({ id: idIsTaken ? freshId : message.id, name: message.name, usage_metadata: message.usage_metadata }),
  });
}

/** The message without its calls; `text` is its content if it has no other. */
export function withoutCalls(message: AIMessage, text: string): AIMessage {
  if ((message.tool_calls ?? []).length === 0 && message.text !== "") return message;
  return new AIMessage({
    content: message.text === "" ? text : message.text,
    response_metadata: message.response_metadata,
    ...defined({ id: message.id, name: message.name, usage_metadata: message.usage_metadata }),
  });
}

function defined<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
