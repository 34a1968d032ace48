import { AIMessage, ToolMessage } from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import {
  Annotation,
  Command,
  MemorySaver,
  MessagesAnnotation,
  START,
  Send,
  StateGraph,
  interrupt,
  isGraphInterrupt,
} from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod/v3";
import { getIdempotencyKey, once, toolNode } from "perdure/nodes";
import type { RunnableTool, ToolErrorPolicy, ToolNodeInput } from "perdure/nodes";

const State = Annotation.Root({ ...MessagesAnnotation.spec, note: Annotation<string>() });

/** A graph that sends each tool call of the input's message to a task of its own. */
function graphOf(tools: RunnableTool[], onError?: ToolErrorPolicy) {
  return new StateGraph(State)
    .addNode("tool", toolNode({ tools, ...(onError === undefined ? {} : { onError }) }), {
      input: Annotation.Root({ toolCall: Annotation<ToolCall>(), note: Annotation<string>() }),
    })
    .addConditionalEdges(
      START,
      ({ messages, note }) =>
        ((messages.at(-1) as AIMessage).tool_calls ?? []).map((toolCall) => new Send("tool", { toolCall, note })),
      ["tool"],
    )
    .compile({ checkpointer: new MemorySaver() });
}

const calls = (...toolCalls: { name: string; args: Record<string, unknown>; id?: string }[]) => ({
  messages: [
    new AIMessage({ content: "", tool_calls: toolCalls.map((call, i) => ({ id: `call_${i + 1}`, ...call })) }),
  ],
  note: "from the state",
});

const thread = { configurable: { thread_id: "thread-1" }, durability: "sync" } as const;

const add = tool(({ a, b }) => String(a + b), {
  name: "add",
  description: "Adds.",
  schema: z.object({ a: z.number(), b: z.number() }),
});
const failing = tool(
  () => {
    throw new Error("the database is gone");
  },
  { name: "failing", description: "Fails.", schema: z.object({}) },
);

async function answers(graph: ReturnType<typeof graphOf>, input: ReturnType<typeof calls> | Command) {
  const { messages } = await graph.invoke(input as never, thread);
  return messages.filter((message) => ToolMessage.isInstance(message));
}

describe("toolNode", () => {
  test("runs the call and answers it by its id", async () => {
    const [message] = await answers(graphOf([add]), calls({ name: "add", args: { a: 1, b: 2 }, id: "call_x" }));

    expect(message).toMatchObject({ content: "3", tool_call_id: "call_x", name: "add" });
    expect(message?.status).not.toBe("error");
  });

  test("each call is a task of its own: they run at the same time, and answer in the order of the calls", async () => {
    const running: string[] = [];
    let release = () => {};
    const bothRun = new Promise<void>((resolve) => {
      release = resolve;
    });
    const meet = tool(
      async ({ who }) => {
        running.push(who);
        if (running.length === 2) release();
        await bothRun;
        return who;
      },
      { name: "meet", description: "Waits for another.", schema: z.object({ who: z.string() }) },
    );

    const messages = await answers(
      graphOf([meet]),
      calls({ name: "meet", args: { who: "a" } }, { name: "meet", args: { who: "b" } }),
    );

    expect(messages.map(({ content }) => content)).toEqual(["a", "b"]);
  });

  test("an unknown tool is told to the model, with the tools there are", async () => {
    const [message] = await answers(graphOf([add, failing]), calls({ name: "multiply", args: {} }));

    expect(message).toMatchObject({
      status: "error",
      tool_call_id: "call_1",
      content: 'There is no tool "multiply". Tools there are: add, failing.',
    });
  });

  test.each([
    [
      "zod 4",
      z.object({ a: z.number(), b: z.number() }),
      'The arguments of "add" don\'t fit: b: Invalid input: expected number, received string.',
    ],
    [
      "zod 3",
      z3.object({ a: z3.number(), b: z3.number() }),
      'The arguments of "add" don\'t fit: b: Expected number, received string.',
    ],
    [
      "JSON schema",
      { type: "object", properties: { a: { type: "number" }, b: { type: "number" } } } as const,
      'The arguments of "add" don\'t fit: b: Instance type "string" is invalid. Expected "number".',
    ],
  ])("arguments that don't fit are told by name, the tool does not run (%s)", async (_title, schema, content) => {
    let ran = false;
    const checked = tool(
      () => {
        ran = true;
        return "";
      },
      { name: "add", description: "Adds.", schema: schema as never },
    );

    const [message] = await answers(graphOf([checked]), calls({ name: "add", args: { a: 1, b: "two" } }));

    expect(message?.status).toBe("error");
    expect(message?.content).toContain(content);
    expect(ran).toBe(false);
  });

  test("a tool that throws is told with its message and without its stack", async () => {
    const [message] = await answers(graphOf([failing]), calls({ name: "failing", args: {} }));

    expect(message).toMatchObject({ status: "error", content: 'The tool "failing" failed: the database is gone' });
  });

  test('onError "throw" makes every error fatal, as it was thrown', async () => {
    const graph = graphOf([add, failing], "throw");

    await expect(answers(graph, calls({ name: "failing", args: {} }))).rejects.toThrow("the database is gone");
    await expect(answers(graphOf([add], "throw"), calls({ name: "nope", args: {} }))).rejects.toMatchObject({
      code: "TOOL_UNKNOWN",
    });
    await expect(answers(graphOf([add], "throw"), calls({ name: "add", args: {} }))).rejects.toMatchObject({
      code: "TOOL_ARGUMENTS_INVALID",
    });
  });

  test("onError as a function decides for each error, and knows the call", async () => {
    const asked: unknown[] = [];
    const onError: ToolErrorPolicy = (error, call) => {
      asked.push([(error as Error).message, call.name]);
      return call.name === "failing" ? "throw" : "tell";
    };

    const [told] = await answers(graphOf([add, failing], onError), calls({ name: "add", args: {} }));
    expect(told?.status).toBe("error");
    await expect(answers(graphOf([failing], onError), calls({ name: "failing", args: {} }))).rejects.toThrow("gone");
    expect(asked).toEqual([
      [expect.stringContaining("TOOL_ARGUMENTS_INVALID"), "add"],
      ["the database is gone", "failing"],
    ]);
  });

  test("H13: a tool that asks holds up its own call only, and the others don't run again with its answer", async () => {
    let added = 0;
    const counting = tool(
      () => {
        added += 1;
        return "added";
      },
      { name: "count", description: "Counts.", schema: z.object({}) },
    );
    const asking = tool(() => `you said ${interrupt("sure?")}`, {
      name: "ask",
      description: "Asks.",
      schema: z.object({}),
    });
    const graph = graphOf([counting, asking], "throw");

    await graph.invoke(calls({ name: "count", args: {} }, { name: "ask", args: {} }), thread);
    const messages = await answers(graph, new Command({ resume: "yes" }));

    expect(messages.map(({ content }) => content)).toEqual(["added", "you said yes"]);
    expect(added).toBe(1);
  });

  test("H11: what a tool asks is no error of the tool", async () => {
    const asking = tool(() => interrupt("sure?") as string, {
      name: "ask",
      description: "Asks.",
      schema: z.object({}),
    });
    const seen: unknown[] = [];
    const node = toolNode({
      tools: [asking],
      onError: (error) => {
        seen.push(error);
        return "tell";
      },
    });
    const graph = new StateGraph(State)
      .addNode("tool", async (_state, config) => {
        const call = { toolCall: { name: "ask", args: {}, id: "call_1" } };
        await expect(node(call, config)).rejects.toSatisfy(isGraphInterrupt);
      })
      .addEdge(START, "tool")
      .compile({ checkpointer: new MemorySaver() });

    await graph.invoke(calls(), thread);

    expect(seen).toEqual([]);
  });

  test("a Command that a tool returns is the node's result", async () => {
    const noting = tool(
      (_args, config) =>
        new Command({
          update: {
            note: "from the tool",
            messages: [new ToolMessage({ content: "noted", tool_call_id: config.toolCall?.id ?? "" })],
          },
        }),
      { name: "note", description: "Notes.", schema: z.object({}) },
    );

    const state = await graphOf([noting]).invoke(calls({ name: "note", args: {}, id: "call_n" }), thread);

    expect(state.note).toBe("from the tool");
    expect(state.messages.at(-1)).toMatchObject({ content: "noted", tool_call_id: "call_n" });
  });

  test("results that are no text are told as JSON; artifacts stay beside the text", async () => {
    const listing = tool(() => [{ id: 1 }], { name: "list", description: "Lists.", schema: z.object({}) });
    const plotting = tool(() => ["a chart", { points: [1, 2] }], {
      name: "plot",
      description: "Plots.",
      schema: z.object({}),
      responseFormat: "content_and_artifact",
    });

    const messages = await answers(
      graphOf([listing, plotting]),
      calls({ name: "list", args: {} }, { name: "plot", args: {} }),
    );

    expect(messages[0]?.content).toBe('[{"id":1}]');
    expect(messages[1]).toMatchObject({ content: "a chart", artifact: { points: [1, 2] } });
  });

  test("the tool sees the rest of the input as its state", async () => {
    const reading = tool((_args, config) => (config as unknown as { state: { note: string } }).state.note, {
      name: "read",
      description: "Reads.",
      schema: z.object({}),
    });

    const [message] = await answers(graphOf([reading]), calls({ name: "read", args: {} }));

    expect(message?.content).toBe("from the state");
  });

  test("cancelling is thrown, and not told to the model", async () => {
    const controller = new AbortController();
    const asked: unknown[] = [];
    const stuck = tool(
      async (_args, config) => {
        controller.abort();
        await new Promise((_resolve, reject) => {
          config.signal?.addEventListener("abort", () => reject(new Error("aborted")));
        });
      },
      { name: "stuck", description: "Hangs.", schema: z.object({}) },
    );
    const graph = graphOf([stuck], (error) => {
      asked.push(error);
      return "tell";
    });

    await expect(
      graph.invoke(calls({ name: "stuck", args: {} }), { ...thread, signal: controller.signal }),
    ).rejects.toThrow(/abort/i);
    expect(asked).toEqual([]);
  });

  test("writes to the channel it is told to", async () => {
    const node = toolNode({ tools: [add], messagesKey: "talk" });
    const input: ToolNodeInput = { toolCall: { name: "add", args: { a: 1, b: 1 }, id: "call_1" } };

    expect(await node(input, {})).toMatchObject({ talk: [{ content: "2" }] });
  });

  test("refuses what it can't use, by name", () => {
    const refused = (options: object, named: string) =>
      expect(() => toolNode(options as never)).toThrow(
        expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining(named) }),
      );

    refused({}, "`tools`");
    refused({ tools: ["add"] }, '`tools.0` can\'t be "add"');
    refused({ tools: [add], onError: "ignore" }, "`onError`");
    refused({ tools: [add, add] }, "two of `tools`");
  });
});

describe("getIdempotencyKey", () => {
  const keys: string[] = [];
  const reading = tool(
    (_args, config) => {
      keys.push(getIdempotencyKey(config), getIdempotencyKey());
      return "";
    },
    { name: "read", description: "Reads its key.", schema: z.object({}) },
  );

  test("is the same in each attempt of a call, after a crash and after a resume; with and without the config", async () => {
    keys.length = 0;
    const checkpointer = new MemorySaver();
    let fails = true;
    const flaky = tool(
      async (_args, config) => {
        keys.push(getIdempotencyKey(config), getIdempotencyKey());
        if (fails) throw new Error("SIGKILL");
        keys.push(await once("inner", () => getIdempotencyKey()).then(() => getIdempotencyKey()));
        return String(interrupt("sure?"));
      },
      { name: "flaky", description: "Fails at first.", schema: z.object({}) },
    );
    const graph = () => Object.assign(graphOf([flaky], "throw"), { checkpointer });

    await expect(graph().invoke(calls({ name: "flaky", args: {} }), thread)).rejects.toThrow("SIGKILL");
    fails = false;
    await graph().invoke(null, thread);
    await graph().invoke(new Command({ resume: "yes" }), thread);

    expect(keys).toHaveLength(8);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  test("differs between calls, turns and threads", async () => {
    keys.length = 0;
    const graph = graphOf([reading]);

    await graph.invoke(calls({ name: "read", args: {} }, { name: "read", args: {} }), thread);
    await graph.invoke(calls({ name: "read", args: {} }), thread);
    await graph.invoke(calls({ name: "read", args: {} }), { configurable: { thread_id: "thread-2" } });

    expect(keys).toHaveLength(8);
    expect(new Set(keys).size).toBe(4);
  });

  test("outside of a graph it says so", () => {
    expect(() => getIdempotencyKey()).toThrow(expect.objectContaining({ code: "OUTSIDE_GRAPH" }));
  });
});
