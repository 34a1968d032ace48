/** I4: driving a thread is exclusive; committing an answer or a signal never waits. */
import { START, StateGraph, interrupt } from "@langchain/langgraph";
import { isPerdureError } from "perdure/errors";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import type { ThreadState } from "perdure/runner";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** A question, and beside it work that lasts as long as the test says. */
function askBesideWork() {
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const runs: string[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("ask", () => {
      runs.push("ask");
      return { log: `told ${String(interrupt("sure?"))}` };
    })
    .addNode("wait", async () => {
      runs.push("wait");
      return { log: `signalled ${await waitForSignal("go", z.string())}` };
    })
    .addNode("work", async () => {
      runs.push("work");
      begun.resolve();
      await release.promise;
      return { log: "worked" };
    })
    .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
    .addEdge(START, "ask")
    .addEdge(START, "wait")
    .addEdge(START, "work")
    .addEdge(["ask", "wait", "work"], "after");
  return { graph, begun: begun.promise, release: () => release.resolve(), runs };
}

const questionOf = ({ interrupts }: Pick<ThreadState, "interrupts">) =>
  interrupts.find(({ kind }) => kind === "input")!.id;

describe("while a thread is driven", () => {
  test("start, continue, update and fork are THREAD_BUSY", async () => {
    const { graph, begun, release } = askBesideWork();
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await begun;
    const busy = { code: "THREAD_BUSY" };
    const { checkpointId } = await runner.inspect("t");
    await expect(runner.start("t", {})).rejects.toMatchObject(busy);
    await expect(runner.start("t", {}, { supersede: true })).rejects.toMatchObject(busy);
    await expect(runner.continue("t")).rejects.toMatchObject(busy);
    await expect(runner.update("t", { log: "x" })).rejects.toMatchObject(busy);
    await expect(runner.fork("t", { checkpointId })).rejects.toMatchObject(busy);
    release();
    expect((await started).values.log).toEqual(["worked"]);
  });

  test("inspect and history wait for nobody", async () => {
    const { graph, begun, release } = askBesideWork();
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await begun;
    expect((await runner.inspect("t")).status).toBe("ready");
    expect(await collect(runner.history("t"))).toHaveLength(2);
    release();
    await started;
  });

  test("whenBusy enqueue waits its turn: first come, first served", async () => {
    const open = Promise.withResolvers<void>();
    const graph = new StateGraph(TextLog)
      .addNode("echo", async ({ log }) => {
        await open.promise;
        return { log: `heard ${log.at(-1)}` };
      })
      .addEdge(START, "echo");
    const { runner } = await memoryRunner(graph);
    const turns = ["a", "b", "c", "d"].map((log) => runner.start("t", { log }, { whenBusy: "enqueue" }));
    const looked = runner.continue("t", { whenBusy: "enqueue" }).catch((error: unknown) => error);
    open.resolve();
    const lengths = (await Promise.all(turns)).map(({ values }) => values.log.length);
    expect(lengths).toEqual([2, 4, 6, 8]);
    expect((await runner.inspect("t")).values.log).toEqual(
      ["a", "b", "c", "d"].flatMap((log) => [log, `heard ${log}`]),
    );
    // it was called before the thread existed
    expect(await looked).toMatchObject({ code: "THREAD_NOT_FOUND" });
  });

  test("a refused turn behind another one is refused when its time has come, not before", async () => {
    const { graph, begun, release } = askBesideWork();
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await begun;
    const second = runner.start("t", { log: "b" }, { whenBusy: "enqueue" });
    release();
    const asked = await started;
    await expect(second).rejects.toMatchObject({ code: "THREAD_INTERRUPTED" });
    expect(await runner.inspect("t")).toEqual(asked);
  });
});

describeOnEachCheckpointer("a call that finds a thread busy", (store) => {
  test("lets whoever drives it go on, made again and again without a pause", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("work", async () => {
        await new Promise(setImmediate);
        return { log: "worked" };
      })
      .addEdge(START, "work");
    const runner = createRunner(graph, { name: "driver", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const started = runner.start(thread, {});
    let state: ThreadState | undefined;
    for (let calls = 0; state === undefined && calls < 1_000; calls += 1) {
      state = await runner.continue(thread).catch((error: unknown) => {
        if (!isPerdureError(error, "THREAD_BUSY") && !isPerdureError(error, "THREAD_NOT_FOUND")) throw error;
        return undefined;
      });
    }
    expect(state).toMatchObject({ status: "done", values: { log: ["worked"] } });
    expect(await started).toEqual(state);
  });
});

describeOnEachCheckpointer("an answer while siblings run", (store) => {
  let other: typeof store.checkpointer;
  beforeAll(async () => {
    other = (await store.openAgain()) ?? store.checkpointer;
  });

  test("is committed at once, and whoever drives the thread takes it up", async () => {
    const { graph, begun, release, runs } = askBesideWork();
    const runner = createRunner(graph, { name: "driver", checkpointer: store.checkpointer });
    const desk = createRunner(graph, { name: "desk", checkpointer: other });
    const thread = store.newThread();
    const started = runner.start(thread, {});
    await begun;
    await expect.poll(async () => (await desk.inspect(thread)).interrupts).toHaveLength(2);

    const answered = await desk.resume(thread, { [questionOf(await desk.inspect(thread))]: "yes" });
    expect(answered.interrupts.map(({ kind }) => kind)).toEqual(["signal"]);
    expect(answered.values.log).toEqual([]); // it did not run the node itself
    await desk.signal(thread, { name: "go", payload: "now" });
    release();

    const done = await started;
    expect(done).toMatchObject({ status: "done", interrupts: [] });
    expect(done.values.log.toSorted()).toEqual(["after 3", "signalled now", "told yes", "worked"]);
    expect(runs.filter((run) => run === "work")).toHaveLength(1);
  });

  test("that comes after the driver's last look and before it lets go is taken up too", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: `told ${String(interrupt("sure?"))}` }))
      .addEdge(START, "ask");
    const thread = store.newThread();
    const desk = createRunner(graph, { name: "desk", checkpointer: other });
    const answers: ThreadState[] = [];
    const lockThread = store.checkpointer.lockThread.bind(store.checkpointer);
    const spy = vi.spyOn(store.checkpointer, "lockThread").mockImplementationOnce(async (...args) => {
      const lock = await lockThread(...args);
      const release = lock!.release.bind(lock);
      return Object.assign(lock!, {
        release: async () => {
          answers.push(await desk.resume(thread, { answer: "yes" }));
          await release();
        },
      });
    });
    const runner = createRunner(graph, { name: "driver", checkpointer: store.checkpointer });
    const state = await runner.start(thread, {});
    spy.mockRestore();
    expect(answers).toMatchObject([{ status: "ready", interrupts: [] }]); // committed, and found busy
    expect(state).toMatchObject({ status: "done", values: { log: ["told yes"] } });
  });

  test("with whenBusy enqueue waits, and returns the thread after it", async () => {
    const { graph, begun, release } = askBesideWork();
    const runner = createRunner(graph, { name: "driver", checkpointer: store.checkpointer });
    const desk = createRunner(graph, { name: "desk", checkpointer: other });
    const thread = store.newThread();
    const started = runner.start(thread, {});
    await begun;
    await expect.poll(async () => (await desk.inspect(thread)).interrupts).toHaveLength(2);
    await desk.signal(thread, { name: "go", payload: "now" });
    const answers = { [questionOf(await desk.inspect(thread))]: "yes" };
    const resumed = desk.resume(thread, answers, { whenBusy: "enqueue" });
    release();
    expect(await resumed).toMatchObject({ status: "done" });
    expect((await started).values.log).toContain("worked");
  });

  test("of two different ones at the same time one is taken and the other is told so", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: `told ${String(interrupt("sure?"))}` }))
      .addEdge(START, "ask");
    const thread = store.newThread();
    const runners = [store.checkpointer, other].map((checkpointer) => createRunner(graph, { name: "r", checkpointer }));
    const { interrupts } = await runners[0]!.start(thread, {});
    const outcomes = await Promise.allSettled(
      ["yes", "no"].map((answer, index) => runners[index]!.resume(thread, { [interrupts[0]!.id]: answer })),
    );
    const taken = outcomes.findIndex(({ status }) => status === "fulfilled");
    const refused = outcomes.find(({ status }) => status === "rejected") as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: "INTERRUPT_ALREADY_ANSWERED" });
    const done = await runners[0]!.continue(thread, { whenBusy: "enqueue" });
    expect(done).toMatchObject({ status: "done", values: { log: [`told ${["yes", "no"][taken]}`] } });
  });

  test("the same one sent ten times at once is taken once", async () => {
    let runs = 0;
    const graph = new StateGraph(TextLog)
      .addNode("ask", () => {
        const log = `told ${String(interrupt("sure?"))}`;
        runs += 1;
        return { log };
      })
      .addEdge(START, "ask");
    const thread = store.newThread();
    const runners = [store.checkpointer, other].map((checkpointer) => createRunner(graph, { name: "r", checkpointer }));
    const { interrupts } = await runners[0]!.start(thread, {});
    const answers = { [interrupts[0]!.id]: "yes" };
    await Promise.all(Array.from({ length: 10 }, (_, index) => runners[index % 2]!.resume(thread, answers)));
    const done = await runners[0]!.continue(thread, { whenBusy: "enqueue" });
    expect(done).toMatchObject({ status: "done", values: { log: ["told yes"] } });
    expect(runs).toBe(1);
  });
});
