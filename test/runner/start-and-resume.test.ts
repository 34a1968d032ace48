import { Annotation, Command, START, StateGraph, interrupt } from "@langchain/langgraph";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { createRunner } from "perdure/runner";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { LogState } from "../support/one-node-graph.ts";
import { TextLog } from "../support/text-log.ts";

const echo = new StateGraph(TextLog)
  .addNode("echo", ({ log }) => ({ log: `heard ${log.at(-1)}` }))
  .addEdge(START, "echo");

const askOnce = new StateGraph(LogState).addNode("ask", () => ({ log: [interrupt("sure?")] })).addEdge(START, "ask");

/** Two questions side by side, each for a number. */
const twoNumbers = new StateGraph(TextLog)
  .addNode("left", () => ({ log: `left ${String(interrupt("left?", { responseSchema: { type: "number" } }))}` }))
  .addNode("right", () => ({ log: `right ${String(interrupt("right?", { responseSchema: { type: "number" } }))}` }))
  .addEdge(START, "left")
  .addEdge(START, "right");

/** Fails as long as `broken.now` says so. */
function fragile() {
  const broken = { now: true };
  const graph = new StateGraph(TextLog)
    .addNode("work", () => {
      if (broken.now) throw new TypeError("no network");
      return { log: "worked" };
    })
    .addEdge(START, "work");
  return { graph, broken };
}

describe("runner.start", () => {
  test("drives the thread to its end and returns where it stands", async () => {
    const { runner } = await memoryRunner(echo);
    const state = await runner.start("t", { log: "a" });
    expect(state).toEqual({
      status: "done",
      threadId: "t",
      checkpointId: state.checkpointId,
      step: 1,
      next: [],
      tasks: [],
      interrupts: [],
      values: { log: ["a", "heard a"] },
    });
    expect(await runner.inspect("t")).toEqual(state);
  });

  test("on a done thread it is a new turn on the same state", async () => {
    const { runner } = await memoryRunner(echo);
    await runner.start("t", { log: "a" });
    expect((await runner.start("t", { log: "b" })).values.log).toEqual(["a", "heard a", "b", "heard b"]);
  });

  test("threads know nothing of each other", async () => {
    const { runner } = await memoryRunner(echo);
    await Promise.all([runner.start("a", { log: "a" }), runner.start("b", { log: "b" })]);
    expect((await runner.inspect("a")).values.log).toEqual(["a", "heard a"]);
    expect((await runner.inspect("b")).values.log).toEqual(["b", "heard b"]);
  });

  test.each([[null], [undefined]])("%j is no input", async (input) => {
    const { runner } = await memoryRunner(echo);
    await expect(runner.start("t", input as never)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(runner.inspect("t")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
  });

  test("a failed thread takes no new input, unless it is told to drop what is unfinished", async () => {
    const { graph, broken } = fragile();
    const { runner } = await memoryRunner(graph);
    const failed = await runner.start("t", { log: "a" });
    expect(failed).toMatchObject({
      status: "error",
      error: { node: "work", name: "TypeError", message: "no network" },
    });
    await expect(runner.start("t", { log: "b" })).rejects.toMatchObject({ code: "THREAD_UNFINISHED" });
    expect(await runner.inspect("t")).toEqual(failed);
    broken.now = false;
    expect((await runner.start("t", { log: "b" }, { supersede: true })).values.log).toEqual(["a", "b", "worked"]);
  });

  test("a thread that used up its steps takes no new input either", async () => {
    const loop = new StateGraph(TextLog)
      .addNode("a", () => ({ log: "a" }))
      .addEdge(START, "a")
      .addEdge("a", "a");
    const { runner } = await memoryRunner(loop);
    expect((await runner.start("t", {}, { maxSteps: 2 })).status).toBe("ready");
    await expect(runner.start("t", { log: "b" })).rejects.toMatchObject({ code: "THREAD_UNFINISHED" });
  });

  test("supersede on a thread that has nothing open records nothing", async () => {
    const { runner, checkpointer } = await memoryRunner(echo);
    await runner.start("t", { log: "a" }, { supersede: true });
    await runner.start("t", { log: "b" }, { supersede: true });
    expect((await checkpointer.readRecord("t"))?.superseded).toEqual([]);
  });

  test.each([["text"], [7], [[1]], [new Command({ resume: 1 })], [new Command({ goto: "echo" })]])(
    "%j is no input of a graph with a state, and leaves no thread behind",
    async (input) => {
      const { runner } = await memoryRunner(echo);
      await expect(runner.start("t", input as never)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
      await expect(runner.inspect("t")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    },
  );

  test("input and context that fail their schema leave the thread as it was", async () => {
    const graph = new StateGraph(z.object({ n: z.number() }), z.object({ user: z.string() }))
      .addNode("a", () => ({}))
      .addEdge(START, "a");
    const { runner } = await memoryRunner(graph);
    const context = { user: "ann" };
    const done = await runner.start("t", { n: 1 }, { context });
    const bad = (start: Promise<unknown>, name: string) =>
      expect(start).rejects.toMatchObject({
        code: "OPTIONS_INVALID",
        message: expect.stringContaining(name) as string,
      });
    await bad(runner.start("t", { n: "one" } as never, { context }), "at n");
    await bad(runner.start("t", { n: 1 }, { context: { user: 7 } }), "at user");
    expect(await runner.inspect("t")).toEqual(done);
    expect(await collect(runner.history("t"))).toHaveLength(3);
  });

  test("what cannot be stored leaves the thread as it was", async () => {
    const { runner } = await memoryRunner(askOnce);
    const circular: { self?: unknown } = {};
    circular.self = circular;
    const refused = { code: "VALUE_UNSERIALIZABLE" };
    await expect(runner.start("t", { log: [circular] })).rejects.toMatchObject(refused);
    await expect(runner.inspect("t")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    const asked = await runner.start("t", {});
    await expect(runner.resume("t", { answer: circular })).rejects.toMatchObject(refused);
    await expect(runner.resume("t", { answer: 1n })).rejects.toMatchObject(refused);
    await expect(runner.update("t", { log: [circular] }, { asNode: "ask" })).rejects.toMatchObject(refused);
    await expect(runner.signal("t", { name: "s", payload: circular })).rejects.toMatchObject(refused);
    expect(await runner.inspect("t")).toEqual(asked);
  });

  test("a node whose result cannot be stored has not run, and its thread can be continued", async () => {
    let value: unknown = 1n;
    const graph = new StateGraph(LogState).addNode("a", () => ({ log: [value] })).addEdge(START, "a");
    const { runner } = await memoryRunner(graph);
    await expect(runner.start("t", {})).rejects.toMatchObject({ code: "VALUE_UNSERIALIZABLE" });
    expect(await runner.inspect("t")).toMatchObject({ status: "ready", next: ["a"], values: { log: [] } });
    value = 1;
    expect((await runner.continue("t")).values.log).toEqual([1]);
  });

  test.each([["text"], [7], [true], [["a"]]])("a node that returns %j is a failed task", async (nonsense) => {
    const graph = new StateGraph(TextLog).addNode("a", () => nonsense as never).addEdge(START, "a");
    const { runner } = await memoryRunner(graph);
    const state = await runner.start("t", { log: "in" });
    expect(state).toMatchObject({ status: "error", next: ["a"], error: { node: "a" }, values: { log: ["in"] } });
  });

  test("a signal that is aborted already stops it before anything is stored", async () => {
    const { runner } = await memoryRunner(echo);
    const signal = AbortSignal.abort(new Error("changed my mind"));
    await expect(runner.start("t", { log: "a" }, { signal })).rejects.toThrow("changed my mind");
    await expect(runner.inspect("t")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
  });
});

describe("runner.resume", () => {
  test("takes a map of answers, and runs all that were answered", async () => {
    const { runner } = await memoryRunner(twoNumbers);
    const { interrupts } = await runner.start("t", {});
    const [left, right] = ["left?", "right?"].map((value) => interrupts.find((one) => one.value === value)!.id);
    const done = await runner.resume("t", { [left!]: 1, [right!]: 2 });
    expect(done.values.log).toEqual(["left 1", "right 2"]);
  });

  test("shows the schema of the answer, and refuses one that does not fit; nothing changes", async () => {
    const { runner } = await memoryRunner(twoNumbers);
    const asked = await runner.start("t", {});
    expect(asked.interrupts[0]).toMatchObject({ kind: "input", node: "left", schema: { type: "number" } });
    await expect(runner.resume("t", { [asked.interrupts[0]!.id]: "one" })).rejects.toMatchObject({
      code: "ANSWER_INVALID",
    });
    expect(await runner.inspect("t")).toEqual(asked);
  });

  test("commits all of the answers or none", async () => {
    const { runner } = await memoryRunner(twoNumbers);
    const asked = await runner.start("t", {});
    const [left, right] = asked.interrupts.map(({ id }) => id);
    const refusals = { ANSWER_INVALID: { [right!]: "two" }, INTERRUPT_NOT_OPEN: { ["0".repeat(32)]: 2 } };
    for (const [code, bad] of Object.entries(refusals)) {
      await expect(runner.resume("t", { [left!]: 1, ...bad })).rejects.toMatchObject({ code });
      expect(await runner.inspect("t")).toEqual(asked);
    }
    await runner.resume("t", { [left!]: 1 });
    await expect(runner.resume("t", { [left!]: 7, [right!]: 2 })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
    expect((await runner.inspect("t")).interrupts.map(({ id }) => id)).toEqual([right]);
    // the same again beside a new one is fine
    expect((await runner.resume("t", { [left!]: 1, [right!]: 2 })).values.log).toEqual(["left 1", "right 2"]);
  });

  test("the same answer again is a no-op, on a finished thread and on the turns after it", async () => {
    const { runner } = await memoryRunner(askOnce);
    const { interrupts } = await runner.start("t", {});
    const answers = { [interrupts[0]!.id]: { deep: [1, { two: null }] } };
    const done = await runner.resume("t", answers);
    expect(await runner.resume("t", answers)).toEqual(done);
    const asked = await runner.start("t", {});
    expect(await runner.resume("t", answers)).toEqual(asked);
    await expect(runner.resume("t", { [interrupts[0]!.id]: { deep: [1] } })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
  });

  test("no answer at all is refused", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.start("t", {});
    for (const none of [{}, undefined, null, "yes", ["yes"]]) {
      await expect(runner.resume("t", none as never)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    }
  });

  test("what only a runner may say is no answer of a person", async () => {
    const { runner } = await memoryRunner(askOnce);
    await runner.start("t", {});
    await expect(runner.resume("t", { answer: { perdure: "due", at: "now" } })).rejects.toMatchObject({
      code: "ANSWER_INVALID",
    });
  });

  test("the code before the question runs again, and the question gets its answer", async () => {
    const runs = vi.fn<() => void>();
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => {
        runs();
        return { log: [String(interrupt(1)), String(interrupt(2)), String(interrupt(3))] };
      })
      .addEdge(START, "ask");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    const ids = new Set<string>();
    for (const answer of ["a", "b", "c"]) {
      const { interrupts } = await runner.inspect("t");
      ids.add(interrupts[0]!.id);
      await runner.resume("t", { answer });
    }
    expect(ids.size).toBe(3);
    expect((await runner.inspect("t")).values.log).toEqual(["a", "b", "c"]);
    expect(runs).toHaveBeenCalledTimes(4);
  });

  test("a node may ask in a loop, as often as it likes", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => {
        const log: string[] = [];
        for (;;) {
          const answer = String(interrupt({ soFar: log.length }));
          if (answer === "stop") return { log };
          log.push(answer);
        }
      })
      .addEdge(START, "ask");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    for (let round = 0; round < 10; round += 1) {
      const { interrupts } = await runner.resume("t", { answer: "same" }); // the same value, ten times: ten answers
      expect(interrupts.map(({ value }) => value)).toEqual([{ soFar: round + 1 }]);
    }
    expect((await runner.resume("t", { answer: "stop" })).values.log).toHaveLength(10);
  });

  test("an interrupt that is caught is asked all the same way again, by a node that lets it through", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("ask", async () => {
        await Promise.resolve();
        return { log: String(interrupt("sure?")) };
      })
      .addNode("after", ({ log }) => ({ log: `after ${log.at(-1)}` }))
      .addEdge(START, "ask")
      .addEdge("ask", "after");
    const { runner } = await memoryRunner(graph);
    const { interrupts } = await runner.start("t", {});
    expect(interrupts).toHaveLength(1);
    expect((await runner.resume("t", { answer: "yes" })).values.log).toEqual(["yes", "after yes"]);
  });

  test("a node that fails after its answer is `error`, keeps the answer, and continue does not ask again", async () => {
    let broken = true;
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => {
        const answer = String(interrupt("sure?"));
        if (broken) throw new Error("disk full");
        return { log: answer };
      })
      .addEdge(START, "ask");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    const failed = await runner.resume("t", { answer: "yes" });
    expect(failed).toMatchObject({ status: "error", interrupts: [], error: { message: "disk full" } });
    expect(await runner.continue("t")).toMatchObject({ status: "error", error: { message: "disk full" } });
    broken = false;
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["yes"] } });
  });
});

describeOnEachCheckpointer("a thread", (store) => {
  test("an answer that is undefined is an answer", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { interrupts } = await runner.start(thread, {});
    const answers = { [interrupts[0]!.id]: undefined };
    const done = await runner.resume(thread, answers);
    expect(done.status).toBe("done");
    expect(done.values.log).toHaveLength(1);
    expect(done.values.log[0] ?? undefined).toBeUndefined();
    expect(await runner.resume(thread, answers)).toEqual(done);
  });

  test("is what it is in another runner of another graph object", async () => {
    const first = createRunner(twoNumbers, { name: "a", checkpointer: store.checkpointer });
    const second = createRunner(twoNumbers.compile(), { name: "b", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await first.start(thread, {});
    expect(await second.inspect(thread)).toEqual(asked);
    await second.resume(thread, { [asked.interrupts[0]!.id]: 1 });
    const done = await first.resume(thread, { answer: 2 });
    expect(done.status).toBe("done");
    expect(await collect(first.history(thread))).toEqual(await collect(second.history(thread)));
  });

  test("holds 1 MB strings and odd characters", async () => {
    const runner = createRunner(echo, { name: "echo", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const long = "x".repeat(1_000_000);
    const odd = "\u{1F600} \u2028 é \uFFFF";
    await runner.start(thread, { log: [long, odd] });
    expect((await runner.inspect(thread)).values.log).toEqual([long, odd, `heard ${odd}`]);
  });

  test("messages, dates and maps come back as they were", async () => {
    const State = Annotation.Root({ at: Annotation<Date>(), seen: Annotation<Set<string>>() });
    const graph = new StateGraph(State).addNode("stamp", () => ({ seen: new Set(["a", "b"]) })).addEdge(START, "stamp");
    const runner = createRunner(graph, { name: "stamp", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, { at: new Date(0) });
    const { values } = await runner.inspect(thread);
    expect(values.seen).toEqual(new Set(["a", "b"]));
  });
});
