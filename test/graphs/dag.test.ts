import { Annotation, Command, interrupt, MemorySaver, START, StateGraph, StateSchema } from "@langchain/langgraph";
import fc from "fast-check";
import { dag } from "perdure/graphs";
import { approval } from "perdure/nodes";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
  total: Annotation<number>(),
});
const thread = { configurable: { thread_id: "thread-1" } };
const fails = (message: string) => () => {
  throw new Error(message);
};
afterEach(() => {
  vi.useRealTimers();
});

/** The order of the seeds: validate, then inventory beside credit, then payment, fulfil, notify. */
function order(overrides: Record<string, unknown> = {}, rest: object = {}) {
  const ran: string[] = [];
  const step = (name: string) => () => {
    ran.push(name);
    return { log: [name] };
  };
  const nodes = {
    validate: step("validate"),
    inventory: { run: step("inventory"), after: ["validate"] },
    credit: { run: step("credit"), after: ["validate"] },
    payment: { run: step("payment"), after: ["inventory", "credit"] },
    fulfil: { run: step("fulfil"), after: ["payment"] },
    notify: { run: step("notify"), after: ["fulfil"] },
    ...overrides,
  } as const;
  return {
    ran,
    graph: dag({ state: State, nodes, ...rest } as unknown as Parameters<
      typeof dag<typeof State, keyof typeof nodes>
    >[0]),
  };
}

describe("order", () => {
  test("each node runs once after those it depends on, the independent ones in one superstep", async () => {
    const { graph } = order({}, { entry: ["validate"], finish: ["notify"] });
    const steps: Record<number, string[]> = {};
    for await (const event of await graph.compile().stream({}, { streamMode: "debug" })) {
      const { type, step, payload } = event as { type: string; step: number; payload: { name: string } };
      if (type === "task") (steps[step] ??= []).push(payload.name);
    }
    expect(Object.values(steps)).toEqual([
      ["validate"],
      ["credit", "inventory"],
      ["payment"],
      ["fulfil"],
      ["notify"],
      ["settle"],
    ]);
    const { log, failures } = await graph.compile().invoke({});
    expect(log.toSorted()).toEqual(["credit", "fulfil", "inventory", "notify", "payment", "validate"]);
    expect(failures).toEqual([]);
  });

  test("sequential runs one node at a time, each seeing what those before it wrote", async () => {
    const seen: number[] = [];
    const see = ({ log }: { log: string[] }) => {
      seen.push(log.length);
      return { log: ["x"] };
    };
    const graph = dag({
      state: State,
      sequential: true,
      nodes: { c: { run: see, after: ["a", "b"] }, a: see, b: see, d: see },
    });
    const { log } = await graph.compile().invoke({});
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(log).toHaveLength(4);
  });

  test("every turn runs the whole graph again", async () => {
    const { ran, graph } = order();
    const compiled = graph.compile({ checkpointer: new MemorySaver() });
    await compiled.invoke({}, thread);
    await compiled.invoke({}, thread);
    expect(ran).toHaveLength(12);
  });

  test("when says whether a node is needed; what comes after it runs all the same", async () => {
    const { ran, graph } = order({ inventory: { run: fails("not needed"), after: ["validate"], when: () => false } });
    const { failures } = await graph.compile().invoke({});
    expect(failures).toEqual([]);
    expect(ran).toEqual(["validate", "credit", "payment", "fulfil", "notify"]);
  });

  test("random DAGs: each node runs exactly once, after its dependencies, within the bound; of what fails only what depends on it is stopped", async () => {
    const shape = fc.integer({ min: 1, max: 8 }).chain((size) =>
      fc.record({
        // Each node may come after any with a lower number, so there are no cycles.
        after: fc.tuple(
          ...Array.from({ length: size }, (_, at) => fc.subarray(Array.from({ length: at }, (_u, before) => before))),
        ),
        failing: fc.subarray(Array.from({ length: size }, (_, at) => at)),
        delays: fc.tuple(...Array.from({ length: size }, () => fc.integer({ min: 0, max: 3 }))),
        maxConcurrency: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
        sequential: fc.boolean(),
      }),
    );
    await fc.assert(
      fc.asyncProperty(shape, async ({ after, failing, delays, maxConcurrency, sequential }) => {
        const name = (at: number) => `n${at}`;
        const finished: string[] = [];
        let running = 0;
        let most = 0;
        const nodes = Object.fromEntries(
          after.map((before, at) => [
            name(at),
            {
              after: before.map(name),
              run: async () => {
                most = Math.max(most, (running += 1));
                for (const earlier of before) expect(finished).toContain(name(earlier));
                for (let tick = 0; tick < (delays[at] ?? 0); tick++)
                  await new Promise((resolve) => setImmediate(resolve));
                running -= 1;
                finished.push(name(at));
                if (failing.includes(at)) throw new Error(`${name(at)} is broken`);
                return { log: [name(at)] };
              },
            },
          ]),
        );
        const graph = dag({
          state: State,
          nodes,
          sequential,
          onFailure: "report",
          ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
        });
        const { log, failures } = await graph.compile().invoke({}, { recursionLimit: 100 });

        const stopped = new Set<number>();
        after.forEach((before, at) => {
          if (before.some((earlier) => failing.includes(earlier) || stopped.has(earlier))) stopped.add(at);
        });
        const expected = after.map((_, at) => at).filter((at) => !stopped.has(at));
        expect(finished.toSorted()).toEqual(expected.map(name).toSorted());
        expect(log.toSorted()).toEqual(
          expected
            .filter((at) => !failing.includes(at))
            .map(name)
            .toSorted(),
        );
        const failed = failures.filter(({ status }) => status === "failed").map(({ node }) => node);
        expect(failed.toSorted()).toEqual(
          failing
            .filter((at) => !stopped.has(at))
            .map(name)
            .toSorted(),
        );
        expect(
          failures
            .filter(({ status }) => status === "stopped")
            .map(({ node }) => node)
            .toSorted(),
        ).toEqual([...stopped].map(name).toSorted());
        expect(most).toBeLessThanOrEqual(sequential ? 1 : (maxConcurrency ?? Infinity));
      }),
      { numRuns: 60 },
    );
  });
});

describe("failures", () => {
  test("dependants of a failed node are stopped, the others finish, and the whole is reported", async () => {
    const { ran, graph } = order({
      inventory: { run: fails("out of stock"), after: ["validate"] },
      audit: { run: () => ({ log: ["audit"] }), after: ["credit"] },
    });
    const error: unknown = await graph
      .compile()
      .invoke({})
      .catch((thrown: unknown) => thrown);
    expect(ran).toEqual(["validate", "credit"]);
    expect(error).toMatchObject({ code: "NODES_FAILED" });
    expect((error as Error).message).toContain(
      [
        '- "inventory" failed: out of stock',
        '- "payment" did not start, because of "inventory"',
        '- "fulfil" did not start, because of "payment"',
        '- "notify" did not start, because of "fulfil"',
      ].join("\n"),
    );
    expect(((error as Error).cause as AggregateError).errors).toMatchObject([{ message: "out of stock" }]);
  });

  test("report ends the turn with the failures in the state; the next turn starts without them", async () => {
    let broken = true;
    const pay = () => {
      if (broken) throw new TypeError("declined", { cause: new Error("no money") });
      return {};
    };
    const graph = dag({
      state: State,
      onFailure: "report",
      nodes: { pay, ship: { run: () => ({ log: ["ship"] }), after: ["pay"] } },
    });
    const compiled = graph.compile({ checkpointer: new MemorySaver() });
    expect((await compiled.invoke({}, thread)).failures).toEqual([
      {
        node: "pay",
        status: "failed",
        error: { name: "TypeError", message: "declined", cause: { name: "Error", message: "no money" } },
      },
      { node: "ship", status: "stopped", because: ["pay"] },
    ]);
    broken = false;
    expect(await compiled.invoke({}, thread)).toMatchObject({ failures: [], log: ["ship"] });
  });

  test("a function makes an update of the failures", async () => {
    const graph = dag({
      state: State,
      nodes: { pay: fails("declined") },
      onFailure: (failures, { total }) => ({ log: failures.map(({ node }) => `${node} ${total}`) }),
    });
    expect(await graph.compile().invoke({ total: 7 })).toMatchObject({ log: ["pay 7"], failures: [{ node: "pay" }] });
  });

  test("a fallback stands in for a failed node, and what comes after it runs", async () => {
    const { graph } = order({
      credit: { run: fails("no answer"), after: ["validate"], fallback: { total: 1 } },
      inventory: {
        run: fails("down"),
        after: ["validate"],
        fallback: (error: Error, state: { log: string[] }) => ({ log: [`${error.message} ${state.log[0]}`] }),
      },
    });
    const { log, total, failures } = await graph.compile().invoke({});
    expect(failures).toEqual([]);
    expect(total).toBe(1);
    expect(log).toEqual(["validate", "down validate", "payment", "fulfil", "notify"]);
  });

  test("after throw, continuing the thread runs what is not done, and nothing else", async () => {
    let broken = true;
    const ran: string[] = [];
    const step = (name: string) => () => {
      ran.push(name);
      if (name === "inventory" && broken) throw new Error("down");
      return { log: [name] };
    };
    const graph = dag({
      state: State,
      nodes: {
        validate: step("validate"),
        inventory: { run: step("inventory"), after: ["validate"] },
        credit: { run: step("credit"), after: ["validate"] },
        payment: { run: step("payment"), after: ["inventory", "credit"] },
      },
    }).compile({ checkpointer: new MemorySaver() });
    await expect(graph.invoke({}, thread)).rejects.toMatchObject({ code: "NODES_FAILED" });
    await expect(graph.invoke(null, thread)).rejects.toMatchObject({ code: "NODES_FAILED" });
    broken = false;
    const { log } = await graph.invoke(null, thread);
    expect(ran).toEqual(["validate", "credit", "inventory", "inventory", "inventory", "payment"]);
    expect(log).toEqual(["validate", "credit", "inventory", "payment"]);
  });

  test("compensations undo what is done, the last first and each once, and a continued thread does it again", async () => {
    let broken = true;
    const ran: string[] = [];
    const note = (name: string) => () => {
      ran.push(name);
      return { log: [name] };
    };
    const graph = dag({
      state: State,
      nodes: {
        reserve: { run: note("reserve"), compensate: note("release") },
        pay: { run: note("pay"), after: ["reserve"], effect: "irreversible", compensate: note("refund") },
        ship: {
          after: ["pay"],
          run: () => {
            if (broken) throw new Error("no truck");
            return note("ship")();
          },
        },
      },
    }).compile({ checkpointer: new MemorySaver() });
    const error: unknown = await graph.invoke({}, thread).catch((thrown: unknown) => thrown);
    expect((error as Error).message).toContain('- "pay" was undone\n- "reserve" was undone');
    expect(ran).toEqual(["reserve", "pay", "refund", "release"]);
    broken = false;
    const { log } = await graph.invoke(null, thread);
    expect(ran).toEqual(["reserve", "pay", "refund", "release", "reserve", "pay", "ship"]);
    expect(log).toContain("ship");
  });

  test("what can't be undone, and a fallback that fails itself, are in the report too", async () => {
    const graph = dag({
      state: State,
      onFailure: "report",
      nodes: {
        reserve: { run: () => ({}), compensate: fails("locked") },
        pay: { run: fails("declined"), after: ["reserve"], fallback: () => fails("no credit either")() },
      },
    });
    expect((await graph.compile().invoke({})).failures).toMatchObject([
      { node: "pay", status: "failed", error: { message: "no credit either", cause: { message: "declined" } } },
      { node: "reserve", status: "not-undone", error: { message: "locked" } },
    ]);
  });

  test("a cancelled node has not failed: it is run again when the thread is continued", async () => {
    const controller = new AbortController();
    let runs = 0;
    const stuck = (_state: unknown, { signal }: { signal?: AbortSignal }) =>
      new Promise<object>((resolve, reject) => {
        if ((runs += 1) > 1) resolve({ log: ["done"] });
        signal?.addEventListener("abort", () => reject(signal.reason as Error));
        if (runs === 1) controller.abort(new Error("cancelled"));
      });
    const graph = dag({ state: State, nodes: { stuck } }).compile({ checkpointer: new MemorySaver() });
    await expect(graph.invoke({}, { ...thread, signal: controller.signal })).rejects.toThrow(/abort|cancel/i);
    expect(await graph.invoke(null, thread)).toMatchObject({ log: ["done"], failures: [] });
  });

  test("a compiled graph is a node like any other, and what it asks is answered", async () => {
    const inner = new StateGraph(State)
      .addNode("ask", () => ({ total: Number(interrupt("how much?")) }))
      .addEdge(START, "ask")
      .compile();
    const graph = dag({
      state: State,
      nodes: { inner, then_: { run: ({ total }) => ({ log: [`${total}`] }), after: ["inner"] } },
    });
    const compiled = graph.compile({ checkpointer: new MemorySaver() });
    await compiled.invoke({}, thread);
    expect([...compiled.getSubgraphs()].map(([name]) => name)).toEqual(["inner"]);
    expect((await compiled.invoke(new Command({ resume: 5 }), thread)).log).toEqual(["5"]);
  });

  test("what a node returns that is no update is its failure", async () => {
    const graph = dag({
      state: State,
      onFailure: "report",
      nodes: { text: () => "done" as never, goto: () => new Command({ goto: "text" }) as never },
    });
    const { failures } = await graph.compile().invoke({});
    expect(failures).toMatchObject([
      { node: "text", error: { code: "GRAPH_INVALID", message: expect.stringContaining('returned "done"') } },
      { node: "goto", error: { code: "GRAPH_INVALID", message: expect.stringContaining("a Command") } },
    ]);
  });
});

describe("approval", () => {
  const paying = () =>
    dag({
      state: State,
      onFailure: "report",
      nodes: {
        look: () => ({ log: ["look"] }),
        pay: {
          run: () => ({ log: ["pay"] }),
          effect: "irreversible",
          approve: ({ total }) => ({ args: { total }, assignee: "ada" }),
        },
        ship: { run: () => ({ log: ["ship"] }), after: ["pay"] },
      },
    }).compile({ checkpointer: new MemorySaver() });

  test("a person is asked before the node runs, and the others are not held up", async () => {
    const graph = paying();
    const asked = await graph.invoke({ total: 40 }, thread);
    expect(asked).toMatchObject({
      __interrupt__: [{ value: { actionRequests: [{ name: "pay", args: { total: 40 } }], assignee: "ada" } }],
    });
    const done = await graph.invoke(
      new Command({ resume: { decisions: [{ type: "approve" }], decidedBy: "ada" } }),
      thread,
    );
    expect(done).toMatchObject({
      log: ["look", "pay", "ship"],
      failures: [],
      decisions: [{ type: "approve", decidedBy: "ada" }],
    });
  });

  test("a rejection is the node's failure, and what comes after it is stopped", async () => {
    const graph = paying();
    await graph.invoke({ total: 40 }, thread);
    const done = await graph.invoke(
      new Command({ resume: { decisions: [{ type: "reject", message: "Too much." }] } }),
      thread,
    );
    expect(done).toMatchObject({
      log: ["look"],
      decisions: [{ type: "reject" }],
      failures: [
        {
          node: "pay",
          status: "failed",
          error: { code: "APPROVAL_REJECTED", message: expect.stringContaining("Too much.") },
        },
        { node: "ship", status: "stopped" },
      ],
    });
  });

  test("an irreversible node without approval and compensation is GRAPH_UNSAFE", () => {
    const build = () => dag({ state: State, nodes: { pay: { run: () => ({}), effect: "irreversible" } } });
    expect(build).toThrow(expect.objectContaining({ code: "GRAPH_UNSAFE", message: expect.stringContaining('"pay"') }));
  });

  test("an approval node, whose rejection would stop nothing, is refused", () => {
    const ask = approval({ actions: [{ name: "pay", args: {} }] });
    const build = () => dag({ state: State, nodes: { ask: ask as never } });
    expect(build).toThrow(
      expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining('"ask"') }),
    );
  });
});

describe("limits", () => {
  test("H20: bounded parallelism loses no task when another fails", async () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const nodes = Object.fromEntries(
      names.map((name) => [name, name === "a" ? fails("broken") : () => ({ log: [name] })]),
    );
    const graph = dag({ state: State, nodes, maxConcurrency: 1, onFailure: "report" }).compile({
      checkpointer: new MemorySaver(),
    });
    const { log, failures } = await graph.invoke({}, thread);
    expect(log).toEqual(["b", "c", "d", "e", "f"]);
    expect(failures).toMatchObject([{ node: "a" }]);
  });

  test("timeoutMs is the running time of the whole turn: what does not fit fails with NODE_TIMEOUT", async () => {
    vi.useFakeTimers();
    const takes =
      (ms: number) =>
      (_state: unknown, { signal }: { signal?: AbortSignal }) =>
        new Promise<object>((resolve, reject) => {
          setTimeout(() => resolve({ log: [`${ms}`] }), ms);
          signal?.addEventListener("abort", () => reject(new Error("aborted")));
        });
    const graph = dag({
      state: State,
      timeoutMs: 1000,
      onFailure: "report",
      nodes: {
        a: takes(600),
        b: takes(500),
        c: { run: takes(300), after: ["a", "b"] },
        d: { run: takes(200), after: ["c"] },
        e: { run: takes(1), after: ["c"] },
      },
    });
    const run = graph.compile().invoke({});
    await vi.advanceTimersByTimeAsync(5000);
    const { log, failures } = await run;
    expect(log.toSorted()).toEqual(["1", "300", "500", "600"]);
    expect(failures).toMatchObject([{ node: "d", status: "failed", error: { code: "NODE_TIMEOUT" } }]);
  });

  test("the time a turn waits for a person does not count", async () => {
    vi.useFakeTimers();
    const graph = dag({
      state: State,
      timeoutMs: 1000,
      nodes: {
        ask: { approve: () => ({}), run: () => ({ log: ["asked"] }) },
        go: { run: () => ({ log: ["gone"] }), after: ["ask"] },
      },
    }).compile({ checkpointer: new MemorySaver() });
    await graph.invoke({}, thread);
    vi.advanceTimersByTime(1_000_000);
    const { log } = await graph.invoke(new Command({ resume: { decisions: [{ type: "approve" }] } }), thread);
    expect(log).toEqual(["asked", "gone"]);
  });
});

describe("mistakes", () => {
  const run = () => ({});

  test("a cycle is GRAPH_INVALID and its way is named", () => {
    const build = () =>
      dag({
        state: State,
        nodes: { a: { run, after: ["c"] }, b: { run, after: ["a"] }, c: { run, after: ["b"] }, d: run },
      });
    expect(build).toThrow(
      expect.objectContaining({
        code: "GRAPH_INVALID",
        message: expect.stringMatching(/(a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)/),
      }),
    );
  });

  test.each(["settle", "1", "log", "failures", "a|b", "a:b", "__start__", "__end__", "toString"])(
    "a node can't be called %s",
    (name) => {
      expect(() => dag({ state: State, nodes: { [name]: run } })).toThrow(
        expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining(`"${name}"`) }),
      );
    },
  );

  test.each([[undefined], [null], [1], [{ log: "list" }]])("%j as a state is OPTIONS_INVALID", (state) => {
    expect(() => dag({ state, nodes: { a: run } } as never)).toThrow(
      expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining("`state`") }),
    );
  });

  test("an unknown name is GRAPH_INVALID", () => {
    const build = () => dag({ state: State, nodes: { a: { run, after: ["b" as "a"] } } });
    expect(build).toThrow(
      expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining('"b", which is no node') }),
    );
  });

  test("entry and finish are checked against the dependencies", () => {
    const build = (rest: object) => () =>
      dag({ state: State, nodes: { a: run, b: { run, after: ["a"] }, c: run }, ...rest });
    expect(build({ entry: ["a"] })).toThrow(
      expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining('`entry` leaves out "c"') }),
    );
    expect(build({ finish: ["b", "c", "a"] })).toThrow(
      expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining('`finish` names "a"') }),
    );
    expect(build({ entry: ["a", "c"], finish: ["c", "b"] })).not.toThrow();
  });

  test.each([
    ["maxConcurrency", { maxConcurrency: 0 }],
    ["timeoutMs", { timeoutMs: -1 }],
    ["onFailure", { onFailure: "ignore" }],
    ["nodes", { nodes: {} }],
    ["after", { nodes: { a: { run, after: "b" } } }],
  ])("a bad %s is OPTIONS_INVALID and named", (option, wrong) => {
    const build = () => dag({ state: State, nodes: { a: run }, ...(wrong as object) });
    expect(build).toThrow(
      expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining(`\`${option}\``) }),
    );
  });

  test("zod states and StateSchemas are taken, and checked", async () => {
    const zod = dag({ state: z.object({ n: z.number() }), nodes: { add: ({ n }) => ({ n: n + 1 }) } }).compile();
    expect(await zod.invoke({ n: 1 })).toEqual({ n: 2, failures: [], decisions: [] });
    await expect(zod.invoke({ n: "one" as never })).rejects.toThrow(/number/);
    const schema = dag({
      state: new StateSchema({ n: z.number().default(5) }),
      nodes: { add: ({ n }) => ({ n: n + 1 }) },
    }).compile();
    expect(await schema.invoke({})).toEqual({ n: 6, failures: [], decisions: [] });
  });
});

test("an approval guards only what a no stops: neither past a fallback nor in a sequence without a dependency", () => {
  const state = Annotation.Root({ log: Annotation<string[]>() });
  const pay = { run: () => ({ log: ["paid"] }), effect: "irreversible" } as const;
  const ask = { approve: () => ({}) };
  const unsafe = expect.objectContaining({ code: "GRAPH_UNSAFE", message: expect.stringContaining('"pay"') });
  expect(() => dag({ state, nodes: { ask, pay: { ...pay, after: ["ask"] } } })).not.toThrow();
  expect(() => dag({ state, nodes: { ask, pay: { ...pay, after: ["ask"] } }, sequential: true })).not.toThrow();
  expect(() => dag({ state, nodes: { ask: { ...ask, fallback: {} }, pay: { ...pay, after: ["ask"] } } })).toThrow(
    unsafe,
  );
  expect(() => dag({ state, nodes: { ask, pay }, sequential: true })).toThrow(unsafe);
});
