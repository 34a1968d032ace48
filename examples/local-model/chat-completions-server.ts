/**
 * OpenAI's chat-completions protocol over HTTP, around any function that answers. The scripted model
 * of the support desk and the local model both stand behind it, so the desk cannot tell them from a
 * provider: it talks to all of them through `@langchain/openai`.
 */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";

const chatMessage = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: z.union([z.string(), z.array(z.looseObject({ text: z.string().optional() }))]).nullish(),
  tool_calls: z
    .array(z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) }))
    .nullish(),
  tool_call_id: z.string().nullish(),
});

const chatTool = z.object({
  function: z.object({ name: z.string(), description: z.string().default(""), parameters: z.unknown() }),
});

const chatRequest = z
  .object({
    model: z.string(),
    messages: z.array(chatMessage).min(1),
    tools: z.array(chatTool).default([]),
    tool_choice: z.unknown().optional(),
    stream: z.boolean().default(false),
  })
  .transform(({ tool_choice: choice, tools, ...rest }) => ({ ...rest, tools: choice === "none" ? [] : tools }));

/** A request as the protocol has it; what is not used here is left out. `tools` are those that may be called. */
export type ChatRequest = z.output<typeof chatRequest>;
export type ChatMessage = ChatRequest["messages"][number];
export type ChatTool = ChatRequest["tools"][number];

/** What the model says: text, or tools to call, and what it cost in tokens. */
export interface ChatReply {
  readonly content: string;
  /** `arguments` is JSON text, as in the protocol. */
  readonly toolCalls: readonly { readonly name: string; readonly arguments: string }[];
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** A server that runs. */
export interface ChatServer {
  /** For a client's `baseURL`, with the `/v1`. */
  readonly url: string;
  close(): Promise<void>;
}

/** The text of a message, whichever of its two shapes it has. */
export function textOf({ content }: ChatMessage): string {
  return typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("");
}

/** Serves `reply` on a free port of this machine only. A `reply` that throws becomes a 500. */
export async function serveChatCompletions(options: {
  reply: (request: ChatRequest, signal: AbortSignal) => Promise<ChatReply>;
  /** Between two pieces of a streamed answer, in milliseconds. @default 0 */
  pieceDelayMs?: number;
}): Promise<ChatServer> {
  const { reply, pieceDelayMs = 0 } = options;
  const server = createServer((request, response) => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    answer(request, response, gone.signal).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: { message: String(error), type: "server_error" } });
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    if (request.method !== "POST" || request.url !== "/v1/chat/completions") {
      return sendJson(response, 404, { error: { message: `No ${request.method} ${request.url} here.` } });
    }
    const asked = chatRequest.safeParse(await readJson(request));
    if (!asked.success) {
      return sendJson(response, 400, {
        error: { message: z.prettifyError(asked.error), type: "invalid_request_error" },
      });
    }
    const said = await reply(asked.data, signal);
    if (asked.data.stream) await sendStream(response, asked.data.model, said, pieceDelayMs, signal);
    else sendJson(response, 200, completion(asked.data.model, said));
  }

  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** The whole answer in one body. */
function completion(model: string, said: ChatReply): object {
  const message = {
    role: "assistant",
    content: said.toolCalls.length > 0 ? null : said.content,
    ...(said.toolCalls.length > 0 && { tool_calls: toolCallsOf(said) }),
  };
  const choice = { index: 0, message, finish_reason: finishReason(said) };
  return { ...head(model), object: "chat.completion", choices: [choice], usage: usageOf(said) };
}

/** The same answer as server-sent events: the role, then pieces of text or calls, the end, the usage. */
async function sendStream(
  response: ServerResponse,
  model: string,
  said: ChatReply,
  pieceDelayMs: number,
  signal: AbortSignal,
): Promise<void> {
  const common = { ...head(model), object: "chat.completion.chunk" };
  const send = (data: object) => response.write(`data: ${JSON.stringify({ ...common, ...data })}\n\n`);
  const sendDelta = (delta: object, finish_reason: string | null = null) =>
    send({ choices: [{ index: 0, delta, finish_reason }] });

  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  sendDelta({ role: "assistant", content: "" });
  for (const piece of said.toolCalls.length > 0 ? [] : said.content.split(/(?<=\s)/)) {
    await pause(pieceDelayMs, undefined, { signal });
    sendDelta({ content: piece });
  }
  for (const [index, call] of toolCallsOf(said).entries()) {
    await pause(pieceDelayMs, undefined, { signal });
    sendDelta({ tool_calls: [{ index, ...call, function: { ...call.function, arguments: "" } }] });
    await pause(pieceDelayMs, undefined, { signal });
    sendDelta({ tool_calls: [{ index, function: { arguments: call.function.arguments } }] });
  }
  sendDelta({}, finishReason(said));
  send({ choices: [], usage: usageOf(said) });
  response.end("data: [DONE]\n\n");
}

function head(model: string): object {
  return { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}

function toolCallsOf(said: ChatReply) {
  return said.toolCalls.map((call) => ({ id: `call_${randomUUID()}`, type: "function", function: call }));
}

function finishReason(said: ChatReply): string {
  return said.toolCalls.length > 0 ? "tool_calls" : "stop";
}

function usageOf({ promptTokens, completionTokens }: ChatReply): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
