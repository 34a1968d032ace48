/** The four models, as the worker uses them: LangChain chat models that talk HTTP. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatAnthropic } from "@langchain/anthropic";
import { ChatOpenAI } from "@langchain/openai";
import type { ModelName } from "./command-line.ts";

/** The chat model of that name; `url` is where it is served, for those that run on this machine. */
export function createDeskModel(name: ModelName, url: string | undefined): BaseChatModel {
  if (name === "openai") return new ChatOpenAI({ model: process.env["OPENAI_MODEL"] ?? "gpt-5-mini" });
  if (name === "anthropic") return new ChatAnthropic({ model: process.env["ANTHROPIC_MODEL"] ?? "claude-haiku-4-5" });
  if (url === undefined) throw new Error(`The server of the ${name} model is not running.`);
  return new ChatOpenAI({ model: name, apiKey: "none", configuration: { baseURL: url } });
}
