import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { serveChatCompletions } from "../../examples/local-model/chat-completions-server.ts";
import type { ChatReply, ChatRequest, ChatServer } from "../../examples/local-model/chat-completions-server.ts";

const TEXT: ChatReply = { content: "Good day to you.", toolCalls: [], promptTokens: 7, completionTokens: 4 };
const CALLS: ChatReply = {
  ...TEXT,
  content: "",
  toolCalls: [
    { name: "add", arguments: '{"a":1}' },
    { name: "add", arguments: '{"a":2}' },
  ],
};
const add = tool(() => "", { name: "add", description: "Adds.", schema: z.object({ a: z.number() }) });

let server: ChatServer | undefined;
afterEach(() => server?.close());

async function model(reply: (request: ChatRequest) => ChatReply): Promise<ChatOpenAI> {
  server = await serveChatCompletions({ reply: async (request) => reply(request) });
  return new ChatOpenAI({ model: "any", apiKey: "none", maxRetries: 0, configuration: { baseURL: server.url } });
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

describe("serveChatCompletions, as @langchain/openai sees it", () => {
  it("answers in one piece, with what it cost", async () => {
    const message = await (await model(() => TEXT)).invoke("Hello");
    expect(message.text).toBe("Good day to you.");
    expect(message.usage_metadata).toMatchObject({ input_tokens: 7, output_tokens: 4, total_tokens: 11 });
  });

  it("streams the same answer word by word, with what it cost", async () => {
    const pieces = await collect(await (await model(() => TEXT)).stream("Hello"));
    expect(pieces.map(({ text }) => text).filter((text) => text !== "")).toEqual(["Good ", "day ", "to ", "you."]);
    expect(pieces.reduce((left, right) => left.concat(right)).usage_metadata).toMatchObject({ total_tokens: 11 });
  });

  it("passes on the tools it was given, and calls of them with an id each, streamed and whole", async () => {
    const seen: ChatRequest[] = [];
    const withTools = (await model((request) => (seen.push(request), CALLS))).bindTools([add]);
    const whole = await withTools.invoke("Add.");
    const streamed = (await collect(await withTools.stream("Add."))).reduce((left, right) => left.concat(right));

    for (const { tool_calls: calls = [] } of [whole, streamed]) {
      expect(calls.map(({ name, args }) => [name, args])).toEqual([
        ["add", { a: 1 }],
        ["add", { a: 2 }],
      ]);
      expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    }
    expect(seen.map(({ tools, stream }) => [tools[0]?.function.name, stream])).toEqual([
      ["add", false],
      ["add", true],
    ]);
  });

  it("keeps the tools from a reply that may call none", async () => {
    const seen: ChatRequest[] = [];
    const chat = await model((request) => (seen.push(request), TEXT));
    await chat.bindTools([add], { tool_choice: "none" }).invoke("Add.");
    expect(seen[0]?.tools).toEqual([]);
  });

  it("answers a reply that throws with 500, and goes on serving", async () => {
    let broken = true;
    const chat = await model(() => {
      if (broken) throw new Error("out of memory");
      return TEXT;
    });
    await expect(chat.invoke("Hello")).rejects.toMatchObject({ status: 500 });
    broken = false;
    expect((await chat.invoke("Hello")).text).toBe("Good day to you.");
  });

  it("refuses what is not the protocol: another path with 404, a body that does not fit with 400", async () => {
    await model(() => TEXT);
    const post = (path: string, body: string) => fetch(`${server?.url}${path}`, { method: "POST", body });
    expect((await post("/embeddings", "{}")).status).toBe(404);
    for (const body of ["", "not json", "{}", '{"model":"m","messages":[]}']) {
      expect((await post("/chat/completions", body)).status).toBe(400);
    }
  });
});
