import { Command, MemorySaver, ParentCommand, START, Send, StateGraph, interrupt, task } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { once, withPolicies } from "perdure/nodes";
import type { TransactionSql } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { overriding } from "../support/crash-overriding.ts";
import { describeOnEachDatabase } from "../support/describe-on-each-database.ts";
import { LogState, oneNodeGraph } from "../support/one-node-graph.ts";

describeOnEachDatabase("once.tx", (database) => {
  let threadId = "";
  beforeAll(() => database.query("CREATE TABLE notes (thread text, line text)"));
  beforeEach(() => {
    threadId = database.newThread();
  });

  const note = async (sql: TransactionSql, line: string): Promise<void> => {
    await sql.query("INSERT INTO notes VALUES ($1, $2)", [threadId, line]);
  };
  const notes = async (): Promise<string[]> => {
    const rows = await database.query<{ line: string }>("SELECT line FROM notes WHERE thread = $1", [threadId]);
    return rows.map(({ line }) => line);
  };
  const records = (): Promise<unknown[]> =>
    database.query("SELECT key, value_type, checkpoint_ns, checkpoint_id FROM perdure_once WHERE thread_id = $1", [
      threadId,
    ]);
  /** A graph of one node on the database, driven by plain LangGraph. */
  const graphOf = (
    node: (config: LangGraphRunnableConfig) => unknown,
    options: { readonly retry?: { readonly maxAttempts: number } } = {},
  ) => {
    const { graph, run } = oneNodeGraph(node, { checkpointer: database.checkpointer, ...options });
    return { graph, run: (input: Parameters<typeof run>[0]) => run(input, threadId) };
  };

  describe("what it does", () => {
    test("commits the statements and the record of them, and gives the result", async () => {
      const { run } = graphOf(() =>
        once.tx("add", async (sql) => {
          await note(sql, "added");
          const { rows } = await sql.query<{ line: string }>("SELECT line FROM notes WHERE thread = $1", [threadId]);
          return rows;
        }),
      );

      expect((await run({})).log).toEqual([[{ line: "added" }]]);
      expect(await notes()).toEqual(["added"]);
      const [record, ...others] = await records();
      expect(others).toEqual([]);
      expect(record).toEqual({
        key: "add",
        value_type: "json",
        checkpoint_ns: "",
        checkpoint_id: expect.stringMatching(/^[\da-f-]{36}$/u),
      });
    });

    test("H5: what stands before a question is done once, though the node runs again with the answer", async () => {
      let runs = 0;
      const { run } = graphOf(async () => {
        runs += 1;
        const receipt = await once.tx("charge", async (sql) => {
          await note(sql, `charged in run ${runs}`);
          return { run: runs };
        });
        return [receipt, interrupt("sure?")];
      });

      await run({});
      expect((await run(new Command({ resume: "yes" }))).log).toEqual([[{ run: 1 }, "yes"]]);
      expect(runs).toBe(2);
      expect(await notes()).toEqual(["charged in run 1"]);
    });

    test("a retry, and another process after a crash, find what was done", async () => {
      let runs = 0;
      const node = (crashes: number) => async () => {
        runs += 1;
        const value = await once.tx("charge", async (sql) => {
          await note(sql, "charged");
          return runs;
        });
        if (runs <= crashes) throw new Error("SIGKILL");
        return value;
      };
      await expect(graphOf(node(3), { retry: { maxAttempts: 2 } }).run({})).rejects.toThrow("SIGKILL");
      expect(runs).toBe(2);

      const checkpointer = await database.openAgain();
      const { log } = await oneNodeGraph(node(2), { checkpointer }).run(null, threadId);
      expect(log).toEqual([1]);
      expect(await notes()).toEqual(["charged"]);
    });

    test("a fn that throws rolls back all it did, its error goes through, and the next attempt runs it again", async () => {
      const failure = new Error("not today");
      const seen: unknown[] = [];
      let tries = 0;
      const { run } = graphOf(
        () =>
          once
            .tx("charge", async (sql) => {
              tries += 1;
              await note(sql, `try ${tries}`);
              if (tries < 3) throw failure;
              return tries;
            })
            .catch(async (error: unknown) => {
              seen.push(error, await notes(), await records());
              throw error;
            }),
        { retry: { maxAttempts: 3 } },
      );

      expect((await run({})).log).toEqual([3]);
      expect(seen).toEqual([failure, [], [], failure, [], []]);
      expect(await notes()).toEqual(["try 3"]);
    });

    test("the same key again gives the first result, also while the first is under way; others are other work", async () => {
      const { run } = graphOf(async () => {
        const add = (key: string, line: string) =>
          once.tx(key, async (sql) => {
            await note(sql, line);
            return line;
          });
        const both = await Promise.all([add("a", "first"), add("a", "first too"), add("b", "other")]);
        return [both[0] === both[1], both[2], (await add("a", "late")) === both[0]];
      });

      expect((await run({})).log).toEqual([[true, "other", true]]);
      expect(await notes()).toHaveLength(2);
    });

    test("two drivers of one thread at once: one does it, the other waits and gets its result", async () => {
      const begun = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      let drivers = 0;
      let works = 0;
      const node = () => {
        drivers += 1;
        // the open transaction of PGlite holds off the second driver before it comes here
        if (drivers === 2 || database.kind === "pglite") setImmediate(goOn.resolve);
        return once.tx("charge", async (sql) => {
          works += 1;
          begun.resolve();
          await note(sql, `charged by ${drivers}`);
          await goOn.promise; // until the other one is at it, too
          return works;
        });
      };
      const graphs = [database.checkpointer, await database.openAgain()].map((checkpointer) =>
        oneNodeGraph(node, { checkpointer }),
      );
      await graphs[0]!.graph.updateState({ configurable: { thread_id: threadId } }, {}, "__start__");

      const first = graphs[0]!.run(null, threadId);
      await begun.promise;
      const results = await Promise.all([first, graphs[1]!.run(null, threadId)]);
      expect(results.map(({ log }) => log)).toEqual([[1], [1]]);
      expect([drivers, works]).toEqual([2, 1]);
      expect(await notes()).toEqual(["charged by 1"]);
    });

    test.each([[undefined], [null], [false], [0], [""]])("%j is a result like any other", async (value) => {
      const works: unknown[] = [];
      const { run } = graphOf(async () => [
        (await once.tx("empty", () => (works.push(1), value))) === value,
        interrupt("next?"),
      ]);
      await run({});
      expect((await run(new Command({ resume: "go" }))).log).toEqual([[true, "go"]]);
      expect(works).toHaveLength(1);
    });

    test("the result looks the same the first time and when it is found", async () => {
      const seen: unknown[] = [];
      const { run } = graphOf(async () => {
        seen.push(await once.tx("when", () => ({ at: new Date(0), list: [undefined, 1], none: undefined })));
        interrupt("next?");
      });
      await run({});
      await run(new Command({ resume: "go" }));
      expect(seen[0]).toMatchObject({ at: "1970-01-01T00:00:00.000Z" });
      expect(seen).toStrictEqual([seen[0], seen[0]]);
    });

    test("a result that can't be stored is refused, and everything rolled back", async () => {
      const { run } = graphOf(() => once.tx("bad", async (sql) => (await note(sql, "bad"), { total: 1n })));
      await expect(run({})).rejects.toMatchObject({
        code: "VALUE_UNSERIALIZABLE",
        message: expect.stringContaining('once.tx "bad" has at `total` a bigint'),
      });
      expect(await notes()).toEqual([]);
    });

    test("the idempotency key is the same in each try, and another one for each key and each turn", async () => {
      const keys: string[] = [];
      const { run } = graphOf(
        async () => {
          await once.tx("a", (_sql, { idempotencyKey }) => {
            keys.push(idempotencyKey);
            if (keys.length === 1) throw new Error("again");
          });
          await once.tx("b", (_sql, { idempotencyKey }) => void keys.push(idempotencyKey));
        },
        { retry: { maxAttempts: 2 } },
      );
      await run({});
      await run({});
      expect(keys).toHaveLength(5);
      expect(keys[0]).toBe(keys[1]);
      expect(keys[0]).toMatch(/^[\da-f]{64}$/u);
      expect(new Set(keys).size).toBe(4);
    });

    test("inside of a once that fails later it is done once for all tries", async () => {
      let tries = 0;
      const { run } = graphOf(
        () =>
          once("outer", async () => {
            tries += 1;
            await once.tx("charge", (sql) => note(sql, `try ${tries}`));
            if (tries < 3) throw new Error("later trouble");
          }),
        { retry: { maxAttempts: 3 } },
      );
      await run({});
      expect(tries).toBe(3);
      expect(await notes()).toEqual(["try 1"]);
    });

    test("many at once, of one run, are each done once and set off no warning", async () => {
      const warnings: Error[] = [];
      const listen = (warning: Error): unknown => warnings.push(warning);
      process.on("warning", listen);
      const graph = new StateGraph(LogState)
        .addNode("work", async ({ n }: { n: number }) => ({
          log: [await once.tx("note", async (sql) => (await note(sql, `${n}`), n))],
        }))
        .addConditionalEdges(START, () => Array.from({ length: 30 }, (_, n) => new Send("work", { n })));
      const runner = createRunner(graph, { name: "many", checkpointer: database.checkpointer });
      const { values } = await runner.start(threadId, {});
      await new Promise(setImmediate);
      process.off("warning", listen);

      expect(values.log).toEqual(Array.from({ length: 30 }, (_, n) => n));
      expect((await notes()).map(Number).sort((a, b) => a - b)).toEqual(values.log);
      expect(warnings).toEqual([]);
    });

    test("the record goes with its thread", async () => {
      await graphOf(() => once.tx("a", () => 1)).run({});
      expect(await records()).toHaveLength(1);
      await database.checkpointer.deleteThread(threadId);
      expect(await records()).toEqual([]);
    });
  });

  describe("what it refuses", () => {
    const asks = task("own", async () => "result");
    const inner = new StateGraph(LogState)
      .addNode("n", () => ({ log: ["inner"] }))
      .addEdge(START, "n")
      .compile();

    test.each<[string, (sql: TransactionSql) => unknown]>([
      ["a question", () => interrupt("sure?")],
      ["once", () => once("inner", () => 1)],
      ["once.tx", () => once.tx("inner", () => 1)],
      ["a task", () => asks()],
      ["a graph", () => inner.invoke({})],
    ])("%s inside of the transaction, also when fn hides it, and rolls back", async (_what, work) => {
      for (const hides of [false, true]) {
        const { run } = graphOf(() =>
          once.tx("charge", async (sql) => {
            await note(sql, "charged");
            await (hides ? (async () => work(sql))().catch(() => {}) : work(sql));
          }),
        );
        await expect(run({})).rejects.toMatchObject({
          code: "ONCE_INTERRUPTED",
          hint: expect.stringContaining("before"),
        });
      }
      expect(await notes()).toEqual([]);
      expect(await records()).toEqual([]);
    });

    test("a question whose answer is there already, so that later questions keep their answers", async () => {
      const { run } = graphOf(async () => {
        const first = interrupt("first?");
        const inside = await once.tx("asks", () => interrupt("inside?")).catch((error: { code: string }) => error.code);
        return [first, inside, interrupt("second?")];
      });
      await run({});
      await run(new Command({ resume: 1 }));
      expect((await run(new Command({ resume: 2 }))).log).toEqual([[1, "ONCE_INTERRUPTED", 2]]);
    });

    test("to leave the node from inside of it", async () => {
      const leave = new ParentCommand(new Command({ graph: Command.PARENT, goto: "elsewhere" }));
      const { run } = graphOf(() => once.tx("leaves", () => Promise.reject(leave)));
      await expect(run({})).rejects.toMatchObject({ code: "ONCE_INTERRUPTED" });
    });

    test("a statement after the transaction, or one that would end it", async () => {
      let kept: TransactionSql | undefined;
      const { run } = graphOf(async () => {
        await once.tx("keeps", (sql) => {
          kept = sql;
        });
        const codes = [await codeOf(kept!.query("SELECT 1"))];
        await once.tx("ends", async (sql) => {
          for (const text of [
            "BEGIN",
            "COMMIT",
            " commit ;",
            "/* now */ END",
            "-- now\nROLLBACK",
            "ABORT",
            "start  transaction",
            "rollback work",
            "PREPARE TRANSACTION 'x'",
          ]) {
            codes.push(await codeOf(sql.query(text)));
          }
          await note(sql, "still here");
        });
        return codes;
      });
      const codes = new Set((await run({})).log[0] as string[]);
      expect([...codes]).toEqual(["TRANSACTION_ENDED"]);
      expect(await notes()).toEqual(["still here"]);
    });

    test("to commit after a statement that failed and was passed over, and names that statement", async () => {
      const { run } = graphOf(() =>
        once.tx("fails", async (sql) => {
          await note(sql, "before");
          await sql.query("SELECT 1 / 0").catch(() => {});
        }),
      );
      await expect(run({})).rejects.toMatchObject({
        code: "TRANSACTION_ENDED",
        message: expect.stringContaining("division by zero"),
        cause: expect.objectContaining({ code: "22012" }),
      });
      expect(await notes()).toEqual([]);
    });

    test.each([[""], ["x".repeat(201)], ["\ud800"], ["a\0b"], [7]])("the key %j", async (key) => {
      const { run } = graphOf(() => once.tx(key as string, () => 1));
      await expect(run({})).rejects.toMatchObject({
        code: "OPTIONS_INVALID",
        message: expect.stringContaining("`key`"),
      });
    });
  });

  test("a savepoint lets it go on after a statement that failed", async () => {
    const { run } = graphOf(() =>
      once.tx("fails", async (sql) => {
        await note(sql, "before");
        await sql.query("SAVEPOINT here");
        await expect(sql.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012" });
        await sql.query("ROLLBACK TO SAVEPOINT here");
        await note(sql, "after");
      }),
    );
    await run({});
    expect(await notes()).toEqual(["before", "after"]);
  });

  test("a table of the caller's own that is missing is the database's error, and not about the checkpointer", async () => {
    const { run } = graphOf(() => once.tx("typo", (sql) => sql.query("SELECT 1 FROM acounts")));
    await expect(run({})).rejects.toMatchObject({ code: "42P01", message: expect.stringContaining("acounts") });
  });

  test("a transaction that the database gave up runs again by itself, also where a library wraps the error", async () => {
    let tries = 0;
    const { run } = graphOf(() =>
      once.tx("again", async (sql) => {
        tries += 1;
        await note(sql, `try ${tries}`);
        const code = ["40001", "40P01"][tries - 1];
        if (code === undefined) return tries;
        const failing = sql.query(`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '${code}'; END $$`);
        await failing.catch((cause: unknown) => {
          throw new Error("Failed query", { cause });
        });
        return undefined;
      }),
    );
    expect((await run({})).log).toEqual([3]);
    expect(await notes()).toEqual(["try 3"]);
  });

  describe("stopped", () => {
    /** A runner of a graph whose one node charges; the first time it is deaf to its signal and comes to no end. */
    function deafCharge(options: { readonly timeoutMs?: number; readonly retry?: boolean } = {}) {
      const begun = Promise.withResolvers<void>();
      const handles: TransactionSql[] = [];
      const { retry = false, ...txOptions } = options;
      const charge = async (_state: unknown) => ({
        log: [
          await once.tx(
            "charge",
            async (sql) => {
              handles.push(sql);
              await note(sql, `charged in run ${handles.length}`);
              begun.resolve();
              if (handles.length === 1) await new Promise(() => {});
              return handles.length;
            },
            txOptions,
          ),
        ],
      });
      const graph = new StateGraph(LogState)
        .addNode("charge", withPolicies(charge, retry ? { retry: { intervalMs: 0 } } : {}))
        .addEdge(START, "charge");
      const runner = createRunner(graph, { name: "charge", checkpointer: database.checkpointer });
      return { runner, begun: begun.promise, handles };
    }

    // not on PGlite: nothing else is committed there while the transaction is open
    if (database.kind === "postgres")
      test("I7: a run that is cancelled rolls back without waiting for fn, and does it when it is continued", async () => {
        const { runner, begun, handles } = deafCharge();
        const started = runner.start(threadId, {});
        await begun;
        await runner.cancel(threadId, "stop");

        expect(await started).toMatchObject({ status: "cancelled" });
        expect(await codeOf(handles[0]!.query("SELECT 1"))).toBe("TRANSACTION_ENDED");
        expect(await notes()).toEqual([]);
        expect(await runner.continue(threadId)).toMatchObject({ status: "done", values: { log: [2] } });
        expect(await notes()).toEqual(["charged in run 2"]);
      });

    if (database.kind === "postgres")
      test("I7: what another process cancelled meanwhile is not committed, though this one has not heard of it", async () => {
        const other = await database.openAgain();
        let tries = 0;
        const graph = new StateGraph(LogState)
          .addNode("charge", async () => ({
            log: [
              await once.tx("charge", async (sql) => {
                tries += 1;
                await note(sql, `try ${tries}`);
                if (tries === 1)
                  await other.updateRecord(threadId, (record) => ({ ...record, epoch: record.epoch + 1 }));
                return tries;
              }),
            ],
          }))
          .addEdge(START, "charge");
        const first = createRunner(graph, { name: "charge", checkpointer: database.checkpointer });
        const failed = await first.start(threadId, {}).catch((error: unknown) => error);
        expect(failed).toMatchObject({ code: "CHECKPOINT_CONFLICT" });
        expect(await notes()).toEqual([]);
        expect(await first.continue(threadId)).toMatchObject({ status: "done", values: { log: [2] } });
        expect(await notes()).toEqual(["try 2"]);
      });

    test("the caller's signal rolls back without waiting for fn, and the thread can be continued", async () => {
      const { runner, begun, handles } = deafCharge();
      const caller = new AbortController();
      const started = runner.start(threadId, {}, { signal: caller.signal }).catch((error: unknown) => error);
      await begun;
      caller.abort(new Error("enough"));

      expect(await started).toMatchObject({ message: "enough" });
      expect(await codeOf(handles[0]!.query("SELECT 1"))).toBe("TRANSACTION_ENDED");
      expect(await runner.continue(threadId)).toMatchObject({ status: "done", values: { log: [2] } });
      expect(await notes()).toEqual(["charged in run 2"]);
    });

    test("a transaction that lasts longer than its time is rolled back, and may be retried", async () => {
      const { runner } = deafCharge({ timeoutMs: 100, retry: true });
      expect(await runner.start(threadId, {})).toMatchObject({ status: "done", values: { log: [2] } });
      expect(await notes()).toEqual(["charged in run 2"]);

      threadId = database.newThread();
      const failed = await deafCharge({ timeoutMs: 100 }).runner.start(threadId, {});
      expect(failed).toMatchObject({ status: "error", error: { code: "NODE_TIMEOUT" } });
      expect(await notes()).toEqual([]);
    });

    test("an attempt that is given up is rolled back before the next one does it", async () => {
      let tries = 0;
      const seen: string[][] = [];
      const charge = withPolicies(
        async (_state: unknown) => ({
          log: [
            await once.tx("charge", async (sql) => {
              tries += 1;
              const { rows } = await sql.query<{ line: string }>("SELECT line FROM notes WHERE thread = $1", [
                threadId,
              ]);
              seen.push(rows.map(({ line }) => line));
              await note(sql, `try ${tries}`);
              if (tries === 1) await new Promise(() => {});
              return tries;
            }),
          ],
        }),
        { timeoutMs: 200, retry: { intervalMs: 0 } },
      );
      const graph = new StateGraph(LogState).addNode("charge", charge).addEdge(START, "charge");
      const runner = createRunner(graph, { name: "charge", checkpointer: database.checkpointer });

      expect(await runner.start(threadId, {})).toMatchObject({ status: "done", values: { log: [2] } });
      expect(seen).toEqual([[], []]);
      expect(await notes()).toEqual(["try 2"]);
    });

    if (database.kind === "postgres")
      test("what a node did not wait for is not committed after the run is over", async () => {
        const goOn = Promise.withResolvers<void>();
        let late: Promise<unknown> = Promise.resolve();
        const graph = new StateGraph(LogState)
          .addNode("hasty", async () => {
            const begun = Promise.withResolvers<void>();
            late = once.tx("late", async (sql) => {
              await note(sql, "late");
              begun.resolve();
              await goOn.promise;
            });
            late.catch(() => {});
            await begun.promise;
            return { log: ["hasty"] };
          })
          .addEdge(START, "hasty");
        const runner = createRunner(graph, { name: "hasty", checkpointer: database.checkpointer });

        expect(await runner.start(threadId, {})).toMatchObject({ status: "done" });
        goOn.resolve();
        expect(await codeOf(late)).toBe("RUN_CANCELLED");
        expect(await notes()).toEqual([]);
      });

    test("what is aborted already does not start", async () => {
      const controller = new AbortController();
      let started = false;
      const { graph } = graphOf(async () => {
        controller.abort(new Error("stop"));
        await once.tx("late", () => {
          started = true;
        });
      });
      const config = { configurable: { thread_id: threadId }, signal: controller.signal };
      await expect(graph.invoke({}, config)).rejects.toThrow(/abort|stop/iu);
      expect(started).toBe(false);
    });
  });

  describe("in graphs inside of graphs", () => {
    const wrap = (node: () => Promise<unknown>, checkpointer?: false) => {
      const inner = new StateGraph(LogState)
        .addNode("first", () => ({ log: ["first"] }))
        .addNode("charge", async () => ({ log: [await node()] }))
        .addEdge(START, "first")
        .addEdge("first", "charge")
        .compile(checkpointer === undefined ? {} : { checkpointer });
      return new StateGraph(LogState).addNode("inner", inner).addEdge(START, "inner");
    };

    test.each(["plain LangGraph", "a runner"])("it is done once under %s, and knows its checkpoint", async (driver) => {
      let runs = 0;
      const node = async (): Promise<unknown> => {
        runs += 1;
        const run = await once.tx("charge", async (sql) => (await note(sql, `run ${runs}`), runs));
        if (runs === 1) throw new Error("SIGKILL");
        return run;
      };
      if (driver === "a runner") {
        const runner = createRunner(wrap(node), { name: "outer", checkpointer: database.checkpointer });
        expect(await runner.start(threadId, {})).toMatchObject({ status: "error" });
        expect(await runner.continue(threadId)).toMatchObject({ status: "done", values: { log: ["first", 1] } });
      } else {
        const graph = wrap(node).compile({ checkpointer: database.checkpointer });
        const config = { configurable: { thread_id: threadId } };
        await expect(graph.invoke({}, config)).rejects.toThrow("SIGKILL");
        expect((await graph.invoke(null, config)).log).toEqual(["first", 1]);
      }
      expect(runs).toBe(2);
      expect(await notes()).toEqual(["run 1"]);
      expect(await records()).toMatchObject([{ checkpoint_ns: expect.stringMatching(/^inner:/u) }]);
    });

    test("in a task inside of the node, it is done once as well", async () => {
      let runs = 0;
      const { run } = graphOf(async () => {
        const own = task("own", async () => {
          runs += 1;
          await once.tx("charge", (sql) => note(sql, `run ${runs}`));
          if (runs === 1) throw new Error("SIGKILL");
        });
        await own();
      });
      await expect(run({})).rejects.toThrow("SIGKILL");
      await run(null);
      expect(runs).toBe(2);
      expect(await notes()).toEqual(["run 1"]);
    });

    // it waits some seconds for the checkpoint, so one of the two will do
    if (database.kind === "pglite")
      test("a graph that keeps no checkpoints can't have it: its task would not be known again", async () => {
        const graph = wrap(() => once.tx("charge", (sql) => note(sql, "charged")), false);
        const compiled = graph.compile({ checkpointer: database.checkpointer });
        await expect(compiled.invoke({}, { configurable: { thread_id: threadId } })).rejects.toMatchObject({
          code: "GRAPH_UNSUPPORTED",
        });
        expect(await notes()).toEqual([]);
      });
  });

  test("a task whose checkpoint is stored while it runs waits for that: it would be another task after a crash", async () => {
    const stored: string[] = [];
    let storedBefore: string[] = [];
    const mayStore = Promise.withResolvers<void>();
    const slow = overriding(database.checkpointer, {
      put: async (config, checkpoint, metadata, versions) => {
        await mayStore.promise;
        const result = await database.checkpointer.put(config, checkpoint, metadata, versions);
        stored.push(checkpoint.id);
        return result;
      },
    });
    const node = (): Promise<void> => {
      setTimeout(mayStore.resolve, 50);
      return once.tx("charge", async (sql) => {
        storedBefore = [...stored];
        await note(sql, "charged");
      });
    };
    const { graph } = oneNodeGraph(node, { checkpointer: slow });
    await graph.invoke({}, { configurable: { thread_id: threadId }, durability: "async" });

    const [record] = (await records()) as { checkpoint_id: string }[];
    expect(storedBefore).toContain(record?.checkpoint_id);
    expect(await notes()).toEqual(["charged"]);
  });
});

describe("once.tx without an SQL database", () => {
  test.each([
    ["memory:", () => openCheckpointer("memory:"), "memory:"],
    ["sqlite:", () => openCheckpointer("sqlite::memory:"), "sqlite"],
    ["LangGraph's own", async () => new MemorySaver(), "MemorySaver"],
  ])("says so, and names the checkpointer: %s", async (_what, open, named) => {
    const checkpointer = await open();
    await expect(oneNodeGraph(() => once.tx("a", () => 1), { checkpointer }).run({})).rejects.toMatchObject({
      code: "CHECKPOINTER_UNSUPPORTED",
      message: expect.stringContaining(named),
      hint: expect.stringContaining("postgres://"),
    });
  });

  test("says so under a runner, where there is no checkpointer, and outside of a graph", async () => {
    const { graph } = oneNodeGraph(() => once.tx("a", () => 1));
    graph.checkpointer = false;
    await expect(graph.invoke({})).rejects.toMatchObject({ code: "CHECKPOINTER_UNSUPPORTED" });
    const runner = createRunner(graph, { name: "test", checkpointer: await openCheckpointer("memory:") });
    expect(await runner.start("t", {})).toMatchObject({ status: "error", error: { code: "CHECKPOINTER_UNSUPPORTED" } });
    await expect(once.tx("a", () => 1)).rejects.toMatchObject({ code: "OUTSIDE_GRAPH" });
  });
});

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "none",
    (error: { code: unknown }) => error.code,
  );
}
