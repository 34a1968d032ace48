import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Annotation, Command, MemorySaver, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import { reactGraph } from "perdure/graphs";
import { effect } from "perdure/nodes";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";

import { type OpenAiServer, type Script, startOpenAiServer } from "../support/openai-server.ts";

const servers: OpenAiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A model that says what the script says, over HTTP. */
async function scripted(script: Script) {
  const server = await startOpenAiServer(script);
  servers.push(server);
  const model = new ChatOpenAI({
    model: "scripted",
    apiKey: "none",
    maxRetries: 0,
    configuration: { baseURL: server.baseURL },
  });
  return { model, server };
}

const thread = { configurable: { thread_id: "thread-1" } };
const say = (text: string) => ({ messages: [new HumanMessage(text)] });
const look = (city: string, id?: string) => ({ name: "look", args: { city }, ...(id === undefined ? {} : { id }) });

/** Tools that note what they were called with. */
function weatherTools() {
  const calls: string[] = [];
  const lookTool = tool(
    ({ city }) => {
      calls.push(`look ${city}`);
      return `sunny in ${city}`;
    },
    { name: "look", description: "Looks at the weather.", schema: z.object({ city: z.string() }) },
  );
  const refund = tool(
    ({ amount }) => {
      calls.push(`refund ${amount}`);
      return `refunded ${amount}`;
    },
    {
      name: "refund",
      description: "Moves money.",
      schema: z.object({ amount: z.number() }),
      ...effect("irreversible"),
    },
  );
  return { calls, look: lookTool, refund };
}

/** What a conversation came to, one line per message. */
function lines(messages: readonly BaseMessage[]): string[] {
  return messages.map((message) => {
    if (ToolMessage.isInstance(message)) return `tool ${message.tool_call_id}: ${message.text}`;
    const calls = AIMessage.isInstance(message)
      ? (message.tool_calls ?? []).map(({ name, id }) => `${name}#${id}`)
      : [];
    return `${message.type}: ${[message.text, ...calls].filter((part) => part !== "").join(" ")}`;
  });
}

/** Every call is answered exactly once, right after its message: what providers ask of a conversation. */
function expectAnswered(messages: readonly BaseMessage[]): void {
  messages.forEach((message, at) => {
    const ids = AIMessage.isInstance(message) ? (message.tool_calls ?? []).map(({ id }) => id) : [];
    const answers = messages
      .slice(at + 1, at + 1 + ids.length)
      .map((answer) => ToolMessage.isInstance(answer) && answer.tool_call_id);
    expect(answers).toEqual(ids);
  });
}

describe("the loop", () => {
  test("reasons, acts, observes, until the model answers", async () => {
    const { model, server } = await scripted([
      { calls: [look("Rome")] },
      { calls: [look("Oslo")] },
      { text: "Both sunny." },
    ]);
    const tools = weatherTools();
    const graph = reactGraph({ model, tools: [tools.look], prompt: "Be brief." }).compile({
      checkpointer: new MemorySaver(),
    });
    const result = await graph.invoke(say("Weather?"), thread);
    expect(lines(result.messages)).toEqual([
      "human: Weather?",
      "ai: look#call_1",
      "tool call_1: sunny in Rome",
      "ai: look#call_2",
      "tool call_2: sunny in Oslo",
      "ai: Both sunny.",
    ]);
    expect(result.usage).toEqual({ inputTokens: 30, outputTokens: 15, totalTokens: 45, calls: 3 });
    expect(server.requests[0]?.messages[0]).toMatchObject({ role: "system", content: "Be brief." });
    expect(server.requests[0]?.tools?.map(({ function: { name } }) => name)).toEqual(["look"]);
  });

  test("I6: parallel calls run in parallel, and their messages come in the order of the calls", async () => {
    const { model } = await scripted([{ calls: [look("slow"), look("middle"), look("fast")] }, { text: "Done." }]);
    const finished: string[] = [];
    const gates = new Map(["slow", "middle", "fast"].map((city) => [city, Promise.withResolvers<void>()]));
    const gated = tool(
      async ({ city }) => {
        if (city === "fast") gates.get("fast")?.resolve();
        await gates.get(city)?.promise;
        finished.push(city);
        if (city === "fast") gates.get("middle")?.resolve();
        if (city === "middle") gates.get("slow")?.resolve();
        return city;
      },
      { name: "look", description: "", schema: z.object({ city: z.string() }) },
    );
    const { messages } = await reactGraph({ model, tools: [gated] })
      .compile()
      .invoke(say("go"));
    expect(finished).toEqual(["fast", "middle", "slow"]);
    expect(lines(messages).slice(2, 5)).toEqual(["tool call_1: slow", "tool call_2: middle", "tool call_3: fast"]);
  });

  test("tools see the caller's own channels as config.state", async () => {
    const { model } = await scripted([{ calls: [{ name: "who", args: {} }] }, { text: "Ada." }]);
    const who = tool((_args, config: { state?: { customer?: string } }) => `it is ${config.state?.customer}`, {
      name: "who",
      description: "",
      schema: z.object({}),
    });
    const graph = reactGraph({
      model,
      tools: [who],
      state: Annotation.Root({ customer: Annotation<string>() }),
    }).compile();
    const result = await graph.invoke({ ...say("Who?"), customer: "Ada" });
    expect(lines(result.messages)[2]).toBe("tool call_1: it is Ada");
    expect(result.customer).toBe("Ada");
  });

  test("arguments that are no JSON are answered and mended by the model", async () => {
    const { model, server } = await scripted([
      { calls: [{ name: "look", args: '{"city": ', id: "bad" }, look("Rome", "good")] },
      { calls: [look("Oslo")] },
      { text: "Sunny." },
    ]);
    const tools = weatherTools();
    const { messages } = await reactGraph({ model, tools: [tools.look] })
      .compile()
      .invoke(say("?"));
    expect(tools.calls).toEqual(["look Rome", "look Oslo"]);
    expectAnswered(messages);
    expect(
      messages.find((message) => ToolMessage.isInstance(message) && message.tool_call_id === "bad")?.text,
    ).toContain("valid JSON");
    // What is sent back to the provider is a conversation in which each answer has its call.
    const sent = server.requests[1]?.messages ?? [];
    const called = sent.flatMap(({ tool_calls }) => ((tool_calls ?? []) as { id: string }[]).map(({ id }) => id));
    expect(new Set(called)).toEqual(new Set(sent.flatMap(({ tool_call_id }) => tool_call_id ?? [])));
  });

  test("a provider that gives two messages one id does not overwrite the conversation", async () => {
    const { model } = await scripted([{ calls: [look("Rome")] }, { text: "Sunny." }]);
    const { messages } = await reactGraph({ model, tools: [weatherTools().look] })
      .compile()
      .invoke(say("?"));
    expect(messages).toHaveLength(4);
    expect(new Set(messages.map(({ id }) => id)).size).toBe(4);
  });
});

describe("the cap", () => {
  const endless: Script = (request) =>
    request.tool_choice === "none" ? { text: "What I have." } : { calls: [look("Rome"), look("Oslo")] };

  test("H8: finish answers from what it has after maxIterations rounds, with no call left unanswered", async () => {
    const { model, server } = await scripted(endless);
    const tools = weatherTools();
    const graph = reactGraph({ model, tools: [tools.look], maxIterations: 3 }).compile();
    const { messages } = await graph.invoke(say("?"), { recursionLimit: 1000 });
    expect(tools.calls).toHaveLength(2 * 3);
    expect(server.requests).toHaveLength(3 + 1 + 1);
    expectAnswered(messages);
    expect(lines(messages).at(-1)).toBe("ai: What I have.");
    expect(lines(messages).at(-2)).toContain("The limit of 3 rounds of tools is reached.");
    expect(server.requests.at(-1)?.messages.at(-1)?.content).toContain("Answer now from what you have");
  });

  test("finish ends in an answer even if the model calls tools all the same", async () => {
    const { model } = await scripted(() => ({ calls: [look("Rome")] }));
    const { messages } = await reactGraph({ model, tools: [weatherTools().look], maxIterations: 1 })
      .compile()
      .invoke(say("?"));
    expectAnswered(messages);
    expect(lines(messages).at(-1)).toBe("ai: I stopped at the limit of 1 round of tools.");
  });

  test("the cap starts anew with each turn and goes on over a crash", async () => {
    const { model } = await scripted(endless);
    let dies = true;
    const calls: string[] = [];
    const flaky = tool(
      ({ city }) => {
        calls.push(city);
        if (calls.length === 4 && dies) throw new Error("killed");
        return city;
      },
      { name: "look", description: "", schema: z.object({ city: z.string() }) },
    );
    const graph = reactGraph({ model, tools: [flaky], maxIterations: 3, onToolError: "throw" }).compile({
      checkpointer: new MemorySaver(),
    });
    await expect(graph.invoke(say("?"), thread)).rejects.toThrow("killed");
    dies = false;
    const first = await graph.invoke(null, thread);
    expectAnswered(first.messages);
    expect(calls).toHaveLength(2 * 3 + 1); // the call that died ran again, its finished sibling did not
    await graph.invoke(say("again"), thread);
    expect(calls).toHaveLength(2 * 3 + 1 + 2 * 3);
  });

  test("error ends the turn in ITERATION_LIMIT, and the next turn's conversation is whole", async () => {
    const { model } = await scripted(endless);
    const graph = reactGraph({ model, tools: [weatherTools().look], maxIterations: 2, onLimit: "error" }).compile({
      checkpointer: new MemorySaver(),
    });
    await expect(graph.invoke(say("?"), thread)).rejects.toMatchObject({
      code: "ITERATION_LIMIT",
      message: expect.stringContaining("2 rounds"),
    });
    expectAnswered((await graph.getState(thread)).values.messages);
  });

  test("a node's name goes on there, with no call left unanswered", async () => {
    const { model } = await scripted(endless);
    const graph = reactGraph({ model, tools: [weatherTools().look], maxIterations: 1, onLimit: "handOver" })
      .addNode("handOver", () => ({ messages: [new AIMessage("A colleague will answer.")] }))
      .compile();
    const { messages } = await graph.invoke(say("?"));
    expectAnswered(messages);
    expect(lines(messages).at(-1)).toBe("ai: A colleague will answer.");
  });

  test("ask lets a person grant more rounds, as many as they say, or none", async () => {
    const { model } = await scripted(endless);
    const tools = weatherTools();
    const graph = reactGraph({ model, tools: [tools.look], maxIterations: 2, onLimit: "ask" }).compile({
      checkpointer: new MemorySaver(),
    });
    const asked = await graph.invoke(say("?"), thread);
    expect(tools.calls).toHaveLength(2 * 2);
    expect((asked as { __interrupt__?: unknown[] }).__interrupt__).toMatchObject([
      { value: { actionRequests: [{ name: "continue", args: { iterations: 2 } }] } },
    ]);
    await graph.invoke(new Command({ resume: { decisions: [{ type: "approve" }] } }), thread);
    expect(tools.calls).toHaveLength(2 * 4);
    const edited = { type: "edit", editedAction: { name: "continue", args: { iterations: 1 } } };
    await graph.invoke(new Command({ resume: { decisions: [edited] } }), thread);
    expect(tools.calls).toHaveLength(2 * 5);
    const { messages, decisions } = await graph.invoke(
      new Command({ resume: { decisions: [{ type: "reject" }], decidedBy: "ada" } }),
      thread,
    );
    expect(tools.calls).toHaveLength(2 * 5);
    expectAnswered(messages);
    expect(lines(messages).at(-1)).toBe("ai: What I have.");
    expect(decisions.map(({ type, decidedBy }) => [type, decidedBy])).toEqual([
      ["approve", null],
      ["edit", null],
      ["reject", "ada"],
    ]);
  });

  test("a person who lets it go on after the budget is spent grants the budget once more", async () => {
    const { model } = await scripted((request, index) => ({
      ...(endless as (r: typeof request, i: number) => object)(request, index),
      usage: { in: 80, out: 20 },
    }));
    const tools = weatherTools();
    const graph = reactGraph({ model, tools: [tools.look], budget: { tokens: 250 }, onLimit: "ask" }).compile({
      checkpointer: new MemorySaver(),
    });
    const asked = await graph.invoke(say("?"), thread);
    expect(JSON.stringify(asked)).toContain("used up its 250 tokens");
    expect(tools.calls).toHaveLength(2 * 2);
    await graph.invoke(new Command({ resume: { decisions: [{ type: "approve" }] } }), thread);
    expect(tools.calls).toHaveLength(2 * 5); // the round that was open, and two calls of the model within the budget
  });

  test("a budget of tokens or cost is enforced before each round, and starts anew with each turn", async () => {
    const { model } = await scripted((request) => ({
      ...(endless as (r: typeof request, i: number) => object)(request, 0),
      usage: { in: 80, out: 20 },
    }));
    const price = { inputPerMillion: 1000, outputPerMillion: 1000 };
    for (const budget of [{ tokens: 250 }, { cost: 0.25, price }]) {
      const tools = weatherTools();
      const graph = reactGraph({ model, tools: [tools.look], budget, onLimit: "error" }).compile({
        checkpointer: new MemorySaver(),
      });
      for (const turn of [1, 2]) {
        // 100 tokens a call of the model: the third call is over the budget, so two rounds ran.
        await expect(graph.invoke(say("?"), thread)).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });
        expect(tools.calls).toHaveLength(2 * 2 * turn);
      }
    }
  });
});

describe("approvals", () => {
  const twoCalls: Script = [
    { calls: [{ name: "refund", args: { amount: 40 }, id: "money" }, look("Rome", "view")] },
    { text: "Settled." },
  ];
  const question = (result: object) => (result as { __interrupt__: { value: unknown }[] }).__interrupt__[0]?.value;
  const decide = (decision: object) =>
    new Command<unknown, never, never>({ resume: { decisions: [decision], decidedBy: "ada" } });

  async function waiting(approve: Parameters<typeof reactGraph>[0]["approve"] = ["refund"]) {
    const { model } = await scripted(twoCalls);
    const tools = weatherTools();
    const graph = reactGraph({ model, tools: [tools.look, tools.refund], approve: approve as ["refund"] }).compile({
      checkpointer: new MemorySaver(),
    });
    return { graph, tools, asked: await graph.invoke(say("My money!"), thread) };
  }

  test("H13: a call that waits for an approval does not hold up the others, and they never run again", async () => {
    const { graph, tools, asked } = await waiting();
    expect(tools.calls).toEqual(["look Rome"]);
    expect(question(asked)).toMatchObject({
      actionRequests: [{ name: "refund", args: { amount: 40 }, description: "Moves money." }],
      reviewConfigs: [{ actionName: "refund", argsSchema: { properties: { amount: { type: "number" } } } }],
    });
    const { messages, decisions } = await graph.invoke(decide({ type: "approve" }), thread);
    expect(tools.calls).toEqual(["look Rome", "refund 40"]);
    expect(lines(messages).slice(2)).toEqual(["tool money: refunded 40", "tool view: sunny in Rome", "ai: Settled."]);
    expect(decisions).toMatchObject([
      { type: "approve", decidedBy: "ada", action: { name: "refund", args: { amount: 40 } } },
    ]);
  });

  test("a rejected call does not run, and the model is told so with the reviewer's words", async () => {
    const { graph, tools } = await waiting();
    const { messages } = await graph.invoke(decide({ type: "reject", message: "Past 30 days." }), thread);
    expect(tools.calls).toEqual(["look Rome"]);
    expectAnswered(messages);
    expect(lines(messages)[2]).toBe("tool money: A person rejected this call. Past 30 days.");
  });

  test("an edited call runs with the edited arguments, and its message answers the same call", async () => {
    const { graph, tools } = await waiting();
    const edited = { type: "edit", editedAction: { name: "refund", args: { amount: 15 } } };
    const { messages } = await graph.invoke(decide(edited), thread);
    expect(tools.calls).toEqual(["look Rome", "refund 15"]);
    expectAnswered(messages);
    expect(lines(messages)[2]).toBe(
      'tool money: A person changed the arguments to {"amount":15} before it ran.\nrefunded 15',
    );
  });

  test("a tool that returns a Command is approved like any other", async () => {
    const { model } = await scripted([{ calls: [{ name: "note", args: {}, id: "n" }] }, { text: "Noted." }]);
    const note = tool(
      (_args, config: { toolCallId?: string }) =>
        new Command({
          update: {
            topic: "refunds",
            messages: [new ToolMessage({ content: "noted", tool_call_id: config.toolCallId ?? "" })],
          },
        }),
      { name: "note", description: "", schema: z.object({}) },
    );
    const State = Annotation.Root({ topic: Annotation<string>() });
    const graph = reactGraph({ model, tools: [note], approve: ["note"], state: State }).compile({
      checkpointer: new MemorySaver(),
    });
    await graph.invoke(say("?"), thread);
    const result = await graph.invoke(decide({ type: "approve" }), thread);
    expect(result.topic).toBe("refunds");
    expect(result.decisions).toMatchObject([{ type: "approve" }]);
    expectAnswered(result.messages);
  });

  test("a predicate decides for a call, with the state, and may say who is asked", async () => {
    const seen: unknown[] = [];
    const { asked } = await waiting(((
      call: { name: string; args: { amount?: number } },
      state: { messages: unknown[] },
    ) => {
      seen.push([call.name, state.messages.length]);
      return (call.args.amount ?? 0) > 30 && { assignee: "treasurer" };
    }) as never);
    expect(question(asked)).toMatchObject({ assignee: "treasurer", actionRequests: [{ name: "refund" }] });
    expect(seen).toEqual([
      ["refund", 2],
      ["look", 2],
    ]);
  });

  test("a predicate that returns nothing lets no call through", async () => {
    const { model } = await scripted(twoCalls);
    const tools = weatherTools();
    const nothing = (() => undefined) as unknown as () => boolean;
    const graph = reactGraph({ model, tools: [tools.look, tools.refund], approve: nothing }).compile();
    await expect(graph.invoke(say("My money!"))).rejects.toMatchObject({
      code: "GRAPH_INVALID",
      message: expect.stringContaining("returned undefined for a call of"),
    });
    expect(tools.calls).toEqual([]);
  });

  test("a tool does not compensate itself", async () => {
    const { model } = await scripted([]);
    const pay = tool(() => "paid", {
      name: "pay",
      description: "",
      schema: z.object({}),
      ...effect("irreversible", { compensate: "pay" }),
    });
    expect(() => reactGraph({ model, tools: [pay] })).toThrow(expect.objectContaining({ code: "GRAPH_UNSAFE" }));
  });

  test("a new turn in place of one that waits tells the model which calls got no answer", async () => {
    const { model, server } = await scripted([...twoCalls.slice(0, 1), { text: "Something else." }]);
    const tools = weatherTools();
    const graph = reactGraph({ model, tools: [tools.look, tools.refund], approve: ["refund"] }).compile({
      checkpointer: new MemorySaver(),
    });
    await graph.invoke(say("My money!"), thread);
    await graph.invoke(say("Forget it."), thread);
    const unanswered = "The turn ended before this call had an answer. It may have run.";
    expect(
      server.requests[1]?.messages.map(({ role, tool_call_id, content }) => [role, tool_call_id ?? content]),
    ).toEqual([
      ["user", "My money!"],
      ["assistant", ""],
      ["tool", "money"],
      ["tool", "view"],
      ["user", "Forget it."],
    ]);
    expect(server.requests[1]?.messages[2]?.content).toBe(unanswered);
  });

  test("an irreversible tool without approval and compensation is GRAPH_UNSAFE", async () => {
    const { model } = await scripted([]);
    const { look: lookTool, refund } = weatherTools();
    const undoable = tool(() => "", {
      name: "book",
      description: "",
      schema: z.object({}),
      ...effect("irreversible", { compensate: "look" }),
    });
    const unsafe = expect.objectContaining({ code: "GRAPH_UNSAFE", message: expect.stringContaining('"refund"') });
    expect(() => reactGraph({ model, tools: [lookTool, refund] })).toThrow(unsafe);
    expect(() => reactGraph({ model, tools: [lookTool, refund], approve: ["look"] })).toThrow(unsafe);
    expect(() => reactGraph({ model, tools: [lookTool, undoable] })).not.toThrow();
  });

  test("approve may only name tools there are", async () => {
    const { model } = await scripted([]);
    const approve = ["refnud"] as unknown as ["look"];
    expect(() => reactGraph({ model, tools: [weatherTools().look], approve })).toThrow(
      expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining('"refnud"') }),
    );
  });
});

describe("as a StateGraph", () => {
  test("it takes its own state as Annotation, zod object or StateSchema, and still checks it", async () => {
    const { model } = await scripted(() => ({ text: "Hi." }));
    const annotated = reactGraph({ model, tools: [], state: Annotation.Root({ n: Annotation<number>() }) }).compile();
    const zod = reactGraph({ model, tools: [], state: z.object({ n: z.number() }) }).compile();
    const schema = reactGraph({ model, tools: [], state: new StateSchema({ n: z.number().default(7) }) }).compile();
    for (const graph of [annotated, zod, schema]) {
      const result = await (graph as typeof annotated).invoke({ ...say("?"), n: 3 });
      expect(result).toMatchObject({ n: 3, usage: { calls: 1 }, decisions: [] });
      expect(lines(result.messages)).toEqual(["human: ?", "ai: Hi."]);
    }
    await expect(zod.invoke({ ...say("?"), n: "three" as never })).rejects.toThrow(/number/);
    await expect(schema.invoke({ ...say("?"), n: "three" as never })).rejects.toThrow(/number/);
  });

  test("a state of none of these kinds is OPTIONS_INVALID", async () => {
    const { model } = await scripted([]);
    expect(() => reactGraph({ model, tools: [], state: { n: "number" } as never })).toThrow(
      expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining("`state`") }),
    );
  });

  test.each([
    ["reason", "finish"],
    ["act", "finish"],
    ["finish", "finish"],
    ["ask", "ask"],
    ["limit", "error"],
    ["stop", "error"],
  ])("a channel %s is GRAPH_INVALID where a node is called so, as with onLimit %s", async (name, onLimit) => {
    const { model } = await scripted([]);
    const state = Annotation.Root({ [name]: Annotation<string>() });
    expect(() => reactGraph({ model, tools: [], state, onLimit })).toThrow(
      expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining(`"${name}"`) }),
    );
  });

  test("it can be embedded in another graph, and an approval in it is answered from there", async () => {
    const { model } = await scripted([{ calls: [{ name: "refund", args: { amount: 1 } }] }, { text: "Done." }]);
    const tools = weatherTools();
    const agent = reactGraph({ model, tools: [tools.refund], approve: ["refund"] }).compile();
    const Outer = Annotation.Root({ messages: agent.builder.channels["messages"] as never });
    const outer = new StateGraph(Outer)
      .addNode("agent", agent as never)
      .addEdge(START, "agent")
      .compile({ checkpointer: new MemorySaver() });
    await outer.invoke(say("?") as never, thread);
    const result = await outer.invoke(new Command({ resume: { decisions: [{ type: "approve" }] } }), thread);
    expect(tools.calls).toEqual(["refund 1"]);
    expect(lines((result as { messages: BaseMessage[] }).messages).at(-1)).toBe("ai: Done.");
  });
});

test("a tool's message is stored with the id that the model's node sees it by", async () => {
  const { model } = await scripted([{ calls: [look("Rome", "a")] }, { text: "Sunny." }]);
  const graph = reactGraph({ model, tools: [weatherTools().look] }).compile({ checkpointer: new MemorySaver() });
  const { messages } = await graph.invoke(say("How is Rome?"), thread);
  const stored = (await graph.getState(thread)).values as { readonly messages: readonly BaseMessage[] };
  expect(messages.map(({ id }) => typeof id)).toEqual(["string", "string", "string", "string"]);
  expect(stored.messages.map(({ id }) => id)).toEqual(messages.map(({ id }) => id));
});
