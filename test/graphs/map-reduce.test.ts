import { Annotation, Command, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import fc from "fast-check";
import { mapReduce } from "perdure/graphs";
import { describe, expect, test } from "vitest";

const State = Annotation.Root({ words: Annotation<string[]>(), report: Annotation<string>() });
const thread = { configurable: { thread_id: "thread-1" } };
const ticks = async (count: number) => {
  for (let tick = 0; tick < count; tick++) await new Promise((resolve) => setImmediate(resolve));
};

describe("results", () => {
  test("I6: results come in the order of the items whatever finishes first, within maxConcurrency", async () => {
    const shape = fc.record({
      delays: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 12 }),
      maxConcurrency: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ delays, maxConcurrency }) => {
        let running = 0;
        let most = 0;
        const graph = mapReduce({
          state: State,
          items: () => delays,
          map: async (delay, { index }) => {
            most = Math.max(most, (running += 1));
            await ticks(delay);
            running -= 1;
            return `${index}:${delay}`;
          },
          reduce: (results) => ({ report: results.join(" ") }),
          ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
        });
        const { report } = await graph.compile().invoke({ words: [] });
        expect(report).toBe(delays.map((delay, index) => `${index}:${delay}`).join(" "));
        expect(most).toBeLessThanOrEqual(maxConcurrency ?? Infinity);
      }),
      { numRuns: 40 },
    );
  });

  test("more than ten items keep their order", async () => {
    const words = Array.from({ length: 25 }, (_, at) => `w${at}`);
    const graph = mapReduce({
      state: State,
      items: (state) => state.words,
      map: (word) => word,
      reduce: (results) => ({ report: results.join() }),
    });
    expect((await graph.compile().invoke({ words })).report).toBe(words.join());
  });

  test("each turn does its own items", async () => {
    const graph = mapReduce({
      state: State,
      items: (state) => state.words,
      map: (word) => word.toUpperCase(),
      reduce: (results) => ({ report: results.join() }),
    }).compile({ checkpointer: new MemorySaver() });
    expect((await graph.invoke({ words: ["a", "b", "c"] }, thread)).report).toBe("A,B,C");
    expect((await graph.invoke({ words: ["d"] }, thread)).report).toBe("D");
    expect((await graph.invoke({ words: [] }, thread)).report).toBe("");
  });

  test("it can be a node of another graph", async () => {
    const inner = mapReduce({
      state: State,
      items: (state) => state.words,
      map: (word) => word.length,
      reduce: (results) => ({ report: results.join() }),
    });
    const outer = new StateGraph(State).addNode("count", inner.compile()).addEdge(START, "count").compile();
    expect((await outer.invoke({ words: ["aa", "b"] })).report).toBe("2,1");
  });

  test("what items returns that is no array is GRAPH_INVALID", async () => {
    const graph = mapReduce({ state: State, items: () => "ab" as never, map: (item) => item, reduce: () => ({}) });
    await expect(graph.compile().invoke({ words: [] })).rejects.toMatchObject({ code: "GRAPH_INVALID" });
  });
});

describe("failures", () => {
  function failing() {
    const broken = new Set(["b", "d"]);
    const done: string[] = [];
    const options = {
      state: State,
      items: (state: typeof State.State) => state.words,
      map: (word: string) => {
        done.push(word);
        if (broken.has(word)) throw new Error(`${word} is unreadable`);
        return word.toUpperCase();
      },
    };
    return { broken, done, options };
  }

  test("report hands the failures to reduce beside the results there are", async () => {
    const graph = mapReduce({
      ...failing().options,
      onFailure: "report",
      reduce: (results, { failures, state }) => ({
        report: `${results.join()} of ${state.words.length}; ${failures.map(({ index, item, error }) => `${index} ${item} ${error.message}`).join()}`,
      }),
    });
    const { report } = await graph.compile().invoke({ words: ["a", "b", "c", "d"] });
    expect(report).toBe("A,C of 4; 1 b b is unreadable,3 d d is unreadable");
  });

  test("throw reports all of them, and continuing the thread does the failed items again and no others", async () => {
    const { broken, done, options } = failing();
    const graph = mapReduce({ ...options, reduce: (results) => ({ report: results.join() }) }).compile({
      checkpointer: new MemorySaver(),
    });
    await expect(graph.invoke({ words: ["a", "b", "c", "d"] }, thread)).rejects.toMatchObject({
      code: "NODES_FAILED",
      message: expect.stringMatching(
        /2 of 4 items.*\n- "map 1" failed: b is unreadable\n- "map 3" failed: d is unreadable/,
      ),
    });
    broken.clear();
    expect((await graph.invoke(null, thread)).report).toBe("A,B,C,D");
    expect(done).toEqual(["a", "b", "c", "d", "b", "d"]);
  });

  test("policies hold for each item", async () => {
    const tries = new Map<string, number>();
    const graph = mapReduce({
      state: State,
      items: (state) => state.words,
      map: (word) => {
        tries.set(word, (tries.get(word) ?? 0) + 1);
        if (tries.get(word) === 1) throw new Error("flaky");
        return word;
      },
      reduce: (results) => ({ report: results.join() }),
      policies: { retry: { attempts: 2, intervalMs: 0 } },
    });
    expect((await graph.compile().invoke({ words: ["a", "b"] })).report).toBe("a,b");
    expect([...tries.values()]).toEqual([2, 2]);
  });
});

describe("approval", () => {
  test("an item that waits for a person holds up no other, and a no is its failure", async () => {
    const done: string[] = [];
    const graph = mapReduce({
      state: State,
      items: (state) => state.words,
      effect: "irreversible",
      approve: (word) => ({ args: { word } }),
      map: (word) => {
        done.push(word);
        return word;
      },
      reduce: (results, { failures }) => ({
        report: `${results.join()} ${failures.map(({ error }) => error.code).join()}`,
      }),
      onFailure: "report",
    }).compile({ checkpointer: new MemorySaver() });
    await graph.invoke({ words: ["a", "b"] }, thread);
    const interrupts = (await graph.getState(thread)).tasks.flatMap((task) => task.interrupts);
    expect(interrupts.map(({ value }) => (value as { actionRequests: unknown[] }).actionRequests[0])).toEqual([
      { name: "map 0", args: { word: "a" } },
      { name: "map 1", args: { word: "b" } },
    ]);
    const answers = Object.fromEntries(
      interrupts.map(({ id }, at) => [id, { decisions: [{ type: at === 0 ? "reject" : "approve" }] }]),
    );
    const result = await graph.invoke(new Command({ resume: answers }), thread);
    expect(result.report).toBe("b APPROVAL_REJECTED");
    expect(result.decisions.map(({ type }) => type)).toEqual(["reject", "approve"]);
    expect(done).toEqual(["b"]);
  });

  test("an irreversible map without approve is GRAPH_UNSAFE", () => {
    const build = () =>
      mapReduce({ state: State, items: () => [1], map: (n) => n, reduce: () => ({}), effect: "irreversible" });
    expect(build).toThrow(expect.objectContaining({ code: "GRAPH_UNSAFE" }));
  });
});

test.each(["map", "reduce"])("a state with a channel %s is GRAPH_INVALID: it is the name of a node", (name) => {
  const state = Annotation.Root({ [name]: Annotation<string>() });
  expect(() => mapReduce({ state, items: () => [1], map: (n) => n, reduce: () => ({}) })).toThrow(
    expect.objectContaining({ code: "GRAPH_INVALID", message: expect.stringContaining(`"${name}"`) }),
  );
});

test("a bad maxConcurrency is OPTIONS_INVALID and named", () => {
  const build = () =>
    mapReduce({ state: State, items: () => [1], map: (n) => n, reduce: () => ({}), maxConcurrency: 0 });
  expect(build).toThrow(
    expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining("`maxConcurrency`") }),
  );
});
