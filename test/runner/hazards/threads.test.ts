/** H6–H8, H16, H17: who may drive a thread, from where, and for how long. */
import { Command, END, MemorySaver, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import { describe, expect, test, vi } from "vitest";
import { describeOnEachCheckpointer } from "../../support/describe-on-each-checkpointer.ts";
import { langgraphSince } from "../../support/langgraph-since.ts";
import { TextLog } from "../../support/text-log.ts";

/** Repeats what it was sent, once everybody whom it waits for has arrived. */
function echo(until: Promise<unknown> = Promise.resolve()) {
  return new StateGraph(TextLog)
    .addNode("echo", async ({ log }) => {
      await until;
      return { log: `heard ${log.at(-1)}` };
    })
    .addEdge(START, "echo");
}

const askOnce = new StateGraph(TextLog)
  .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
  .addEdge(START, "ask");

/** Goes round for ever. */
const loop = new StateGraph(TextLog)
  .addNode("work", ({ log }) => ({ log: `round ${log.length + 1}` }))
  .addEdge(START, "work")
  .addConditionalEdges("work", () => "work", { work: "work", end: END });

/** Two siblings, of which the first finishes at once and the second waits for a person. */
function halfDone() {
  const runs: string[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("charge", () => {
      runs.push("charge");
      return { log: "charged" };
    })
    .addNode("ask", () => ({ log: String(interrupt("sure?")) }))
    .addEdge(START, "charge")
    .addEdge(START, "ask");
  return { graph, runs };
}

/** Three tasks side by side and what comes after them. */
function fanOut() {
  const runs: string[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("work", (input: unknown) => {
      runs.push(String(input));
      return { log: String(input) };
    })
    .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
    .addConditionalEdges(START, () => ["a", "b", "c"].map((name) => new Send("work", name)))
    .addEdge("work", "after");
  return { graph, runs };
}

describe("plain LangGraph", () => {
  const config = { configurable: { thread_id: "plain" } };

  test("H6: loses two of three inputs that come at the same time", async () => {
    const graph = echo().compile({ checkpointer: new MemorySaver() });
    await Promise.all(["a", "b", "c"].map((log) => graph.invoke({ log }, config)));
    expect((await graph.getState(config)).values.log).toHaveLength(2);
  });

  test("H7: drops the question when new input comes", async () => {
    const graph = askOnce.compile({ checkpointer: new MemorySaver() });
    await graph.invoke({ log: "a" }, config);
    const before = await graph.getState(config);
    await graph.invoke({ log: "b" }, config);
    const after = await graph.getState(config);
    expect(after.tasks).toHaveLength(1);
    expect(after.tasks[0]?.id).not.toBe(before.tasks[0]?.id);
  });

  test("H8: counts its limit anew on every call", async () => {
    const graph = loop.compile({ checkpointer: new MemorySaver() });
    const limited = { ...config, recursionLimit: 3 };
    await expect(graph.invoke({}, limited)).rejects.toThrow("Recursion limit");
    const once = (await graph.getState(config)).values.log.length;
    await expect(graph.invoke(null, limited)).rejects.toThrow("Recursion limit");
    expect((await graph.getState(config)).values.log.length).toBeGreaterThan(once);
  });

  test("H16: before 1.5 runs a finished sibling again when it is driven by the head's own checkpoint_id", async () => {
    const { graph, runs } = halfDone();
    const compiled = graph.compile({ checkpointer: new MemorySaver() });
    await compiled.invoke({}, config);
    await compiled.invoke(new Command({ resume: "yes" }), (await compiled.getState(config)).config);
    expect(runs).toEqual(langgraphSince(5) ? ["charge"] : ["charge", "charge"]);
  });

  test("H17: has no next nodes and is not done, when it dies before the commit of the superstep", async () => {
    const { graph } = fanOut();
    const saver = new MemorySaver();
    const compiled = graph.compile({ checkpointer: saver });
    const put = vi.spyOn(saver, "put");
    put.mockImplementation(async (...args) => {
      if (args[2].step === 1) throw new Error("SIGKILL");
      return MemorySaver.prototype.put.apply(saver, args);
    });
    await expect(compiled.invoke({}, { ...config, durability: "sync" })).rejects.toThrow("SIGKILL");
    put.mockRestore();
    expect((await compiled.getState(config)).next).toEqual([]);
    expect((await compiled.invoke(null, config)).log.at(-1)).toBe("after 3");
  });
});

describeOnEachCheckpointer("the runner", (store) => {
  test("H6: of three inputs at the same time one is taken, and the others are told THREAD_BUSY", async () => {
    const open = Promise.withResolvers<void>();
    const runner = createRunner(echo(open.promise), { name: "echo", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const starts = ["a", "b", "c"].map((log) => runner.start(thread, { log }));
    let refusals = 0;
    for (const start of starts) {
      start.catch(() => {
        refusals += 1;
        if (refusals === 2) open.resolve();
      });
    }

    const outcomes = await Promise.allSettled(starts);
    const taken = outcomes.filter(({ status }) => status === "fulfilled");
    expect(taken).toHaveLength(1);
    const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    expect(refused).toMatchObject([{ code: "THREAD_BUSY" }, { code: "THREAD_BUSY" }]);
    expect((await runner.inspect(thread)).values.log).toHaveLength(2);
  });

  test("H6: with whenBusy enqueue each of three inputs gets its turn", async () => {
    const runner = createRunner(echo(), { name: "echo", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const inputs = ["a", "b", "c"];
    await Promise.all(inputs.map((log) => runner.start(thread, { log }, { whenBusy: "enqueue" })));
    const { values } = await runner.inspect(thread);
    expect(values.log).toHaveLength(6);
    for (const input of inputs) expect(values.log[values.log.indexOf(input) + 1]).toBe(`heard ${input}`);
  });

  test("H7: new input to an interrupted thread is refused, and the question stays", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, { log: "a" });
    await expect(runner.start(thread, { log: "b" })).rejects.toMatchObject({ code: "THREAD_INTERRUPTED" });
    expect(await runner.inspect(thread)).toEqual(asked);
  });

  test("H7: supersede drops the question, and says so in the thread's record", async () => {
    const runner = createRunner(askOnce, { name: "ask", checkpointer: store.checkpointer, now: () => 1_000 });
    const thread = store.newThread();
    const { interrupts } = await runner.start(thread, { log: "a" });
    const asked = await runner.start(thread, { log: "b" }, { supersede: true });
    expect(asked.status).toBe("interrupted");
    expect(asked.values.log).toEqual(["a", "b"]);
    expect((await store.checkpointer.readRecord(thread))?.superseded).toEqual([
      { interruptIds: [interrupts[0]!.id], at: "1970-01-01T00:00:01.000Z" },
    ]);
  });

  test("H8: the limit of supersteps is over the whole run, and no work is lost to it", async () => {
    const runner = createRunner(loop, { name: "loop", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const stopped = await runner.start(thread, {}, { maxSteps: 3 });
    expect(stopped.status).toBe("ready");
    expect(stopped.values.log).toEqual(["round 1", "round 2", "round 3"]);

    await expect(runner.continue(thread)).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
    expect(await runner.inspect(thread)).toEqual(stopped);
    expect((await runner.continue(thread, { maxSteps: 5 })).values.log).toHaveLength(5);
    await expect(runner.continue(thread)).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
    // a new turn counts anew, and that is the only way to
    const next = await runner.start(thread, { log: "turn" }, { supersede: true, maxSteps: 2 });
    expect(next.values.log).toHaveLength(5 + 1 + 2);
  });

  test("H16: a finished sibling never runs again, however the thread is taken up", async () => {
    const { graph, runs } = halfDone();
    const runner = createRunner(graph, { name: "half", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { checkpointId } = await runner.start(thread, {});
    await runner.continue(thread);
    const byId = { configurable: { thread_id: thread, checkpoint_id: checkpointId } };
    await expect(runner.asRunnable().invoke(null, byId)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await runner.resume(thread, { answer: "yes" });
    expect(runs).toEqual(["charge"]);
  });

  test("H16: a fork of a half-done superstep is refused unless it is asked for", async () => {
    const { graph, runs } = halfDone();
    const runner = createRunner(graph, { name: "half", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, {});
    const { checkpointId } = asked;
    await expect(runner.fork(thread, { checkpointId })).rejects.toMatchObject({ code: "FORK_HALF_DONE" });
    expect(await runner.inspect(thread)).toEqual(asked);

    await runner.fork(thread, { checkpointId, repeatFinished: true });
    expect(runs).toEqual(["charge"]); // forking runs nothing
    const again = await runner.continue(thread);
    expect(again.status).toBe("interrupted");
    expect(runs).toEqual(["charge", "charge"]);
  });

  test("H17: a thread is done only when it has no tasks", async () => {
    const { graph, runs } = fanOut();
    const runner = createRunner(graph, { name: "fan-out", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { checkpointer } = store;
    const put = vi.spyOn(checkpointer, "put");
    put.mockImplementation(async (...args) => {
      if (args[2].step === 1) throw new Error("SIGKILL");
      return Object.getPrototypeOf(checkpointer).put.apply(checkpointer, args);
    });
    await expect(runner.start(thread, {})).rejects.toThrow("SIGKILL");
    put.mockRestore();

    const state = await runner.inspect(thread);
    expect(state).toMatchObject({ status: "ready", step: 0, next: [], tasks: [] });
    expect(state.values.log.toSorted()).toEqual(["a", "b", "c"]);
    const done = await runner.continue(thread);
    expect(done.status).toBe("done");
    expect(done.values.log.at(-1)).toBe("after 3");
    expect(runs.toSorted()).toEqual(["a", "b", "c"]);
  });
});
