import { ChatOpenAI } from "@langchain/openai";
import { serveChatCompletions, textOf } from "./local-model/chat-completions-server.ts";
import type { ChatRequest } from "./local-model/chat-completions-server.ts";

/** What a script says: text, or tools to call with their arguments. */
export type ScriptedAnswer = string | readonly (readonly [tool: string, args: object])[];

/** What a script knows of the conversation. */
export interface Conversation {
  /** What the person said last. */
  readonly asked: string;
  /** What the tools returned since then, oldest first. */
  readonly results: readonly string[];
  readonly request: ChatRequest;
}

/** A chat model that stands in for a paid one. */
export interface ScriptedModel extends AsyncDisposable {
  /** LangChain's own client, talking to a local server over OpenAI's protocol. With a key, use `new ChatOpenAI({ model: "gpt-5-mini" })`. */
  readonly model: ChatOpenAI;
}

/** Starts a server that speaks OpenAI's HTTP protocol and says what `script` says. */
export async function scriptedModel(script: (conversation: Conversation) => ScriptedAnswer): Promise<ScriptedModel> {
  const server = await serveChatCompletions({
    reply: async (request) => {
      const last = request.messages.findLastIndex(({ role }) => role === "user");
      const asked = request.messages[last];
      const results = request.messages.slice(last + 1).filter(({ role }) => role === "tool");
      const answer = script({ asked: asked ? textOf(asked) : "", results: results.map(textOf), request });
      const calls = typeof answer === "string" ? [] : answer;
      return {
        content: typeof answer === "string" ? answer : "",
        toolCalls: calls.map(([name, args]) => ({ name, arguments: JSON.stringify(args) })),
        promptTokens: JSON.stringify(request.messages).length >> 2,
        completionTokens: JSON.stringify(answer).length >> 2,
      };
    },
  });
  const model = new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.url } });
  return { model, [Symbol.asyncDispose]: () => server.close() };
}
