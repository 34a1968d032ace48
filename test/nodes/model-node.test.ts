import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import type { AIMessage, BaseMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Annotation, MessagesAnnotation, START, StateGraph, messagesStateReducer } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { modelNode, usageChannel } from "perdure/nodes";
import { startOpenAiServer } from "../support/openai-server.ts";
import type { OpenAiServer, Script } from "../support/openai-server.ts";

let server: OpenAiServer;
afterEach(() => server.close());

async function scripted(script: Script): Promise<ChatOpenAI> {
  server = await startOpenAiServer(script);
  return new ChatOpenAI({
    model: "scripted",
    apiKey: "none",
    maxRetries: 0,
    configuration: { baseURL: server.baseURL },
  });
}

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  usage: usageChannel(),
  output: Annotation<{ city: string; celsius: number } | undefined>(),
});

const weather = tool(({ city }) => `sunny in ${city}`, {
  name: "weather",
  description: "The weather in a city.",
  schema: z.object({ city: z.string() }),
});

function graphOf(node: (state: typeof State.State, config: LangGraphRunnableConfig) => Promise<typeof State.Update>) {
  return new StateGraph(State).addNode("model", node).addEdge(START, "model").compile();
}

const question = { messages: [new HumanMessage("How is the weather in Bern?")] };

describe("modelNode", () => {
  test("adds the model's answer to the conversation", async () => {
    const model = await scripted([{ text: "Sunny." }]);

    const { messages } = await graphOf(modelNode({ model })).invoke(question);

    expect(messages.map(({ type, content }) => [type, content])).toEqual([
      ["human", "How is the weather in Bern?"],
      ["ai", "Sunny."],
    ]);
    expect(server.requests[0]?.messages).toEqual([{ role: "user", content: "How is the weather in Bern?" }]);
  });

  test.each([
    ["text", "Be brief."],
    ["a system message", new SystemMessage("Be brief.")],
  ])("tells the prompt first when it is %s, and keeps it out of the state", async (_title, prompt) => {
    const model = await scripted([{ text: "Sunny." }]);

    const { messages } = await graphOf(modelNode({ model, prompt })).invoke(question);

    expect(server.requests[0]?.messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "How is the weather in Bern?" },
    ]);
    expect(messages.map(({ type }) => type)).toEqual(["human", "ai"]);
  });

  test("sends what a prompt function makes of the state, and nothing else", async () => {
    const model = await scripted([{ text: "Kurz." }]);
    const prompt = (state: typeof State.State) => [
      new SystemMessage("Translate."),
      new HumanMessage(`${state.messages.length} message`),
    ];

    await graphOf(modelNode({ model, prompt })).invoke(question);

    expect(server.requests[0]?.messages).toEqual([
      { role: "system", content: "Translate." },
      { role: "user", content: "1 message" },
    ]);
  });

  test("binds tools, and the model's calls come back in its message", async () => {
    const model = await scripted([{ calls: [{ name: "weather", args: { city: "Bern" }, id: "call_a" }] }]);

    const { messages } = await graphOf(modelNode({ model, tools: [weather], toolChoice: "required" })).invoke(question);

    expect(server.requests[0]?.tools?.map((bound) => bound.function.name)).toEqual(["weather"]);
    expect(server.requests[0]?.tool_choice).toBe("required");
    expect((messages.at(-1) as AIMessage).tool_calls).toEqual([
      { type: "tool_call", id: "call_a", name: "weather", args: { city: "Bern" } },
    ]);
  });

  test("adds up tokens and calls in the state", async () => {
    const model = await scripted([
      { text: "one", usage: { in: 10, out: 5 } },
      { text: "two", usage: { in: 20, out: 7 } },
      { text: "three", usage: null },
    ]);
    const node = modelNode({ model });
    const graph = new StateGraph(State)
      .addNode("a", node)
      .addNode("b", node)
      .addNode("c", node)
      .addEdge(START, "a")
      .addEdge("a", "b")
      .addEdge("b", "c")
      .compile();

    const { usage } = await graph.invoke(question);

    expect(usage).toEqual({ inputTokens: 30, outputTokens: 12, totalTokens: 42, calls: 3 });
  });

  test("writes what `output` describes to the state", async () => {
    const model = await scripted([{ text: JSON.stringify({ city: "Bern", celsius: 21 }) }]);
    const output = z.object({ city: z.string(), celsius: z.number() });

    const state = await graphOf(modelNode({ model, output })).invoke(question);

    expect(state.output).toEqual({ city: "Bern", celsius: 21 });
    expect(state.usage.totalTokens).toBe(15);
    expect(state.messages.at(-1)?.content).toBe('{"city":"Bern","celsius":21}');
  });

  test("an output that came as a made-up tool call leaves no open call in the conversation", async () => {
    const model = await scripted((request) => {
      const name = request.tools?.[0]?.function.name;
      return name === undefined
        ? { text: '{"city":"Bern","celsius":21}' }
        : { calls: [{ name, args: { city: "Bern", celsius: 21 } }] };
    });
    const byTools = Object.assign(Object.create(model) as ChatOpenAI, {
      withStructuredOutput: (schema: never, options: object) =>
        model.withStructuredOutput(schema, { ...options, method: "functionCalling" } as never),
    });
    const output = z.object({ city: z.string(), celsius: z.number() });

    const state = await graphOf(modelNode({ model: byTools, output })).invoke(question);

    expect(server.requests[0]?.tools).toHaveLength(1);
    expect(state.output).toEqual({ city: "Bern", celsius: 21 });
    expect((state.messages.at(-1) as AIMessage).tool_calls).toEqual([]);
    expect(state.messages.at(-1)?.content).toBe('{"city":"Bern","celsius":21}');
    expect(state.usage.totalTokens).toBe(15);
  });

  test("an answer that does not fit `output` is OUTPUT_INVALID", async () => {
    const model = await scripted([{ text: JSON.stringify({ city: "Bern" }) }]);
    const output = z.object({ city: z.string(), celsius: z.number() });

    await expect(graphOf(modelNode({ model, output })).invoke(question)).rejects.toMatchObject({
      code: "OUTPUT_INVALID",
    });
  });

  test("tokens reach LangGraph's messages stream one by one", async () => {
    const model = await scripted([{ text: "It is sunny in Bern." }]);
    const tokens: string[] = [];

    for await (const [chunk, metadata] of await graphOf(modelNode({ model })).stream(question, {
      streamMode: "messages",
    })) {
      expect(metadata["langgraph_node"]).toBe("model");
      if (chunk.content !== "") tokens.push(String(chunk.content));
    }

    expect(tokens).toEqual(["It ", "is ", "sunny ", "in ", "Bern."]);
    expect(server.requests[0]?.stream).toBe(true);
  });

  test("a streamed answer counts its tokens too", async () => {
    const model = await scripted([{ text: "It is sunny.", usage: { in: 8, out: 4 } }]);
    const states: unknown[] = [];

    for await (const [mode, chunk] of await graphOf(modelNode({ model })).stream(question, {
      streamMode: ["messages", "values"],
    })) {
      if (mode === "values") states.push(chunk);
    }

    expect(states.at(-1)).toMatchObject({ usage: { inputTokens: 8, outputTokens: 4, totalTokens: 12, calls: 1 } });
  });

  test("cancelling the run reaches the provider", async () => {
    const model = await scripted([{ hangs: true }]);
    const controller = new AbortController();
    const run = graphOf(modelNode({ model })).invoke(question, { signal: controller.signal });
    await expect.poll(() => server.requests.length).toBe(1);

    controller.abort();

    await expect(run).rejects.toThrow(/abort/i);
    await expect.poll(() => server.aborted).toBe(1);
  });

  test("an error of the provider is the node's error", async () => {
    const model = await scripted([{ status: 400 }]);
    await expect(graphOf(modelNode({ model })).invoke(question)).rejects.toThrow("scripted error 400");
  });

  test("writes to the channels it is told to", async () => {
    const model = await scripted([{ text: '{"city":"Bern"}', usage: { in: 1, out: 1 } }]);
    const Other = Annotation.Root({
      talk: Annotation<BaseMessage[]>({ reducer: messagesStateReducer, default: () => [] }),
      tokens: usageChannel(),
      place: Annotation<{ city: string }>(),
    });
    const node = modelNode({
      model,
      output: z.object({ city: z.string() }),
      messagesKey: "talk",
      usageKey: "tokens",
      outputKey: "place",
    });
    const graph = new StateGraph(Other).addNode("model", node).addEdge(START, "model").compile();

    const state = await graph.invoke({ talk: [new HumanMessage("Where?")] });

    expect(state.talk).toHaveLength(2);
    expect(state.tokens.totalTokens).toBe(2);
    expect(state.place).toEqual({ city: "Bern" });
  });

  test("refuses what it can't use, by name", async () => {
    const model = await scripted([]);
    const refused = (options: object, named: string) =>
      expect(() => modelNode(options as never)).toThrow(
        expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining(named) }),
      );

    refused({ model: "gpt-5" }, '`model` can\'t be "gpt-5"');
    refused({}, "`model`");
    refused({ model, messagesKey: "" }, "`messagesKey`");
    refused({ model, tools: "weather" }, "`tools`");
    refused({ model, tools: [weather], output: z.object({}) }, "`tools`");
    refused({ model: Object.create(model, { bindTools: { value: undefined } }), tools: [weather] }, "can't call tools");
  });
});
