import { AIMessage, SystemMessage } from "@langchain/core/messages";
import type { BaseMessage, BaseMessageLike } from "@langchain/core/messages";
import type { BaseChatModel, BindToolsInput } from "@langchain/core/language_models/chat_models";
import type { Runnable } from "@langchain/core/runnables";
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import type { InferInteropZodOutput, InteropZodObject } from "@langchain/core/utils/types";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { z } from "zod";
import { parseOptions, PerdureError } from "../errors/index.ts";
import { usageOf } from "./usage.ts";
import type { Usage } from "./usage.ts";
import { describeZodError } from "./zod-problem.ts";

/** What the model is told before the conversation: text, a message, or all its messages made from the state. */
export type Prompt<State> =
  | string
  | SystemMessage
  | ((
      state: State,
      config: LangGraphRunnableConfig,
    ) => readonly BaseMessageLike[] | Promise<readonly BaseMessageLike[]>);

/** What a {@link modelNode} calls, and where it writes. */
export interface ModelNodeOptions<
  State,
  Output extends InteropZodObject | undefined = undefined,
  OutputKey extends string = "output",
  MessagesKey extends string = "messages",
  UsageKey extends string = "usage",
> {
  /** Any LangChain chat model. */
  readonly model: BaseChatModel;
  /** Told before the messages of the state, or in their place if it is a function. @default nothing */
  readonly prompt?: Prompt<State>;
  /** Tools the model may call: LangChain tools, or what the provider takes. @default none */
  readonly tools?: readonly BindToolsInput[];
  /** Whether it must, may or can't call a tool, in LangChain's `tool_choice` words or a tool's name. @default the provider's */
  readonly toolChoice?: string;
  /** A zod object schema: the model answers in this form, and not with tools. @default free text */
  readonly output?: Output;
  /** The channel for what `output` describes. @default "output" */
  readonly outputKey?: OutputKey;
  /** The channel of the conversation. @default "messages" */
  readonly messagesKey?: MessagesKey;
  /** The channel that adds up tokens ({@link usageChannel}). @default "usage" */
  readonly usageKey?: UsageKey;
}

/** What a model node writes: the model's message, what it used, and the output if there is a schema. */
export type ModelUpdate<
  Output extends InteropZodObject | undefined,
  OutputKey extends string,
  MessagesKey extends string,
  UsageKey extends string,
> = Record<MessagesKey, AIMessage[]> &
  Record<UsageKey, Usage> &
  (Output extends InteropZodObject ? Record<OutputKey, InferInteropZodOutput<Output>> : object);

const Options = z.object({
  model: z.custom<BaseChatModel>(isChatModel, "a LangChain chat model is needed"),
  tools: z.array(z.unknown()).default([]),
  toolChoice: z.string().min(1).optional(),
  outputKey: z.string().min(1).default("output"),
  messagesKey: z.string().min(1).default("messages"),
  usageKey: z.string().min(1).default("usage"),
});

/**
 * A node that calls a chat model with the conversation in the state and adds its answer to it.
 * The node's signal aborts the call, and tokens reach LangGraph's `messages` stream.
 * @throws PerdureError `OPTIONS_INVALID`; the node throws `OUTPUT_INVALID` when the model's answer does not fit `output`
 *
 * @example
 * graph.addNode("model", modelNode({ model: new ChatOpenAI({ model: "gpt-5" }), prompt: "Be brief.", tools }));
 */
export function modelNode<
  State extends object,
  Output extends InteropZodObject | undefined = undefined,
  const OutputKey extends string = "output",
  const MessagesKey extends string = "messages",
  const UsageKey extends string = "usage",
>(
  options: ModelNodeOptions<State, Output, OutputKey, MessagesKey, UsageKey>,
): (
  state: State,
  config: LangGraphRunnableConfig,
) => Promise<ModelUpdate<Output, NoInfer<OutputKey>, NoInfer<MessagesKey>, NoInfer<UsageKey>>> {
  const { outputKey, messagesKey, usageKey } = parseOptions("modelNode", Options, options);
  const { output, prompt } = options;
  if (output !== undefined && (options.tools?.length ?? 0) > 0) {
    throw new PerdureError("OPTIONS_INVALID", "modelNode: `output` and `tools` were both given.", {
      hint: "Let one node call tools, and a second one after it put the answer into the form.",
    });
  }
  const call = output === undefined ? plainCall(options) : structuredCall(options.model, output);

  return async (state, config) => {
    const messages = await promptMessages(prompt, state, config, messagesKey);
    const { message, value } = await call(messages, config);
    const update: Record<string, unknown> = {
      [messagesKey]: [message],
      [usageKey]: usageOf(message.usage_metadata),
    };
    if (output !== undefined) update[outputKey] = value;
    return update as ModelUpdate<Output, OutputKey, MessagesKey, UsageKey>;
  };
}

type Call = (
  messages: BaseMessageLike[],
  config: LangGraphRunnableConfig,
) => Promise<{ readonly message: AIMessage; readonly value?: unknown }>;

function plainCall(options: { model: BaseChatModel; tools?: readonly BindToolsInput[]; toolChoice?: string }): Call {
  const { model, tools = [], toolChoice } = options;
  let runnable: Runnable<BaseLanguageModelInput, AIMessage> = model as Runnable<BaseLanguageModelInput, AIMessage>;
  if (tools.length > 0) {
    if (model.bindTools === undefined) {
      throw new PerdureError("OPTIONS_INVALID", `modelNode: the model ${model.getName()} can't call tools.`, {
        hint: "Leave `tools` out, or take a model that has bindTools.",
      });
    }
    const choice = toolChoice === undefined ? {} : { tool_choice: toolChoice };
    runnable = model.bindTools([...tools], choice) as Runnable<BaseLanguageModelInput, AIMessage>;
  }
  return async (messages, config) => ({ message: await runnable.invoke(messages, config) });
}

function structuredCall(model: BaseChatModel, output: InteropZodObject): Call {
  const runnable = model.withStructuredOutput(output as never, { includeRaw: true }) as unknown as Runnable<
    BaseLanguageModelInput,
    { raw: AIMessage; parsed: unknown }
  >;
  return async (messages, config) => {
    const { raw, parsed } = await runnable.invoke(messages, config).catch((error: unknown) => {
      throw isParseError(error) ? outputInvalid(describeZodError(error), error) : error;
    });
    if (parsed === null || parsed === undefined) throw outputInvalid("it could not be read", undefined);
    return { message: withoutToolCalls(raw, parsed), value: parsed };
  };
}

/** Providers check the form themselves or leave it to LangChain, so it is zod's error, JSON's or LangChain's own. */
function isParseError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return "issues" in error || error instanceof SyntaxError || error.name === "OutputParserException";
}

function outputInvalid(problem: string, cause: unknown): PerdureError {
  return new PerdureError("OUTPUT_INVALID", `The model's answer does not have the form of \`output\`: ${problem}.`, {
    hint: "Let a retry policy ask again, or make the schema simpler.",
    cause,
  });
}

/** Some providers answer in a form by calling a made-up tool; a conversation with a call nobody answers is refused later. */
function withoutToolCalls(raw: AIMessage, parsed: unknown): AIMessage {
  if ((raw.tool_calls?.length ?? 0) === 0) return raw;
  return new AIMessage({
    content: JSON.stringify(parsed),
    response_metadata: raw.response_metadata,
    ...(raw.id === undefined ? {} : { id: raw.id }),
    ...(raw.usage_metadata === undefined ? {} : { usage_metadata: raw.usage_metadata }),
  });
}

async function promptMessages<State extends object>(
  prompt: Prompt<State> | undefined,
  state: State,
  config: LangGraphRunnableConfig,
  messagesKey: string,
): Promise<BaseMessageLike[]> {
  if (typeof prompt === "function") return [...(await prompt(state, config))];
  const messages = ((state as Record<string, unknown>)[messagesKey] ?? []) as readonly BaseMessage[];
  if (prompt === undefined) return [...messages];
  return [typeof prompt === "string" ? new SystemMessage(prompt) : prompt, ...messages];
}

function isChatModel(value: unknown): boolean {
  return typeof value === "object" && value !== null && "_modelType" in value && "invoke" in value;
}
