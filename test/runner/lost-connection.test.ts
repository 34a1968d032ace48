/** What a run does when the connection to its checkpointer is lost, and what it leaves to others. */
import { START, StateGraph, getWriter, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { PerdureError } from "perdure/errors";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import type { DrivableGraph, RunEvent } from "perdure/runner";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { overriding } from "../support/crash-overriding.ts";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";
import { unreliableCheckpointer } from "../support/unreliable-checkpointer.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.setTimerTickMode("nextTimerAsync");
  vi.spyOn(Math, "random").mockReturnValue(1);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A runner whose connection can be lost, and another one on the same store, whose connection holds. */
async function twoRunners<const G extends DrivableGraph>(graph: G, options: { reconnectTimeoutMs?: number } = {}) {
  const store = await openCheckpointer("memory:");
  const unreliable = unreliableCheckpointer(store);
  return {
    ...unreliable,
    store,
    runner: createRunner(graph, { name: "mine", checkpointer: unreliable.checkpointer, ...options }),
    other: createRunner(graph, { name: "theirs", checkpointer: store }),
  };
}

/**
 * The checkpointer of somebody whose connection is gone: it does the first commit of the method that `isIt` chooses,
 * and what others do `then`, but does not tell of it. Its lock holds nobody up.
 */
function unheard(
  store: Checkpointer,
  method: "put" | "commitAnswers",
  then: () => Promise<unknown> = async () => {},
  isIt: (args: readonly unknown[]) => boolean = () => true,
): Checkpointer {
  let isOver = false;
  return overriding(store, {
    lockThread: async () => ({ lost: new AbortController().signal, release: async () => {} }),
    [method]: async (...args: unknown[]) => {
      const result: unknown = await Reflect.apply(store[method], store, args);
      if (isOver || !isIt(args)) return result;
      isOver = true;
      await then();
      throw unreachable();
    },
  });
}

const unreachable = () => new PerdureError("CHECKPOINTER_UNREACHABLE", "the connection is gone.", { hint: "Wait." });

/** Works until it is told what to return; one entry of `works` for each time it runs. */
function working() {
  const works: { readonly signal: AbortSignal; readonly end: (line: string) => void }[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("quick", () => ({ log: "quick" }))
    .addNode("work", async (_state, { signal }: LangGraphRunnableConfig) => {
      const line = Promise.withResolvers<string>();
      works.push({ signal: signal!, end: line.resolve });
      return { log: await line.promise };
    })
    .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
    .addEdge(START, "quick")
    .addEdge(START, "work")
    .addEdge(["quick", "work"], "after");
  /** Waits for the n-th run, counted from 1. */
  const run = (count: number) => vi.waitFor(() => works[count - 1] ?? Promise.reject(new Error(`no run ${count}`)));
  return { graph, works, run };
}

/** Two questions, one after the other. */
const askTwice = new StateGraph(TextLog)
  .addNode("one", () => ({ log: `one: ${String(interrupt("one?"))}` }))
  .addNode("two", () => ({ log: `two: ${String(interrupt("two?"))}` }))
  .addEdge(START, "one")
  .addEdge("one", "two");

describe("a run whose connection is lost while a node runs", () => {
  test("aborts the node's signal, and runs it again; what the first run returns later is not applied", async () => {
    const { graph, works, run } = working();
    const { runner, other, lose } = await twoRunners(graph);
    const started = runner.start("t", {});
    const first = await run(1);
    await vi.waitFor(async () => expect((await other.inspect("t")).values.log).toEqual(["quick"]));
    lose(3);
    expect(first.signal.aborted).toBe(true);
    const second = await run(2);
    first.end("too late");
    await new Promise(setImmediate);
    second.end("worked");
    expect(await started).toMatchObject({ status: "done", values: { log: ["quick", "worked", "after 2"] } });
    expect(await runner.inspect("t")).toEqual(await started);
    expect(works).toHaveLength(2);
  });

  test("waits for somebody else who drives it by then, if it is to, and returns what they came to", async () => {
    const { graph, works, run } = working();
    const { runner, other, lose } = await twoRunners(graph);
    const started = runner.start("t", {}, { whenBusy: "enqueue" });
    const first = await run(1);
    lose(3);
    const continued = other.continue("t", { whenBusy: "enqueue" });
    const second = await run(2);
    first.end("too late");
    second.end("worked there");
    expect(await started).toMatchObject({ status: "done", values: { log: ["quick", "worked there", "after 2"] } });
    expect(await started).toEqual(await continued);
    expect(works).toHaveLength(2);
  });

  test("leaves it to somebody else who drives it and does not stop, and returns it as it is", async () => {
    const { graph, run } = working();
    const { runner, other, lose } = await twoRunners(graph, { reconnectTimeoutMs: 3_000 });
    const started = runner.start("t", {});
    const first = await run(1);
    lose(3);
    const lostAt = performance.now();
    const continued = other.continue("t", { whenBusy: "enqueue" });
    const second = await run(2);
    first.end("too late");
    expect(await started).toMatchObject({ status: "ready", next: ["work"], values: { log: ["quick"] } });
    expect(performance.now() - lostAt).toBeGreaterThanOrEqual(3_000);
    second.end("worked there");
    expect(await continued).toMatchObject({ status: "done", values: { log: ["quick", "worked there", "after 2"] } });
  });

  test("waits until the server has let go of its own lock", async () => {
    const { graph, run } = working();
    const store = await openCheckpointer("memory:");
    const { checkpointer, lose } = unreliableCheckpointer(store);
    let refusals = 0;
    const runner = createRunner(graph, {
      name: "mine",
      checkpointer: overriding(checkpointer, {
        lockThread: async (...args) => (refusals-- > 0 ? undefined : checkpointer.lockThread(...args)),
      }),
    });
    const started = runner.start("t", {});
    (await run(1)).end("too late");
    refusals = 5;
    lose();
    (await run(2)).end("worked");
    expect(await started).toMatchObject({ status: "done", values: { log: ["quick", "worked", "after 2"] } });
  });

  test("is told from one that lost a race: what somebody else has made of it is no conflict", async () => {
    const { graph, runs } = threeNodes();
    const store = await openCheckpointer("memory:");
    const other = createRunner(graph, { name: "theirs", checkpointer: store });
    const lost = new AbortController();
    let isFirst = true;
    const checkpointer = overriding(store, {
      lockThread: async () => ({ lost: lost.signal, release: async () => {} }),
      put: async (...args) => {
        if (args[2].step === 2 && isFirst) {
          isFirst = false;
          await other.continue("t");
          setImmediate(() => lost.abort(unreachable()));
        }
        return store.put(...args);
      },
    });
    const state = await createRunner(graph, { name: "mine", checkpointer }).start("t", {});
    expect(state).toMatchObject({ status: "done", values: { log: ["a", "b", "c"] } });
    expect(runs).toEqual(["a", "b", "c"]);
  });

  test("takes a signal that waits for what runs again", async () => {
    const begun = Promise.withResolvers<void>();
    let runs = 0;
    const graph = new StateGraph(TextLog)
      .addNode("wait", async (_state, { signal }: LangGraphRunnableConfig) => {
        runs += 1;
        begun.resolve();
        if (runs === 1) await new Promise((resolve) => signal?.addEventListener("abort", resolve));
        return { log: await waitForSignal("go", z.string()) };
      })
      .addEdge(START, "wait");
    const { runner, lose } = await twoRunners(graph);
    await runner.signal("t", { name: "go", payload: "gone" });
    const started = runner.start("t", {});
    await begun.promise;
    lose();
    expect(await started).toMatchObject({ status: "done", values: { log: ["gone"] } });
  });

  test("is not what fails a node when a read of its subgraph can't be made", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
      .addEdge(START, "ask");
    const graph = new StateGraph(TextLog).addNode("inner", inner.compile()).addEdge(START, "inner");
    const store = await openCheckpointer("memory:");
    let isFirst = true;
    const checkpointer = overriding(store, {
      getTuple: async (config) => {
        const ns = String(config.configurable?.["checkpoint_ns"]);
        if (!ns.startsWith("inner") || !isFirst) return store.getTuple(config);
        isFirst = false;
        throw unreachable();
      },
    });
    const state = await createRunner(graph, { name: "mine", checkpointer }).start("t", {});
    expect(isFirst).toBe(false);
    expect(state).toMatchObject({ status: "interrupted", next: ["inner"] });
  });

  test("is cancelled when it was cancelled meanwhile", async () => {
    const { graph, works, run } = working();
    const { runner, other, lose } = await twoRunners(graph);
    const started = runner.start("t", {});
    const first = await run(1);
    lose(3);
    const cancelled = await other.cancel("t", "changed my mind");
    first.end("too late");
    expect(cancelled).toMatchObject({ status: "cancelled", next: ["work"] });
    expect(await started).toEqual(cancelled);
    expect(works).toHaveLength(1);
  });

  test("by continue, runs again what failed before and was cut off, and not what is finished", async () => {
    const broken = new Set(["left", "right"]);
    const runs: string[] = [];
    const release = Promise.withResolvers<void>();
    const fragile = (name: string) => async () => {
      runs.push(name);
      if (broken.has(name)) throw new Error(`${name} is broken`);
      if (name === "right") await release.promise;
      return { log: name };
    };
    const graph = new StateGraph(TextLog)
      .addNode("left", fragile("left"))
      .addNode("right", fragile("right"))
      .addEdge(START, "left")
      .addEdge(START, "right");
    const { runner, other, lose } = await twoRunners(graph);
    expect((await runner.start("t", {})).status).toBe("error");
    broken.clear();
    const continued = runner.continue("t");
    await vi.waitFor(async () => expect((await other.inspect("t")).values.log).toEqual(["left"]));
    lose();
    release.resolve();
    expect(await continued).toMatchObject({ status: "done", values: { log: ["left", "right"] } });
    expect(runs).toEqual(["left", "right", "left", "right", "right"]);
  });

  test("keeps the limit of its supersteps", async () => {
    const { graph, runs } = threeNodes();
    const store = await openCheckpointer("memory:");
    const isLast = ([, , metadata]: readonly unknown[]) => (metadata as { step: number }).step === 2;
    const checkpointer = unheard(store, "put", undefined, isLast);
    const limited = await createRunner(graph, { name: "mine", checkpointer }).start("t", {}, { maxSteps: 2 });
    expect(limited).toMatchObject({ status: "ready", step: 2, next: ["c"] });
    expect(runs).toEqual(["a", "b"]);
  });

  test("throws what its caller's signal aborts with, as soon as it does", async () => {
    const { graph, run } = working();
    const { runner, other, lose } = await twoRunners(graph);
    const stop = new AbortController();
    const started = runner.start("t", {}, { signal: stop.signal }).catch((error: unknown) => error);
    (await run(1)).end("worked");
    lose(Infinity);
    setTimeout(() => stop.abort(new Error("enough")), 10_000);
    const lostAt = performance.now();
    expect(await started).toEqual(new Error("enough"));
    expect(performance.now() - lostAt).toBe(10_000);
    expect((await other.inspect("t")).status).toBe("ready");
  });
});

describe("an input whose commit was not heard of", () => {
  const echo = new StateGraph(TextLog)
    .addNode("echo", ({ log }) => ({ log: `heard ${log.at(-1)}` }))
    .addEdge(START, "echo");

  test("is there once, also when somebody else has run it and begun another turn", async () => {
    const store = await openCheckpointer("memory:");
    const other = createRunner(echo, { name: "theirs", checkpointer: store });
    const checkpointer = unheard(store, "put", async () => {
      await other.continue("t");
      await other.start("t", { log: "b" });
    });
    const state = await createRunner(echo, { name: "mine", checkpointer }).start("t", { log: "a" });
    expect(state).toMatchObject({ status: "done", values: { log: ["a", "heard a", "b", "heard b"] } });
    expect(await other.inspect("t")).toEqual(state);
  });

  test("is no reason to drive the turn that somebody else has begun since", async () => {
    const { graph, runs } = threeNodes();
    const store = await openCheckpointer("memory:");
    const other = createRunner(graph, { name: "theirs", checkpointer: store });
    const checkpointer = unheard(store, "put", async () => {
      await other.continue("t");
      await other.start("t", {}, { maxSteps: 1 });
    });
    const state = await createRunner(graph, { name: "mine", checkpointer }).start("t", {});
    expect(state).toMatchObject({ status: "ready", next: ["b"] });
    expect(runs).toEqual(["a", "b", "c", "a"]);
  });

  test("is put again where it was not stored, on top of what somebody else began", async () => {
    const store = await openCheckpointer("memory:");
    const other = createRunner(echo, { name: "theirs", checkpointer: store });
    let isLost = false;
    const checkpointer = overriding(store, {
      put: async (...args) => {
        if (isLost) return store.put(...args);
        isLost = true;
        await other.start("t", { log: "b" });
        throw unreachable();
      },
      lockThread: async () => ({ lost: new AbortController().signal, release: async () => {} }),
    });
    const state = await createRunner(echo, { name: "mine", checkpointer }).start("t", { log: "a" });
    expect(state).toMatchObject({ status: "done", values: { log: ["b", "heard b", "a", "heard a"] } });
  });

  test("that is stored a moment after we looked is not put a second time", async () => {
    const store = await openCheckpointer("memory:");
    const late: (() => Promise<unknown>)[] = [];
    const checkpointer = overriding(store, {
      put: async (...args) => {
        if (late.length === 0) {
          late.push(() => store.put(...args));
          throw unreachable();
        }
        await late.pop()?.();
        late.push(async () => {});
        return store.put(...args);
      },
    });
    const state = await createRunner(echo, { name: "mine", checkpointer }).start("t", { log: "a" });
    expect(state).toMatchObject({ status: "done", values: { log: ["a", "heard a"] } });
    expect(await collect(createRunner(echo, { name: "other", checkpointer: store }).history("t"))).toHaveLength(3);
  });
});

describe("an answer whose commit was not heard of", () => {
  test("is accepted, and a bare one is not given to the next question, though that is open by now", async () => {
    const store = await openCheckpointer("memory:");
    const other = createRunner(askTwice, { name: "theirs", checkpointer: store });
    const { interrupts } = await other.start("t", {});
    const checkpointer = unheard(store, "commitAnswers", () => other.continue("t"));
    const state = await createRunner(askTwice, { name: "mine", checkpointer }).resume("t", { answer: "yes" });
    expect(state).toMatchObject({ status: "interrupted", values: { log: ["one: yes"] }, next: ["two"] });
    expect(state.interrupts[0]?.id).not.toBe(interrupts[0]?.id);
  });

  test("is refused when another one was accepted instead", async () => {
    const store = await openCheckpointer("memory:");
    const other = createRunner(askTwice, { name: "theirs", checkpointer: store });
    await other.start("t", {});
    let isLost = false;
    const checkpointer = overriding(store, {
      commitAnswers: async (...args) => {
        if (isLost) return store.commitAnswers(...args);
        isLost = true;
        await other.resume("t", { answer: "no" });
        throw unreachable();
      },
    });
    const mine = createRunner(askTwice, { name: "mine", checkpointer });
    await expect(mine.resume("t", { answer: "yes" })).rejects.toMatchObject({ code: "INTERRUPT_ALREADY_ANSWERED" });
    expect(await other.inspect("t")).toMatchObject({ values: { log: ["one: no"] }, next: ["two"] });
  });
});

test("an answer to a thread that somebody else drives is accepted when the thread can't be read at once", async () => {
  const { graph, run } = working();
  const asking = graph.addNode("ask", () => ({ log: String(interrupt("sure?")) })).addEdge(START, "ask");
  const store = await openCheckpointer("memory:");
  const other = createRunner(asking, { name: "theirs", checkpointer: store });
  let isAnswered = false;
  const checkpointer = overriding(store, {
    commitAnswers: async (...args) => {
      const outcomes = await store.commitAnswers(...args);
      isAnswered = true;
      return outcomes;
    },
    getTuple: async (config) => {
      if (!isAnswered) return store.getTuple(config);
      isAnswered = false;
      throw unreachable();
    },
  });
  const started = other.start("t", {});
  const work = await run(1);
  await vi.waitFor(async () => expect((await other.inspect("t")).interrupts).toHaveLength(1));
  const state = await createRunner(asking, { name: "mine", checkpointer }).resume("t", { answer: "yes" });
  expect(state).toMatchObject({ status: "ready", interrupts: [] });
  work.end("worked");
  expect((await started).values.log).toContain("yes");
});

describe("a stream whose connection is lost", () => {
  test("goes on: what was cut off begins again, what is finished is not told again", async () => {
    const runs: string[] = [];
    const told = (name: string) => async () => {
      runs.push(name);
      getWriter()?.(`in ${name}`);
      if (name === "right" && !runs.includes("right", runs.indexOf("right") + 1)) await cutOff.promise;
      return { log: name };
    };
    const cutOff = Promise.withResolvers<void>();
    const graph = new StateGraph(TextLog)
      .addNode("left", told("left"))
      .addNode("right", told("right"))
      .addNode("after", told("after"))
      .addEdge(START, "left")
      .addEdge(START, "right")
      .addEdge(["left", "right"], "after");
    const { runner, lose } = await twoRunners(graph);
    const events: string[] = [];
    for await (const event of runner.stream("t", { start: {} })) {
      events.push(brief(event));
      if (event.type === "update" && event.node === "left") {
        lose(2);
        cutOff.resolve();
      }
    }
    expect(events).toEqual([
      "task_start left",
      "task_start right",
      "custom in left",
      "custom in right",
      "task_end left",
      "update left",
      "task_end right: CHECKPOINTER_UNREACHABLE",
      "task_start right",
      "custom in right",
      "task_end right",
      "update right",
      "task_start after",
      "custom in after",
      "task_end after",
      "update after",
      "state done",
    ]);
  });

  function brief(event: RunEvent): string {
    if (event.type === "state") return `state ${event.state.status}`;
    if (event.type === "custom") return `custom ${String(event.value)}`;
    const node = "node" in event ? event.node : "";
    const error = event.type === "task_end" ? event.error : undefined;
    return `${event.type} ${node}${error === undefined ? "" : `: ${error.message.split(":")[0]}`}`;
  }
});

describe("a checkpointer that stays away", () => {
  test("is asked again after 50 ms, then twice as long each time up to 2 s; after 60 s its error is thrown", async () => {
    const { graph } = threeNodes();
    const { checkpointer, lose } = await twoRunners(graph);
    lose(Infinity);
    const askedAt: number[] = [];
    const noting = overriding(checkpointer, {
      lockThread: (...args) => {
        askedAt.push(performance.now());
        return checkpointer.lockThread(...args);
      },
    });
    const started = createRunner(graph, { name: "mine", checkpointer: noting }).start("t", {});
    await expect(started).rejects.toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
    const waits = askedAt.slice(1).map((at, index) => at - askedAt[index]!);
    expect(waits.slice(0, 7)).toEqual([50, 100, 200, 400, 800, 1_600, 2_000]);
    expect(Math.max(...waits)).toBe(2_000);
    expect(askedAt.at(-1)! - askedAt[0]!).toBe(60_000);
  });

  test("throws at once with reconnectTimeoutMs: 0, as inspect always does", async () => {
    const { graph } = threeNodes();
    const { runner, calls, lose } = await twoRunners(graph, { reconnectTimeoutMs: 0 });
    lose(Infinity);
    await expect(runner.start("t", {})).rejects.toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
    expect(calls).toEqual(["lockThread"]);
    const patient = await twoRunners(graph);
    patient.lose(2);
    await expect(patient.runner.inspect("t")).rejects.toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
  });

  test("is waited for by a time that must be a number of milliseconds", async () => {
    const checkpointer = await openCheckpointer("memory:");
    for (const reconnectTimeoutMs of [-1, 0.5, 2 ** 31, Infinity]) {
      const make = () => createRunner(threeNodes().graph, { name: "mine", checkpointer, reconnectTimeoutMs });
      expect(make, String(reconnectTimeoutMs)).toThrow(/^OPTIONS_INVALID: .*reconnectTimeoutMs/u);
    }
  });

  test("again and again is given all the time anew, as long as the thread moves on in between", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("count", ({ log }) => ({ log: String(log.length) }))
      .addEdge(START, "count")
      .addConditionalEdges("count", ({ log }) => (log.length < 30 ? "count" : "__end__"));
    const store = await openCheckpointer("memory:");
    const { checkpointer, lose } = unreliableCheckpointer(store);
    let writes = 0;
    const runner = createRunner(graph, {
      name: "mine",
      reconnectTimeoutMs: 1_000,
      checkpointer: overriding(checkpointer, {
        // each superstep is lost twice, before its result is stored and after its checkpoint is
        putWrites: async (...args) => {
          if ((writes += 1) % 2 === 1) lose(4); // for 350 ms
          return checkpointer.putWrites(...args);
        },
        put: async (...args) => {
          const result = await checkpointer.put(...args);
          lose(4);
          return result;
        },
      }),
    });
    const startedAt = performance.now();
    expect((await runner.start("t", {})).values.log).toHaveLength(30);
    expect(performance.now() - startedAt).toBeGreaterThan(10_000);
  });

  test("at the same place each time is tried ten times: it may be what the node wants to store", async () => {
    const { graph, runs } = threeNodes();
    const store = await openCheckpointer("memory:");
    const runner = createRunner(graph, {
      name: "mine",
      checkpointer: overriding(store, {
        putWrites: (config, writes, taskId) =>
          writes.some(([, value]) => value === "b")
            ? Promise.reject(unreachable())
            : store.putWrites(config, writes, taskId),
      }),
    });
    await expect(runner.start("t", {})).rejects.toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
    expect(runs).toEqual(["a", ...Array.from({ length: 11 }, () => "b")]);
  });

  test("is not what a node means that throws such an error of its own: the node has failed", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("work", () => {
        throw unreachable();
      })
      .addEdge(START, "work");
    const { runner } = await twoRunners(graph);
    expect(await runner.start("t", {})).toMatchObject({
      status: "error",
      error: { node: "work", code: "CHECKPOINTER_UNREACHABLE" },
    });
  });
});
