import { Annotation, Command, MemorySaver, START, StateGraph, interrupt, task } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { afterEach, describe, expect, test, vi } from "vitest";
import { beginAttempt, once, withPolicies } from "perdure/nodes";
import { langgraphSince } from "../support/langgraph-since.ts";
import { LogState, oneNodeGraph } from "../support/one-node-graph.ts";

/** A node that asks twice and fails after the second answer, `failures` times. */
function failingAfterItsQuestions(failures: number) {
  const seen: unknown[][] = [];
  let left = failures;
  return {
    seen,
    node: () => {
      const answers = [interrupt("first?"), interrupt("second?")];
      seen.push(answers);
      if (left > 0) {
        left -= 1;
        throw new Error("later trouble");
      }
      return answers;
    },
  };
}

async function answerBoth(run: ReturnType<typeof oneNodeGraph>["run"]) {
  await run({});
  await run(new Command({ resume: "one" }));
  return (await run(new Command({ resume: "two" }))).log;
}

afterEach(() => {
  vi.useRealTimers();
});

describe("beginAttempt", () => {
  test("H15: answers survive LangGraph's own retryPolicy when it is called before each attempt", async () => {
    const { seen, node } = failingAfterItsQuestions(2);
    const { run } = oneNodeGraph(
      (config) => {
        beginAttempt(config);
        return node();
      },
      { retry: { maxAttempts: 3 } },
    );

    expect(await answerBoth(run)).toEqual([["one", "two"]]);
    expect(seen).toEqual([
      ["one", "two"],
      ["one", "two"],
      ["one", "two"],
    ]);
  });

  test("without it LangGraph before 1.7 asks again", async () => {
    const { node } = failingAfterItsQuestions(1);
    const { run } = oneNodeGraph(node, { retry: { maxAttempts: 3 } });

    expect(await answerBoth(run)).toEqual(langgraphSince(7) ? [["one", "two"]] : []);
  });

  test("tasks called in the node are found again by the next attempt", async () => {
    let calls = 0;
    let attempts = 0;
    const count = task("count", async () => (calls += 1));
    const { run } = oneNodeGraph(
      async (config) => {
        beginAttempt(config);
        const first = await count();
        attempts += 1;
        if (attempts === 1) throw new Error("later trouble");
        return [first, await count()];
      },
      { retry: { maxAttempts: 2 } },
    );

    expect((await run({})).log).toEqual([[1, 2]]);
  });

  test("outside of a graph it does nothing", () => {
    expect(() => beginAttempt({})).not.toThrow();
  });
});

describe("an attempt of withPolicies", () => {
  const retry = { intervalMs: 0 };

  test("H15: answers survive its retry", async () => {
    const { seen, node } = failingAfterItsQuestions(2);
    const { run } = oneNodeGraph((config) => withPolicies(node, { retry })(undefined, config));

    expect(await answerBoth(run)).toEqual([["one", "two"]]);
    expect(seen).toHaveLength(3);
  });

  test("finds again what the node's own tasks did in the one before", async () => {
    let calls = 0;
    let attempts = 0;
    const count = task("count", async () => (calls += 1));
    const node = async () => {
      const first = await count();
      attempts += 1;
      if (attempts === 1) throw new Error("later trouble");
      return [first, await count()];
    };
    const { run } = oneNodeGraph((config) => withPolicies(node, { retry })(undefined, config));

    expect((await run({})).log).toEqual([[1, 2]]);
  });

  test("in the middle of a node takes its own answers, and not those given before it", async () => {
    const { seen, node } = failingAfterItsQuestions(1);
    const { run } = oneNodeGraph(async (config) => {
      const before = interrupt("before?");
      const inside = await withPolicies(node, { retry })(undefined, config);
      return [before, inside, interrupt("after?")];
    });

    await run({});
    for (const answer of ["zero", "one", "two"]) await run(new Command({ resume: answer }));
    const { log } = await run(new Command({ resume: "three" }));

    expect(log).toEqual([["zero", ["one", "two"], "three"]]);
    expect(seen[0]).toEqual(["one", "two"]);
  });

  test("that was given up for its time but still runs can't take the next one's answers", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const third = Promise.withResolvers<void>();
    const woken = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<unknown>();
    let attempts = 0;
    const node = async () => {
      attempts += 1;
      const late = attempts === 3;
      if (late) third.resolve();
      if (late) await woken.promise;
      const first = interrupt("first?");
      if (late) asked.resolve(first);
      if (attempts === 4) {
        woken.resolve();
        await asked.promise;
      }
      return [first, interrupt("second?")];
    };
    const { run } = oneNodeGraph((config) => withPolicies(node, { retry, timeoutMs: 20 })(undefined, config));

    await run({});
    await run(new Command({ resume: "one" }));
    const last = run(new Command({ resume: "two" }));
    await third.promise;
    await vi.advanceTimersByTimeAsync(25); // the time limit, and then the wait before the next attempt, which is a timer too

    expect((await last).log).toEqual([["one", "two"]]);
    expect(await asked.promise).toBe("one");
    expect(attempts).toBe(4);
  });

  test("whose time is over inside of once takes neither the superstep nor its siblings with it", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const begun = Promise.withResolvers<void>();
    let tries = 0;
    const slow = withPolicies(
      async () => ({
        log: [
          await once("slow", ({ signal }) => {
            begun.resolve();
            tries += 1;
            if (tries > 1) return `try ${tries}`;
            return new Promise<string>((_resolve, reject) => {
              signal.addEventListener("abort", () => reject(new Error("stopped")));
            });
          }),
        ],
      }),
      { retry, timeoutMs: 20 },
    );
    const aborted: boolean[] = [];
    const graph = new StateGraph(LogState)
      .addNode("slow", slow)
      .addNode("sibling", async (_state, { signal }) => {
        await new Promise((resolve) => setTimeout(resolve, 60));
        aborted.push(signal?.aborted === true);
        return { log: ["sibling"] };
      })
      .addEdge(START, "slow")
      .addEdge(START, "sibling")
      .compile({ checkpointer: new MemorySaver() });

    const done = graph.invoke({}, { configurable: { thread_id: "1" } });
    await begun.promise;
    await vi.advanceTimersByTimeAsync(100);

    expect((await done).log).toEqual(expect.arrayContaining(["try 2", "sibling"]));
    expect(aborted).toEqual([false]);
  });

  test("subgraphs called in the node keep their place in the next attempt", async () => {
    let attempts = 0;
    const inner = new StateGraph(LogState)
      .addNode("ask", () => ({ log: [interrupt("inner?")] }))
      .addEdge(START, "ask")
      .compile();
    const outer = new StateGraph(Annotation.Root(LogState.spec))
      .addNode(
        "outer",
        withPolicies(
          async (_state: typeof LogState.State, config: LangGraphRunnableConfig) => {
            const { log } = await inner.invoke({}, config);
            attempts += 1;
            if (attempts === 1) throw new Error("later trouble");
            return { log };
          },
          { retry },
        ),
      )
      .addEdge(START, "outer")
      .compile({ checkpointer: new MemorySaver() });
    const thread = { configurable: { thread_id: "thread-1" } };

    await outer.invoke({}, thread);
    const { log } = await outer.invoke(new Command({ resume: "yes" }), thread);

    expect(log).toEqual(["yes"]);
    expect(attempts).toBe(2);
  });
});
