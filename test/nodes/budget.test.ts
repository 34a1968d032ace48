import { HumanMessage } from "@langchain/core/messages";
import {
  Annotation,
  Command,
  END,
  MemorySaver,
  MessagesAnnotation,
  START,
  Send,
  StateGraph,
  interrupt,
} from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { budgetChannel, budgetExceeded, modelNode, usageChannel, withPolicies } from "perdure/nodes";
import type { Budget, Spending } from "perdure/nodes";
import { startOpenAiServer } from "../support/openai-server.ts";

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  rounds: Annotation<number, number>({ reducer: (kept, added) => kept + added, default: () => 0 }),
  note: Annotation<string | undefined>(),
  usage: usageChannel(),
  budget: budgetChannel(),
});
type Run = (state: typeof State.State, config: LangGraphRunnableConfig) => unknown;

/** A node that goes round and round under a budget. */
function looping(run: Run, budget: Budget) {
  const node = withPolicies(
    async (state: typeof State.State, config: LangGraphRunnableConfig) => ({
      rounds: 1,
      ...((await run(state, config)) as object),
    }),
    { budget, retry: { attempts: 2, intervalMs: 0 } },
  );
  return new StateGraph(State)
    .addNode("round", node)
    .addNode("again", () => ({}))
    .addEdge(START, "round")
    .addEdge("round", "again")
    .addEdge("again", "round")
    .compile({ checkpointer: new MemorySaver() });
}

const thread = { configurable: { thread_id: "thread-1" }, durability: "sync", recursionLimit: 1_000 } as const;
const stateOf = async (graph: ReturnType<typeof looping>) =>
  (await graph.getState(thread)).values as typeof State.State;

afterEach(() => {
  vi.useRealTimers();
});

describe("a budget", () => {
  test("of iterations lets a run go round so often, and then fails it with BUDGET_EXCEEDED; its work is kept", async () => {
    const graph = looping(() => ({}), { iterations: 3 });

    await expect(graph.invoke({}, thread)).rejects.toMatchObject({
      code: "BUDGET_EXCEEDED",
      message: expect.stringContaining("3 of 3 iterations"),
    });
    expect((await stateOf(graph)).rounds).toBe(3);
  });

  test("counts per run: a new turn has all of it again, a resume and a continue only the rest", async () => {
    let fails = true;
    const graph = looping(
      ({ rounds }) => {
        if (rounds === 1) interrupt("go on?");
        if (rounds === 2 && fails) {
          fails = false;
          throw Object.assign(new Error("crash"), { status: 400 });
        }
      },
      { iterations: 3 },
    );

    await graph.invoke({}, thread);
    await expect(graph.invoke(new Command({ resume: "yes" }), thread)).rejects.toThrow("crash");
    await expect(graph.invoke(null, thread)).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });
    expect((await stateOf(graph)).rounds).toBe(3);
    await expect(graph.invoke({}, thread)).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });

    const { rounds, budget } = await stateOf(graph);
    expect(rounds).toBe(6);
    expect(budget.iterations).toBe(3);
  });

  test("gives what an onExceeded function makes of it, and goes on along the node's edges", async () => {
    const node = withPolicies(() => ({ rounds: 1 }), {
      budget: {
        iterations: 2,
        onExceeded: ({ limit, max }, { rounds }: typeof State.State) => ({ note: `${limit} ${max} ${rounds}` }),
      },
    });
    const graph = new StateGraph(State)
      .addNode("round", node)
      .addEdge(START, "round")
      .addConditionalEdges("round", ({ note }) => (note === undefined ? "round" : END), ["round", END])
      .compile({ checkpointer: new MemorySaver() });

    expect(await graph.invoke({}, thread)).toMatchObject({
      note: "iterations 2 2",
      rounds: 2,
      budget: { iterations: 2 },
    });
  });

  test("goes to the node that onExceeded names", async () => {
    const node = withPolicies(() => new Command({ update: { rounds: 1 }, goto: "round" }), {
      budget: { iterations: 2, onExceeded: "stop" },
    });
    const graph = new StateGraph(State)
      .addNode("round", node, { ends: ["round", "stop"] })
      .addNode("stop", () => ({ note: "stopped" }))
      .addEdge(START, "round")
      .compile({ checkpointer: new MemorySaver() });

    expect(await graph.invoke({}, thread)).toMatchObject({ note: "stopped", rounds: 2 });
  });

  test("of 0 allows nothing: the node does not run", async () => {
    let ran = false;
    const graph = looping(
      () => {
        ran = true;
      },
      { tokens: 0 },
    );

    await expect(graph.invoke({}, thread)).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });
    expect(ran).toBe(false);
  });

  test("of tokens counts every model called in the node, whatever the node returns, failed attempts too", async () => {
    const server = await startOpenAiServer(() => ({ text: "hm", usage: { in: 30, out: 10 } }));
    try {
      const model = new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.baseURL } });
      let attempts = 0;
      const graph = looping(
        async (_state, config) => {
          await Promise.all([model.invoke("one", config), model.invoke("two", config)]);
          attempts += 1;
          if (attempts === 1) throw new Error("busy");
        },
        { tokens: 200 },
      );

      await expect(graph.invoke({}, thread)).rejects.toMatchObject({
        message: expect.stringContaining("240 of 200 tokens"),
      });

      expect(server.requests).toHaveLength(6);
      expect((await stateOf(graph)).budget).toMatchObject({ iterations: 2, tokens: 240 });
    } finally {
      await server.close();
    }
  });

  test("of cost counts tokens by their price, beside what modelNode adds to the usage", async () => {
    const server = await startOpenAiServer(() => ({ text: "hm", usage: { in: 1_000, out: 500 } }));
    try {
      const model = new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.baseURL } });
      const graph = looping(modelNode({ model }), {
        cost: 0.02,
        price: { inputPerMillion: 2, outputPerMillion: 10 },
      });

      await expect(graph.invoke({ messages: [new HumanMessage("hi")] }, thread)).rejects.toMatchObject({
        code: "BUDGET_EXCEEDED",
        message: expect.stringContaining("cost"),
      });

      const { budget, usage, messages } = await stateOf(graph);
      expect(budget.cost).toBeCloseTo(0.021);
      expect(usage).toEqual({ inputTokens: 3_000, outputTokens: 1_500, totalTokens: 4_500, calls: 3 });
      expect(messages).toHaveLength(4);
    } finally {
      await server.close();
    }
  });

  test("of wall time counts while nodes run, and not while a person is waited for", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 0 });
    const graph = looping(
      ({ rounds }) => {
        if (rounds === 1) interrupt("go on?");
        vi.setSystemTime(Date.now() + 400);
      },
      { wallTimeMs: 1_000 },
    );
    await graph.invoke({}, thread);
    vi.setSystemTime(24 * 3_600_000);

    await expect(graph.invoke(new Command({ resume: "yes" }), thread)).rejects.toMatchObject({
      message: expect.stringContaining("1200 of 1000 wallTimeMs"),
    });
    expect((await stateOf(graph)).rounds).toBe(3);
  });

  test("without a limit of wall time keeps the clock out of the state", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 0 });
    const graph = looping(() => vi.setSystemTime(Date.now() + 400), { iterations: 1 });
    await expect(graph.invoke({}, thread)).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });
    expect((await stateOf(graph)).budget).toMatchObject({ wallTimeMs: 0, iterations: 1 });
  });

  test("adds up what parallel tasks spend, also tasks that were sent their input and don't see the state", async () => {
    const work = withPolicies((_state: { n: number }) => ({ rounds: 1 }), { budget: { iterations: 3 } });
    const graph = new StateGraph(State)
      .addNode("fan", () => ({}))
      .addNode("work", work, { input: Annotation.Root({ n: Annotation<number>() }) })
      .addEdge(START, "fan")
      .addConditionalEdges("fan", () => [1, 2, 3, 4].map((n) => new Send("work", { n })), ["work"])
      .addEdge("work", "fan")
      .compile({ checkpointer: new MemorySaver() });

    await expect(graph.invoke({}, thread)).rejects.toMatchObject({
      errors: Array.from({ length: 4 }, () => expect.objectContaining({ code: "BUDGET_EXCEEDED" })),
    });

    const { values } = await graph.getState(thread);
    expect((values as typeof State.State).budget.iterations).toBe(4);
  });

  test.each<[string, unknown, object]>([
    ["nothing", undefined, {}],
    ["an update", { rounds: 5 }, { rounds: 5 }],
    ["a Command", new Command({ update: { rounds: 7 }, goto: "stop" }), { rounds: 7, note: "stopped" }],
    [
      "several of them",
      [new Command({ update: { rounds: 7 }, goto: "stop" }), { rounds: 2 }],
      { rounds: 9, note: "stopped" },
    ],
  ])("charges a node that returns %s", async (_title, returned, expected) => {
    const graph = new StateGraph(State)
      .addNode(
        "node",
        withPolicies(() => returned as object, { budget: { iterations: 5 } }),
        { ends: ["stop"] },
      )
      .addNode("stop", () => ({ note: "stopped" }))
      .addEdge(START, "node")
      .compile({ checkpointer: new MemorySaver() });

    expect(await graph.invoke({}, thread)).toMatchObject({ ...expected, budget: { iterations: 1 } });
  });

  test("without its channel in the state says what to add", async () => {
    const graph = new StateGraph(MessagesAnnotation)
      .addNode(
        "node",
        withPolicies(() => ({}), { budget: { iterations: 1, budgetKey: "spent" } }),
      )
      .addEdge(START, "node")
      .compile();

    await expect(graph.invoke({ messages: [] })).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
      hint: "Add `spent: budgetChannel()` to the state.",
    });
  });

  test("works without a checkpointer: every run is a first turn", async () => {
    const graph = looping(() => ({}), { iterations: 2 });
    graph.checkpointer = false;
    for (let i = 0; i < 2; i += 1) {
      await expect(graph.invoke({}, { recursionLimit: 100 })).rejects.toMatchObject({ code: "BUDGET_EXCEEDED" });
    }
  });
});

describe("budgetExceeded", () => {
  const spent: Spending = { turn: 0, iterations: 3, tokens: 100, cost: 0.5, wallTimeMs: 10 };

  test("names the first limit that is used up, with what was spent", () => {
    expect(budgetExceeded(spent, { tokens: 100 })).toEqual({ limit: "tokens", max: 100, spent: 100 });
    expect(budgetExceeded(spent, { wallTimeMs: 9, iterations: 2 })).toEqual({ limit: "iterations", max: 2, spent: 3 });
  });

  test("is undefined while there is some left, and for a budget without limits", () => {
    expect(budgetExceeded(spent, { iterations: 4, tokens: 101, cost: 0.6, wallTimeMs: 11 })).toBeUndefined();
    expect(budgetExceeded(spent, {})).toBeUndefined();
  });
});

test("budgetChannel adds up within a turn and starts anew with the next, in whatever order tasks finish", () => {
  const channel = () => budgetChannel().fromCheckpoint();
  fc.assert(
    fc.property(
      fc.array(fc.record({ iterations: fc.nat(9), tokens: fc.nat(999) }), { minLength: 1, maxLength: 8 }),
      fc.nat(5),
      (spent, turn) => {
        const kept = channel();
        kept.update([{ turn: turn - 1, iterations: 7, tokens: 7, cost: 7, wallTimeMs: 7 }]);
        kept.update(spent.map((part) => ({ turn, cost: 0, wallTimeMs: 0, ...part })));
        const reversed = channel();
        reversed.update(spent.toReversed().map((part) => ({ turn, cost: 0, wallTimeMs: 0, ...part })));

        const sum = (key: "iterations" | "tokens") => spent.reduce((total, part) => total + part[key], 0);
        expect(kept.get()).toEqual({
          turn,
          iterations: sum("iterations"),
          tokens: sum("tokens"),
          cost: 0,
          wallTimeMs: 0,
        });
        expect(reversed.get()).toEqual(kept.get());
      },
    ),
  );
});
