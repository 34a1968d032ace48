import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A tool call as a script writes it. */
export interface ScriptedCall {
  readonly name: string;
  readonly args: unknown;
  /** @default "call_<n>", counted over the server's life */
  readonly id?: string;
}

/** What the server says next. */
export interface ScriptedReply {
  /** The text of the answer; streamed word by word. @default "" */
  readonly text?: string;
  /** Tools the model calls. @default none */
  readonly calls?: readonly ScriptedCall[];
  /** Tokens it claims to have used. @default 10 in, 5 out; null for a server that does not say */
  readonly usage?: { readonly in: number; readonly out: number } | null;
  /** An HTTP error instead of an answer. */
  readonly status?: number;
  /** Never answers, until the caller goes away. */
  readonly hangs?: boolean;
}

/** A chat completions request as it came in. */
export interface RecordedRequest {
  readonly model: string;
  readonly stream?: boolean;
  readonly messages: readonly {
    readonly role: string;
    readonly content: unknown;
    readonly tool_call_id?: string;
    readonly tool_calls?: unknown;
  }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly tool_choice?: unknown;
  readonly response_format?: { readonly type: string };
}

/** A server that speaks OpenAI's chat completions protocol and says what its script says. */
export interface OpenAiServer {
  /** For ChatOpenAI: `new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL } })`. */
  readonly baseURL: string;
  /** What was asked, in order. */
  readonly requests: readonly RecordedRequest[];
  /** How many callers went away before they had their answer. */
  readonly aborted: number;
  close(): Promise<void>;
}

/** Replies in order, or a function of the request; when a list is used up, requests get an HTTP 500. */
export type Script = readonly ScriptedReply[] | ((request: RecordedRequest, index: number) => ScriptedReply);

/** Starts a server on 127.0.0.1, on a free port. */
export async function startOpenAiServer(script: Script): Promise<OpenAiServer> {
  const requests: RecordedRequest[] = [];
  let aborted = 0;
  let calls = 0;
  const nextId = () => `call_${(calls += 1)}`;

  const server = createServer((incoming, response) => {
    void (async () => {
      const request = JSON.parse(await readBody(incoming)) as RecordedRequest;
      const index = requests.push(request) - 1;
      response.on("close", () => {
        if (!response.writableEnded) aborted += 1;
      });
      const reply = typeof script === "function" ? script(request, index) : script[index];
      if (reply?.hangs === true) return;
      if (reply === undefined || reply.status !== undefined) {
        const message = reply === undefined ? `the script has no reply ${index + 1}` : `scripted error ${reply.status}`;
        respond(response, reply?.status ?? 500, { error: { message, type: "scripted", code: null } });
        return;
      }
      const message = toMessage(reply, nextId);
      const id = `chatcmpl-${index + 1}`;
      if (request.stream === true) stream(response, id, request.model, message, reply);
      else respond(response, 200, completion(id, request.model, message, reply));
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    get aborted() {
      return aborted;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

interface Message {
  readonly role: "assistant";
  readonly content: string | null;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly type: "function";
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
}

function toMessage({ text = "", calls = [] }: ScriptedReply, nextId: () => string): Message {
  const tool_calls = calls.map(({ id = nextId(), name, args }) => ({
    id,
    type: "function" as const,
    function: { name, arguments: typeof args === "string" ? args : JSON.stringify(args) },
  }));
  return { role: "assistant", content: text, ...(tool_calls.length === 0 ? {} : { tool_calls }) };
}

function usageOf({ usage = { in: 10, out: 5 } }: ScriptedReply) {
  if (usage === null) return {};
  return { usage: { prompt_tokens: usage.in, completion_tokens: usage.out, total_tokens: usage.in + usage.out } };
}

function completion(id: string, model: string, message: Message, reply: ScriptedReply) {
  return {
    id,
    object: "chat.completion",
    created: 0,
    model,
    choices: [{ index: 0, message, finish_reason: finishReason(message), logprobs: null }],
    ...usageOf(reply),
  };
}

function stream(response: ServerResponse, id: string, model: string, message: Message, reply: ScriptedReply): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (choices: readonly object[], extra: object = {}) =>
    response.write(
      `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 0, model, choices, ...extra })}\n\n`,
    );
  const delta = (change: object, finish: string | null = null) =>
    send([{ index: 0, delta: change, finish_reason: finish }]);

  delta({ role: "assistant", content: "" });
  for (const word of message.content?.match(/\S+\s*/g) ?? []) delta({ content: word });
  message.tool_calls?.forEach((call, index) => {
    delta({
      tool_calls: [{ index, id: call.id, type: "function", function: { name: call.function.name, arguments: "" } }],
    });
    for (const part of call.function.arguments.match(/.{1,12}/gs) ?? []) {
      delta({ tool_calls: [{ index, function: { arguments: part } }] });
    }
  });
  delta({}, finishReason(message));
  send([], usageOf(reply));
  response.end("data: [DONE]\n\n");
}

function finishReason(message: Message): string {
  return message.tool_calls === undefined ? "stop" : "tool_calls";
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of incoming) body += String(chunk);
  return body;
}
