import { ChatPromptTemplate } from "@langchain/core/prompts";
import { RunnableLambda } from "@langchain/core/runnables";
import { Annotation, Command, END, MemorySaver } from "@langchain/langgraph";
import { chain } from "perdure/graphs";
import { approval } from "perdure/nodes";
import { afterEach, describe, expect, test, vi } from "vitest";

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
  total: Annotation<number>(),
});
type State = typeof State.State;
const thread = { configurable: { thread_id: "thread-1" } };
const note = (text: string) => () => ({ log: [text] });
const answer = (decision: object) =>
  new Command<unknown, never, never>({ resume: { decisions: [decision], decidedBy: "ada" } });
afterEach(() => {
  vi.useRealTimers();
});

/** A step that fails as often as said, and notes each try. */
function flaky(failures: number, tries: string[] = []) {
  const run = () => {
    tries.push("try");
    if (tries.length <= failures) throw new Error(`failure ${tries.length}`);
    return { log: ["flaky"] };
  };
  return { run, tries };
}

describe("order", () => {
  test("steps run in the order they are written in, each with what those before it wrote", async () => {
    const graph = chain(
      {
        validate: note("validate"),
        decide: ({ log, total }) => ({ total: total + log.length }),
        pay: ({ total }) => ({ log: [`pay ${total}`] }),
      },
      { state: State },
    );
    expect(await graph.compile().invoke({ total: 40 })).toEqual({
      log: ["validate", "pay 41"],
      total: 41,
      decisions: [],
    });
  });

  test("Runnables are steps too", async () => {
    const prompt = ChatPromptTemplate.fromTemplate("Total: {total}").pipe(
      RunnableLambda.from((value) => ({ log: [value.toString()] })),
    );
    const graph = chain({ prompt: prompt as RunnableLambda<State, { log: string[] }> }, { state: State });
    expect((await graph.compile().invoke({ total: 7 })).log).toEqual(["Human: Total: 7"]);
  });

  test("a chain that died goes on with the step it died in", async () => {
    const { run, tries } = flaky(1);
    const first = vi.fn<() => { log: string[] }>(note("first"));
    const graph = chain({ first, run }, { state: State }).compile({ checkpointer: new MemorySaver() });
    await expect(graph.invoke({}, thread)).rejects.toThrow("failure 1");
    expect((await graph.invoke(null, thread)).log).toEqual(["first", "flaky"]);
    expect(first).toHaveBeenCalledTimes(1);
    expect(tries).toHaveLength(2);
  });
});

describe("errors", () => {
  test("a step that fails is tried again as often as retries says, after retryDelayMs and twice that", async () => {
    vi.useFakeTimers();
    const { run, tries } = flaky(2);
    const done = chain({ run }, { state: State, retries: 2, retryDelayMs: 1000 }).compile().invoke({});
    await vi.advanceTimersByTimeAsync(999);
    expect(tries).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(tries).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1999);
    expect(tries).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect((await done).log).toEqual(["flaky"]);
  });

  test("onError gets the last error, the step and the state, and its update lets the chain go on", async () => {
    const seen: unknown[] = [];
    const graph = chain(
      { first: note("first"), broken: flaky(9).run, last: note("last") },
      {
        state: State,
        retries: 1,
        retryDelayMs: 0,
        onError: (error, step, state) => {
          seen.push((error as Error).message, step, state.log);
          return { log: ["recovered"] };
        },
      },
    );
    expect((await graph.compile().invoke({})).log).toEqual(["first", "recovered", "last"]);
    expect(seen).toEqual(["failure 2", "broken", ["first"]]);
  });

  test("onError may go on with a later step, or end the chain", async () => {
    const build = (goto: "last" | typeof END) =>
      chain(
        { broken: flaky(9).run, skipped: note("skipped"), last: note("last"), after: note("after") },
        { state: State, onError: () => new Command({ goto, update: { log: [`to ${goto}`] } }) },
      ).compile({ checkpointer: new MemorySaver() });
    expect((await build("last").invoke({}, thread)).log).toEqual(["to last", "last", "after"]);
    const ended = build(END);
    expect((await ended.invoke({}, thread)).log).toEqual(["to __end__"]);
    // What was skipped in one turn is not skipped in the next.
    expect((await ended.invoke({}, thread)).log).toEqual(["to __end__", "to __end__"]);
  });

  test("onError that goes back, or to no step, is GRAPH_INVALID", async () => {
    const graph = chain(
      { first: note("first"), broken: flaky(9).run },
      { state: State, onError: () => new Command({ goto: "first" }) },
    );
    await expect(graph.compile().invoke({})).rejects.toMatchObject({
      code: "GRAPH_INVALID",
      message: expect.stringContaining('"first"'),
    });
  });

  test("onError that throws fails the step with what it threw", async () => {
    const graph = chain(
      { broken: flaky(9).run },
      {
        state: State,
        onError: (error) => {
          throw new Error("told ops", { cause: error });
        },
      },
    );
    await expect(graph.compile().invoke({})).rejects.toThrow("told ops");
  });

  test("a step that returns no update is GRAPH_INVALID", async () => {
    const graph = chain({ text: () => "done" as never }, { state: State });
    await expect(graph.compile().invoke({})).rejects.toMatchObject({ code: "GRAPH_INVALID" });
  });
});

describe("timeoutMs", () => {
  const takes = (ms: number) => () =>
    new Promise<{ log: string[] }>((resolve) => setTimeout(() => resolve({ log: [`${ms}`] }), ms));

  test("is the running time of the whole turn, and starts anew with the next", async () => {
    vi.useFakeTimers();
    const graph = chain({ a: takes(600), b: takes(300), c: takes(200) }, { state: State, timeoutMs: 1000 }).compile({
      checkpointer: new MemorySaver(),
    });
    for (const _turn of [1, 2]) {
      const failed = graph.invoke({}, thread).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(600 + 300 + 100);
      expect(await failed).toMatchObject({ code: "NODE_TIMEOUT" });
    }
    expect((await graph.getState(thread)).values.log).toEqual(["600", "300", "600", "300"]);
  });

  test("does not count the time a turn waits for a person", async () => {
    vi.useFakeTimers();
    const graph = chain({ ask: { approve: () => ({}) }, go: note("gone") }, { state: State, timeoutMs: 1000 }).compile({
      checkpointer: new MemorySaver(),
    });
    await graph.invoke({}, thread);
    vi.advanceTimersByTime(1_000_000);
    expect((await graph.invoke(answer({ type: "approve" }), thread)).log).toEqual(["gone"]);
  });
});

describe("approval", () => {
  const paying = (rest: object = {}) =>
    chain(
      {
        pay: { run: note("pay"), effect: "irreversible", approve: ({ total }) => ({ args: { total } }) },
        ship: note("ship"),
      },
      { state: State, ...rest },
    ).compile({ checkpointer: new MemorySaver() });

  test("a person is asked before the step runs", async () => {
    const graph = paying();
    const asked = await graph.invoke({ total: 40 }, thread);
    expect(asked).toMatchObject({
      log: [],
      __interrupt__: [{ value: { actionRequests: [{ name: "pay", args: { total: 40 } }] } }],
    });
    expect(await graph.invoke(answer({ type: "approve" }), thread)).toMatchObject({
      log: ["pay", "ship"],
      decisions: [{ type: "approve", decidedBy: "ada" }],
    });
  });

  test("a no ends the chain there, with the decision in the state", async () => {
    const graph = paying();
    await graph.invoke({ total: 40 }, thread);
    expect(await graph.invoke(answer({ type: "reject", message: "No." }), thread)).toMatchObject({
      log: [],
      decisions: [{ type: "reject", message: "No.", decidedBy: "ada" }],
    });
  });

  test("a no goes to onError as APPROVAL_REJECTED", async () => {
    const graph = paying({ onError: (error: { code: string }) => ({ log: [error.code] }) });
    await graph.invoke({ total: 40 }, thread);
    expect((await graph.invoke(answer({ type: "reject" }), thread)).log).toEqual(["APPROVAL_REJECTED", "ship"]);
  });

  test("an irreversible step without an approval is GRAPH_UNSAFE, and an approval node is refused", () => {
    expect(() => chain({ pay: { run: note("pay"), effect: "irreversible" } }, { state: State })).toThrow(
      expect.objectContaining({ code: "GRAPH_UNSAFE" }),
    );
    const ask = approval({ actions: [{ name: "pay", args: {} }] });
    expect(() => chain({ ask: ask as never }, { state: State })).toThrow(
      expect.objectContaining({ code: "GRAPH_INVALID" }),
    );
  });
});

test.each([
  ["retries", { retries: -1 }],
  ["timeoutMs", { timeoutMs: 0 }],
  ["onError", { onError: "ignore" }],
])("a bad %s is OPTIONS_INVALID and named", (option, wrong) => {
  const build = () => chain({ a: note("a") }, { state: State, ...(wrong as object) });
  expect(build).toThrow(
    expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining(`\`${option}\``) }),
  );
});

test.each(["log", "decisions", "a:b", "__end__"])("a step can't be called %s", (name) => {
  expect(() => chain({ [name]: note("a") }, { state: State })).toThrow(
    expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining(`"${name}"`) }),
  );
});

test("steps whose names JavaScript would put in another order are refused", () => {
  expect(() => chain({ b: note("b"), 1: note("1") }, { state: State })).toThrow(
    expect.objectContaining({ code: "GRAPH_INVALID" }),
  );
});

test("an approval guards the steps after it only where no onError may go on after a no", () => {
  const state = Annotation.Root({ log: Annotation<string[]>() });
  const steps = {
    ask: { approve: () => ({}) },
    pay: { run: () => ({ log: ["paid"] }), effect: "irreversible" },
  } as const;
  expect(() => chain(steps, { state })).not.toThrow();
  expect(() => chain(steps, { state, onError: () => ({}) })).toThrow(
    expect.objectContaining({ code: "GRAPH_UNSAFE", message: expect.stringContaining('"pay"') }),
  );
});
