import { Command, MemorySaver, interrupt, task } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { once } from "perdure/nodes";
import { runWithConfig } from "../../src/nodes/running-task.ts";
import { oneNodeGraph } from "../support/one-node-graph.ts";

/** Work that notes each time it is done. */
function counted<T>(result: T) {
  const keys: string[] = [];
  return {
    keys,
    work: ({ idempotencyKey }: { idempotencyKey: string }) => {
      keys.push(idempotencyKey);
      return result;
    },
  };
}

describe("once", () => {
  test("H5: what stands before a question is done once, though the node runs again with the answer", async () => {
    const { keys, work } = counted("receipt");
    let runs = 0;
    const { run } = oneNodeGraph(async () => {
      runs += 1;
      const receipt = await once("charge", work);
      return [receipt, interrupt("sure?")];
    });

    await run({});
    const { log } = await run(new Command({ resume: "yes" }));

    expect(runs).toBe(2);
    expect(keys).toHaveLength(1);
    expect(log).toEqual([["receipt", "yes"]]);
  });

  test("a retry finds what an earlier attempt did", async () => {
    const { keys, work } = counted(7);
    let attempts = 0;
    const { run } = oneNodeGraph(
      async () => {
        const value = await once("charge", work);
        attempts += 1;
        if (attempts < 3) throw new Error("later trouble");
        return value;
      },
      { retry: { maxAttempts: 3 } },
    );

    expect((await run({})).log).toEqual([7]);
    expect(attempts).toBe(3);
    expect(keys).toHaveLength(1);
  });

  test("another process finds it after a crash: same checkpointer, new graph", async () => {
    const checkpointer = new MemorySaver();
    const { keys, work } = counted({ id: 1 });
    const node = (crash: boolean) => async () => {
      const value = await once("charge", work);
      if (crash) throw new Error("SIGKILL");
      return value;
    };

    await expect(oneNodeGraph(node(true), { checkpointer }).run({})).rejects.toThrow("SIGKILL");
    const { log } = await oneNodeGraph(node(false), { checkpointer }).run(null);

    expect(log).toEqual([{ id: 1 }]);
    expect(keys).toHaveLength(1);
  });

  test("the result is stored before once returns, where LangGraph looks for it", async () => {
    class SlowSaver extends MemorySaver {
      override async putWrites(...args: Parameters<MemorySaver["putWrites"]>): Promise<void> {
        await new Promise(setImmediate);
        return super.putWrites(...args);
      }
    }
    const checkpointer = new SlowSaver();
    const stored: unknown[] = [];
    const { run } = oneNodeGraph(
      async (config) => {
        await once("charge", () => "receipt");
        const tuple = await checkpointer.getTuple({ configurable: { thread_id: config.configurable?.["thread_id"] } });
        stored.push(...(tuple?.pendingWrites ?? []));
      },
      { checkpointer },
    );

    await run({});

    expect(stored).toContainEqual([expect.any(String), "__return__", { ok: true, value: "receipt" }]);
  });

  test("a crash before the record repeats the effect with the same idempotency key", async () => {
    class DyingSaver extends MemorySaver {
      dead = false;
      override async putWrites(...args: Parameters<MemorySaver["putWrites"]>): Promise<void> {
        if (this.dead && args[1].some(([channel]) => channel === "__return__")) throw new Error("SIGKILL");
        return super.putWrites(...args);
      }
    }
    const checkpointer = new DyingSaver();
    const { keys, work } = counted("receipt");
    const node = () => once("charge", work);

    checkpointer.dead = true;
    await expect(oneNodeGraph(node, { checkpointer }).run({})).rejects.toThrow("SIGKILL");
    checkpointer.dead = false;
    await oneNodeGraph(node, { checkpointer }).run(null);

    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  test("keys are told apart, also between two threads and two turns of one thread", async () => {
    const keys: string[] = [];
    const { run } = oneNodeGraph(async () => {
      await once("a", ({ idempotencyKey }) => keys.push(idempotencyKey));
      await once("b", ({ idempotencyKey }) => keys.push(idempotencyKey));
    });

    await run({});
    await run({});
    await run({}, "thread-2");

    expect(new Set(keys).size).toBe(6);
  });

  test("a failed attempt leaves no result: the error goes through and the next attempt does it again", async () => {
    let tries = 0;
    const failure = new Error("the bank is closed");
    const seen: unknown[] = [];
    const { run } = oneNodeGraph(
      async () => {
        try {
          return await once("charge", () => {
            tries += 1;
            if (tries < 3) throw failure;
            return tries;
          });
        } catch (error) {
          seen.push(error);
          throw error;
        }
      },
      { retry: { maxAttempts: 3 } },
    );

    expect((await run({})).log).toEqual([3]);
    expect(seen).toEqual([failure, failure]);
  });

  test("a node that catches the error goes on, and tries again within the same run if it likes", async () => {
    let tries = 0;
    const flaky = () => {
      tries += 1;
      if (tries === 1) throw new Error("busy");
      return "done";
    };
    const { run } = oneNodeGraph(async () => {
      const first = await once("flaky", flaky).catch((error: Error) => error.message);
      return [first, await once("flaky", flaky), await once("flaky", flaky)];
    });

    expect((await run({})).log).toEqual([["busy", "done", "done"]]);
    expect(tries).toBe(2);
  });

  test("the failed tries of a dead process don't hide the try that worked", async () => {
    const checkpointer = new MemorySaver();
    let tries = 0;
    const node = (crash: boolean) => async () => {
      const flaky = () => {
        tries += 1;
        if (tries < 3) throw new Error("busy");
        return `try ${tries}`;
      };
      await once("flaky", flaky).catch(() => {});
      await once("flaky", flaky).catch(() => {});
      const value = await once("flaky", flaky);
      if (crash) throw new Error("SIGKILL");
      return value;
    };

    await expect(oneNodeGraph(node(true), { checkpointer }).run({})).rejects.toThrow("SIGKILL");
    expect((await oneNodeGraph(node(false), { checkpointer }).run(null)).log).toEqual(["try 3"]);
    expect(tries).toBe(3);
  });

  test("calls in parallel are each done once, in whatever order they come when the node runs again", async () => {
    const done: string[] = [];
    let order = ["a", "b", "c"];
    const { run } = oneNodeGraph(async () => {
      const work = (key: string) =>
        once(key, async () => {
          await Promise.resolve();
          done.push(key);
          return key.toUpperCase();
        });
      const results = await Promise.all(order.map(work));
      return [...results, interrupt("next?")];
    });

    await run({});
    order = ["c", "a", "b"];
    const { log } = await run(new Command({ resume: "go" }));

    expect(done).toEqual(["a", "b", "c"]);
    expect(log).toEqual([["C", "A", "B", "go"]]);
  });

  test("the same key again gives the first result, also while the first is under way", async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { run } = oneNodeGraph(async () => {
      const first = once("key", async () => {
        await gate;
        return "first";
      });
      const second = once("key", () => "second");
      release();
      return [await first, await second, await once("key", () => "third")];
    });

    expect((await run({})).log).toEqual([["first", "first", "first"]]);
  });

  test("stands beside the node's own LangGraph tasks without changing which is which", async () => {
    const calls: string[] = [];
    const own = task("own", async (name: string) => {
      calls.push(name);
      return name;
    });
    let withOnce = true;
    const { run } = oneNodeGraph(async () => {
      const first = await own("first");
      if (withOnce) await once("between", () => calls.push("between"));
      const second = await own("second");
      return [first, second, interrupt("next?")];
    });

    await run({});
    withOnce = false;
    const { log } = await run(new Command({ resume: "go" }));

    expect(calls).toEqual(["first", "between", "second"]);
    expect(log).toEqual([["first", "second", "go"]]);
  });

  test("once inside once: the outer result stands alone when it is found", async () => {
    const calls: string[] = [];
    const { run } = oneNodeGraph(async () => {
      const value = await once("outer", async () => {
        const inner = await once("inner", () => {
          calls.push("inner");
          return 1;
        });
        calls.push("outer");
        return inner + 1;
      });
      return [value, interrupt("next?")];
    });

    await run({});
    expect((await run(new Command({ resume: "go" }))).log).toEqual([[2, "go"]]);
    expect(calls).toEqual(["inner", "outer"]);
  });

  test("H5: what was done inside of a failed try is not done again by the next one", async () => {
    const { keys, work } = counted("receipt");
    let tries = 0;
    const { run } = oneNodeGraph(
      () =>
        once("outer", async () => {
          const receipt = await once("charge", work);
          tries += 1;
          if (tries < 3) throw new Error("later trouble");
          return receipt;
        }),
      { retry: { maxAttempts: 3 } },
    );

    expect((await run({})).log).toEqual(["receipt"]);
    expect(tries).toBe(3);
    expect(keys).toHaveLength(1);
  });

  test("H5: nor by another process, where a crash between effect and record leaves the idempotency key as it was", async () => {
    const checkpointer = new MemorySaver();
    const { keys, work } = counted("receipt");
    const lost = counted("lost");
    const putWrites = checkpointer.putWrites.bind(checkpointer);
    let crash = true;
    checkpointer.putWrites = async (...args) => {
      const isLost = JSON.stringify(args[1]).includes("lost");
      if (crash && isLost) throw new Error("SIGKILL");
      return putWrites(...args);
    };
    const node = () =>
      once("outer", async () => {
        await once("charge", work);
        await once("mail", lost.work);
        if (crash) throw new Error("SIGKILL");
        return "done";
      });

    await expect(oneNodeGraph(node, { checkpointer }).run({})).rejects.toThrow("SIGKILL");
    crash = false;
    expect((await oneNodeGraph(node, { checkpointer }).run(null)).log).toEqual(["done"]);
    expect(keys).toHaveLength(1);
    expect(lost.keys).toHaveLength(2);
    expect(new Set(lost.keys).size).toBe(1);
  });

  test("a key inside is the same as one outside: the first result", async () => {
    const { run } = oneNodeGraph(async () => {
      const outer = await once("outer", async () => [await once("inner", () => 1), await once("inner", () => 2)]);
      return [outer, await once("inner", () => 3)];
    });

    expect((await run({})).log).toEqual([[[1, 1], 1]]);
  });

  test("once inside of itself would wait for itself, and is refused", async () => {
    const { run } = oneNodeGraph(() => once("a", () => once("b", () => once("a", () => 1))));

    await expect(run({})).rejects.toMatchObject({ code: "OPTIONS_INVALID", message: expect.stringContaining('"a"') });
  });

  test("a question inside once is refused, and says what to do", async () => {
    const { run } = oneNodeGraph(() => once("asks", () => interrupt("sure?")));

    await expect(run({})).rejects.toMatchObject({ code: "ONCE_INTERRUPTED", hint: expect.stringContaining("Ask") });
  });

  test.each<[string, () => unknown, string]>([
    ["a function", () => () => 1, "function"],
    ["a bigint deep inside", () => ({ order: { total: 1n } }), "order.total"],
    [
      "a circular value",
      () => {
        const value: Record<string, unknown> = {};
        value["self"] = value;
        return value;
      },
      "self",
    ],
  ])("a result that can't be stored is refused: %s", async (_title, work, named) => {
    const { run } = oneNodeGraph(() => once("bad", work));

    await expect(run({})).rejects.toMatchObject({
      code: "VALUE_UNSERIALIZABLE",
      message: expect.stringContaining(named),
    });
  });

  test("the result looks the same the first time and when it is found", async () => {
    const seen: unknown[] = [];
    const { run } = oneNodeGraph(async () => {
      seen.push(await once("when", () => ({ at: new Date(0), list: [undefined, 1] })));
      interrupt("next?");
    });

    await run({});
    await run(new Command({ resume: "go" }));

    expect(seen).toHaveLength(2);
    expect(seen[0]).toEqual(seen[1]);
  });

  test.each([[undefined], [null], [false], [0], [""]])("%j is a result like any other", async (value) => {
    const { keys, work } = counted(value);
    const { run } = oneNodeGraph(async () => [(await once("empty", work)) === value, interrupt("next?")]);

    await run({});

    expect((await run(new Command({ resume: "go" }))).log).toEqual([[true, "go"]]);
    expect(keys).toHaveLength(1);
  });

  test("the signal is the node's own, and what is cancelled already does not start", async () => {
    const controller = new AbortController();
    let started = false;
    const signals: AbortSignal[] = [];
    const { graph } = oneNodeGraph(async () => {
      await once("first", ({ signal }) => signals.push(signal));
      controller.abort(new Error("stop"));
      await once("second", () => {
        started = true;
      });
    });

    await expect(graph.invoke({}, { configurable: { thread_id: "1" }, signal: controller.signal })).rejects.toThrow(
      /abort|stop/i,
    );
    expect(signals[0]?.aborted).toBe(true);
    expect(started).toBe(false);
  });

  test("an attempt does not take over the failure of one that was given up and stopped because of that", async () => {
    const stored = Promise.withResolvers<void>();
    class SlowSaver extends MemorySaver {
      override async putWrites(...args: Parameters<MemorySaver["putWrites"]>): Promise<void> {
        if (args[1].some(([channel]) => channel === "__return__")) await stored.promise;
        return super.putWrites(...args);
      }
    }
    const begun = Promise.withResolvers<void>();
    let tries = 0;
    const { run } = oneNodeGraph(
      (config) => {
        const first = new AbortController();
        const attempt = (signal: AbortSignal) =>
          runWithConfig({ ...config, signal }, () =>
            once("charge", (context) => {
              tries += 1;
              begun.resolve();
              if (tries > 1) return "receipt";
              return new Promise<string>((_resolve, reject) => {
                context.signal.addEventListener("abort", () => reject(new Error("stopped")));
              });
            }),
          );
        const given = attempt(first.signal).catch((error: Error) => error.message);
        const next = begun.promise.then(() => {
          first.abort();
          const second = attempt(new AbortController().signal); // while the failed try is still being stored
          stored.resolve();
          return second;
        });
        return Promise.all([given, next]);
      },
      { checkpointer: new SlowSaver() },
    );

    expect((await run({})).log).toEqual([["stopped", "receipt"]]);
    expect(tries).toBe(2);
  });

  test("a key with signs that mean something in a namespace is a key like any other", async () => {
    const key = "refund:42|ä/😀 %";
    const { keys, work } = counted("ok");
    const { run } = oneNodeGraph(async () => [await once(key, work), interrupt("next?")]);

    await run({});
    expect((await run(new Command({ resume: "go" }))).log).toEqual([["ok", "go"]]);
    expect(keys).toHaveLength(1);
  });

  test.each([[""], ["x".repeat(201)], ["\ud800"], [7]])("refuses the key %j", async (key) => {
    const { run } = oneNodeGraph(() => once(key as string, () => 1));
    await expect(run({})).rejects.toMatchObject({ code: "OPTIONS_INVALID", message: expect.stringContaining("`key`") });
  });

  test("outside of a graph it says so", async () => {
    await expect(once("key", () => 1)).rejects.toMatchObject({ code: "OUTSIDE_GRAPH" });
  });

  test("works without a checkpointer, for as long as the run lasts", async () => {
    const { keys, work } = counted("value");
    let attempts = 0;
    const { graph } = oneNodeGraph(
      async () => {
        const value = await once("key", work);
        attempts += 1;
        if (attempts === 1) throw new Error("again");
        return value;
      },
      { retry: { maxAttempts: 2 } },
    );
    graph.checkpointer = false;

    expect((await graph.invoke({})).log).toEqual(["value"]);
    expect(keys).toHaveLength(1);
  });
});
