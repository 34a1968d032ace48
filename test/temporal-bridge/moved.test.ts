import { Annotation, END, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { Checkpointer, ThreadOwner } from "perdure/checkpoint";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { TextLog } from "../support/text-log.ts";

/** What the nodes of each thread have done, and gates at which they wait. */
class Scene {
  readonly runs = new Map<string, string[]>();
  readonly broken = new Set<string>();
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly aborted = new Set<string>();

  /** Notes that a node runs. */
  note({ configurable }: LangGraphRunnableConfig, what: string): string {
    const thread = String(configurable?.["thread_id"]);
    const runs = this.runs.get(thread) ?? [];
    this.runs.set(thread, [...runs, what]);
    return thread;
  }

  of(thread: string): string[] {
    return this.runs.get(thread) ?? [];
  }

  open(gate: string): void {
    this.#gate(gate).resolve();
  }

  /** Waits until the gate is opened, or the node is to stop. */
  async pass(gate: string, { signal }: LangGraphRunnableConfig): Promise<void> {
    const stopped = new Promise<never>((_resolve, reject) => {
      signal?.addEventListener("abort", () => {
        this.aborted.add(gate);
        reject(signal.reason as Error);
      });
    });
    await Promise.race([this.#gate(gate).promise, stopped]);
  }

  #gate(name: string): PromiseWithResolvers<void> {
    let gate = this.#gates.get(name);
    if (gate === undefined) this.#gates.set(name, (gate = Promise.withResolvers<void>()));
    return gate;
  }
}

const Fan = Annotation.Root({
  ...TextLog.spec,
  thread: Annotation<string>(),
});

function graphsOf(scene: Scene) {
  const asking = new StateGraph(TextLog)
    .addNode("ask", ({ log }, config) => {
      scene.note(config, `ask ${log.length}`);
      const answer = String(interrupt(`round ${log.length}`));
      scene.note(config, `told ${answer}`);
      return { log: answer };
    })
    .addNode("after", (_state, config) => {
      scene.note(config, "after");
      return { log: "after" };
    })
    .addEdge(START, "ask")
    .addConditionalEdges("ask", ({ log }) => (log.length < 3 ? "ask" : "after"), ["ask", "after"]);
  const failing = new StateGraph(TextLog)
    .addNode("good", (_state, config) => {
      scene.note(config, "good");
      return { log: "good" };
    })
    .addNode("work", (_state, config) => {
      if (scene.broken.has(scene.note(config, "work"))) throw new TypeError("it is broken");
      return { log: "work" };
    })
    .addEdge(START, "good")
    .addEdge(START, "work");
  const fan = new StateGraph(Fan)
    .addNode("map", async ({ n, thread }: { readonly n: number; readonly thread: string }, config) => {
      scene.note(config, `map ${n}`);
      await scene.pass(`${thread} ${n}`, config);
      if (scene.broken.has(scene.note(config, `mapped ${n}`))) throw new TypeError("it is broken");
      return { log: `map ${n}` };
    })
    .addNode("sum", ({ log }, config) => {
      scene.note(config, "sum");
      return { log: `sum ${log.length}` };
    })
    .addConditionalEdges(START, ({ thread }) => [1, 2, 3, 4].map((n) => new Send("map", { n, thread })), ["map"])
    .addEdge("map", "sum");
  const waiting = new StateGraph(TextLog)
    .addNode("wait", async (_state, config) => {
      scene.note(config, "wait");
      return { log: await waitForSignal("go", z.string()) };
    })
    .addEdge(START, "wait")
    .addConditionalEdges("wait", ({ log }) => (log.length < 2 ? "wait" : END), ["wait", END]);
  const counting = new StateGraph(TextLog)
    .addNode("count", ({ log }, config) => {
      scene.note(config, "count");
      return { log: `${log.length}` };
    })
    .addEdge(START, "count")
    .addConditionalEdges("count", ({ log }) => (log.length < 8 ? "count" : END), ["count", END]);
  return { asking, failing, fan, waiting, counting, countingInBursts: counting };
}

const me: ThreadOwner = { engine: "in process", name: "test", runId: "me" };

/** All that is stored of a thread. */
async function stored(checkpointer: Checkpointer, id: string): Promise<unknown> {
  const tuples = await collect(checkpointer.list({ configurable: { thread_id: id } }));
  return { tuples, record: await checkpointer.readRecord(id) };
}

describeWithTemporal("a thread that moves", () => {
  const scene = new Scene();
  const graphs = graphsOf(scene);
  let rig: TemporalRig<typeof graphs>;
  beforeAll(async () => {
    rig = await temporalRig(graphs, {
      settings: { fan: { maxParallelActivities: 2 }, countingInBursts: { granularity: "burst" } },
    });
  });
  afterAll(() => rig.stop());

  const runnerOf = <const Name extends keyof typeof graphs>(name: Name) =>
    createRunner(graphs[name], { name, checkpointer: rig.checkpointer });
  const answered = (thread: string) => scene.of(thread).filter((line) => line.startsWith("told"));
  const begun = async (thread: string, what: string): Promise<void> => {
    await expect.poll(() => scene.of(thread), { interval: 10 }).toContain(what);
  };

  it("goes to Temporal and back while it waits, question by question, and takes each answer once", async () => {
    const id = rig.newId();
    const runner = runnerOf("asking");
    const first = await runner.start(id, {});
    expect(first).toMatchObject({ status: "interrupted", interrupts: [{ value: "round 0" }] });

    const run = await rig.executor.execute("asking", { id });
    const handed = await rig.settled(id);
    expect(handed.interrupts).toMatchObject([{ id: first.interrupts[0]!.id, value: "round 0" }]);
    await rig.executor.resume(id, { [first.interrupts[0]!.id]: "by Temporal" });
    await expect
      .poll(async () => (await rig.executor.query(id, "state")).interrupts, { interval: 20 })
      .toMatchObject([{ value: "round 1" }]);
    await rig.executor.release(id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_RELEASED" });
    expect(await run.status()).toBe("released");

    const back = await runner.inspect(id);
    expect(back).toMatchObject({ status: "interrupted", interrupts: [{ value: "round 1" }] });
    await runner.resume(id, { [back.interrupts[0]!.id]: "in process" });

    const again = await rig.executor.execute("asking", { id });
    const [last] = (await rig.settled(id)).interrupts;
    await rig.executor.resume(id, { [last!.id]: "by Temporal again" });
    expect(await again.result()).toEqual({ log: ["by Temporal", "in process", "by Temporal again", "after"] });
    expect(answered(id)).toEqual(["told by Temporal", "told in process", "told by Temporal again"]);
    expect(await runner.inspect(id)).toMatchObject({ status: "done" });
  });

  it("in the middle of a fan-out, from Temporal: what runs is finished there, the rest is run in process", async () => {
    const id = rig.newId();
    const run = await rig.executor.execute("fan", { id, input: { thread: id } });
    await begun(id, "map 1");
    const releasing = rig.executor.release(id);
    for (const n of [1, 2, 3, 4]) scene.open(`${id} ${n}`);
    await releasing;
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_RELEASED" });
    const runner = runnerOf("fan");
    expect(await runner.continue(id)).toMatchObject({
      status: "done",
      values: { log: ["map 1", "map 2", "map 3", "map 4", "sum 4"] },
    });
    expect(scene.of(id).toSorted()).toEqual(
      [1, 2, 3, 4]
        .flatMap((n) => [`map ${n}`, `mapped ${n}`])
        .concat("sum")
        .toSorted(),
    );
  });

  it("in the middle of a fan-out, from a process: finished tasks are not run again", async () => {
    const id = rig.newId();
    const runner = runnerOf("fan");
    const stop = new AbortController();
    const driving = runner.start(id, { thread: id }, { signal: stop.signal }).catch((error: unknown) => error);
    scene.open(`${id} 1`);
    scene.open(`${id} 2`);
    await begun(id, "map 4");
    await expect.poll(async () => (await runner.inspect(id)).tasks.length, { interval: 10 }).toBe(2);
    stop.abort(new Error("moved"));
    await driving;
    scene.open(`${id} 3`);
    scene.open(`${id} 4`);
    const run = await rig.executor.execute("fan", { id });
    expect(await run.result()).toMatchObject({ log: ["map 1", "map 2", "map 3", "map 4", "sum 4"] });
    const counts = [1, 2, 3, 4].map((n) => scene.of(id).filter((line) => line === `map ${n}`).length);
    expect(counts).toEqual([1, 1, 2, 2]);
    expect(scene.of(id).filter((line) => line === "sum")).toHaveLength(1);
  });

  it("that a process still drives is taken over when it lets go, and each node runs once", async () => {
    const id = rig.newId();
    const runner = runnerOf("fan");
    const driving = runner.start(id, { thread: id });
    await begun(id, "map 4");
    const run = await rig.executor.execute("fan", { id });
    for (const n of [1, 2, 3, 4]) scene.open(`${id} ${n}`);
    expect((await driving).status).toBe("done");
    expect(await run.result()).toMatchObject({ log: ["map 1", "map 2", "map 3", "map 4", "sum 4"] });
    expect(scene.of(id).filter((line) => line.startsWith("map "))).toHaveLength(4);
  });

  it.each(["in process", "on Temporal"] as const)(
    "after a failure %s, which is tried again on the other side",
    async (side) => {
      const id = rig.newId();
      const runner = runnerOf("failing");
      scene.broken.add(id);
      if (side === "in process") expect((await runner.start(id, {})).status).toBe("error");
      else {
        const run = await rig.executor.execute("failing", { id, input: {} });
        await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
        expect(await runner.inspect(id)).toMatchObject({ status: "error", error: { name: "TypeError" } });
      }
      scene.broken.delete(id);
      const log =
        side === "in process"
          ? ((await (await rig.executor.execute("failing", { id })).result()) as { log: unknown }).log
          : (await runner.continue(id)).values.log;
      expect(log).toEqual(["good", "work"]);
      expect(scene.of(id).toSorted()).toEqual(["good", "work", "work"]);
    },
  );

  it("after a cancel on Temporal, which stops what runs there, it goes on in process", async () => {
    const id = rig.newId();
    const run = await rig.executor.execute("fan", { id, input: { thread: id } });
    await begun(id, "map 1");
    await rig.executor.cancel(id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    expect(scene.aborted).toContain(`${id} 1`);
    const runner = runnerOf("fan");
    expect((await runner.inspect(id)).status).toBe("cancelled");
    for (const n of [1, 2, 3, 4]) scene.open(`${id} ${n}`);
    expect(await runner.continue(id)).toMatchObject({
      status: "done",
      values: { log: ["map 1", "map 2", "map 3", "map 4", "sum 4"] },
    });
    expect(scene.of(id).filter((line) => line.startsWith("mapped"))).toHaveLength(4);
  });

  it("after a cancel in process it goes on on Temporal", async () => {
    const id = rig.newId();
    const runner = runnerOf("asking");
    const { interrupts } = await runner.start(id, {});
    await runner.cancel(id, "no more");
    const run = await rig.executor.execute("asking", { id });
    expect((await rig.settled(id)).interrupts).toMatchObject([{ id: interrupts[0]!.id }]);
    for (const answer of ["a", "b", "c"]) {
      await expect
        .poll(async () => (await rig.executor.query(id, "state")).interrupts.length, { interval: 20 })
        .toBe(1);
      const { interrupts: open } = await rig.executor.query(id, "state");
      await rig.executor.resume(id, { [open[0]!.id]: answer });
    }
    expect(await run.result()).toEqual({ log: ["a", "b", "c", "after"] });
  });

  it("a turn on each side, one after the other", async () => {
    const id = rig.newId();
    const runner = runnerOf("failing");
    await (await rig.executor.execute("failing", { id, input: { log: "one" } })).result();
    expect((await runner.start(id, { log: "two" })).values.log).toEqual("one good work two good work".split(" "));
    const third = await rig.executor.execute("failing", { id, input: { log: "three" } });
    expect(await third.result()).toEqual({ log: "one good work two good work three good work".split(" ") });
  });

  it("every call of a runner on a thread that Temporal owns is refused, and changes nothing", async () => {
    const id = rig.newId();
    const run = await rig.executor.execute("asking", { id, input: {} });
    const [question] = (await rig.settled(id)).interrupts;
    const before = await stored(rig.checkpointer, id);
    const runner = runnerOf("asking");
    const [{ checkpointId } = { checkpointId: "" }] = await collect(runner.history(id));
    const config = { configurable: { thread_id: id } };
    const calls: Record<string, () => Promise<unknown>> = {
      resume: () => runner.resume(id, { [question!.id]: "wrong side" }),
      "resume by a bare answer": () => runner.resume(id, { answer: "wrong side" }),
      "resume without driving": () => runner.resume(id, { [question!.id]: "wrong side" }, { drive: false }),
      signal: () => runner.signal(id, { name: "go", payload: "wrong side" }),
      start: () => runner.start(id, { log: "wrong side" }),
      supersede: () => runner.start(id, { log: "wrong side" }, { supersede: true }),
      continue: () => runner.continue(id),
      "continue what is due": () => runner.continue(id, { due: [question!.id], drive: false }),
      step: () => runner.step(id),
      update: () => runner.update(id, { log: "wrong side" }, { asNode: "ask" }),
      fork: () => runner.fork(id, { checkpointId }),
      cancel: () => runner.cancel(id, "wrong side"),
      claim: () => runner.claim(id, { owner: me }),
      "resume for somebody else": () => runner.resume(id, { [question!.id]: "wrong side" }, { owner: me }),
      "cancel for somebody else": () => runner.cancel(id, "wrong side", { owner: me }),
      stream: () => collect(runner.stream(id, { resume: { [question!.id]: "wrong side" } })),
      invoke: () => runner.asRunnable().invoke(null, config),
      "invoke with an input": () => runner.asRunnable().invoke({ log: "wrong side" }, config),
    };
    for (const [name, call] of Object.entries(calls)) {
      await expect(call(), name).rejects.toMatchObject({ code: "THREAD_OWNED" });
      expect(await stored(rig.checkpointer, id), name).toEqual(before);
    }
    expect((await runner.release(id, { owner: me })).status).toBe("interrupted");
    expect(await stored(rig.checkpointer, id)).toEqual(before);
    await expect(runner.inspect(id)).resolves.toMatchObject({ interrupts: [{ id: question!.id }] });
    await rig.executor.cancel(id);
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    expect(answered(id)).toEqual([]);
  });

  it("answers, signals and cancels by the executor are refused for a thread that Temporal does not drive", async () => {
    const id = rig.newId();
    const runner = runnerOf("asking");
    const { interrupts } = await runner.start(id, {});
    const name = interrupts[0]!.id;
    const before = await stored(rig.checkpointer, id);
    for (const call of [
      () => rig.executor.resume(id, { [name]: "wrong side" }),
      () => rig.executor.signal(id, { name: "go" }),
      () => rig.executor.query(id, "state"),
      () => rig.executor.cancel(id),
      () => rig.executor.release(id),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    }
    expect(await stored(rig.checkpointer, id)).toEqual(before);

    await rig.executor.execute("asking", { id });
    await rig.settled(id);
    await rig.executor.release(id);
    const released = await stored(rig.checkpointer, id);
    await expect(rig.executor.resume(id, { [name]: "wrong side" })).rejects.toMatchObject({
      code: "INTERRUPT_NOT_OPEN",
      message: expect.stringContaining("is over (released)") as string,
      hint: expect.stringContaining("answer by the runner that drives it now") as string,
    });
    for (const call of [() => rig.executor.signal(id, { name: "go" }), () => rig.executor.release(id)]) {
      await expect(call()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    }
    expect(await stored(rig.checkpointer, id)).toEqual(released);
    expect(await runner.resume(id, { [name]: "right side" })).toMatchObject({ interrupts: [{ value: "round 1" }] });
    expect(answered(id)).toEqual(["told right side"]);
  });

  it("an answer that was given on one side is known on the other", async () => {
    const id = rig.newId();
    const runner = runnerOf("asking");
    const { interrupts } = await runner.start(id, {});
    const name = interrupts[0]!.id;
    await runner.resume(id, { [name]: "mine" });
    await rig.executor.execute("asking", { id });
    expect((await rig.settled(id)).interrupts).toMatchObject([{ value: "round 1" }]);
    const before = await stored(rig.checkpointer, id);
    await expect(rig.executor.resume(id, { [name]: "another" })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
    await rig.executor.resume(id, { [name]: "mine" });
    expect(await stored(rig.checkpointer, id)).toEqual(before);

    const [second] = (await rig.settled(id)).interrupts;
    await rig.executor.resume(id, { [name]: "mine", [second!.id]: "by Temporal" });
    await expect
      .poll(async () => (await rig.executor.query(id, "state")).interrupts, { interval: 20 })
      .toMatchObject([{ value: "round 2" }]);
    await rig.executor.release(id);
    await rig.executor.resume(id, { [second!.id]: "by Temporal" });
    const given = { [name]: "mine", [second!.id]: "by Temporal" };
    expect(await runner.resume(id, given)).toMatchObject({ interrupts: [{ value: "round 2" }] });
    expect(answered(id)).toEqual(["told mine", "told by Temporal"]);
  });

  it("taken over by force while a node runs on Temporal: it is stopped, its result shut out, and the run fails", async () => {
    const id = rig.newId();
    const run = await rig.executor.execute("fan", { id, input: { thread: id } });
    await begun(id, "map 1");
    const runner = runnerOf("fan");
    await expect(runner.claim(id, { owner: me })).rejects.toMatchObject({ code: "THREAD_OWNED" });
    await runner.claim(id, { owner: me, takeOver: true });
    expect(scene.aborted).toContain(`${id} 1`);
    for (const n of [1, 2, 3, 4]) scene.open(`${id} ${n}`);
    await expect(run.result()).rejects.toMatchObject({ code: "THREAD_OWNED" });
    expect(await run.status()).toBe("error");
    expect((await rig.checkpointer.readRecord(id))!.owner).toEqual(me);
    await expect(runner.continue(id)).rejects.toMatchObject({ code: "THREAD_OWNED" });
    expect(await runner.continue(id, { owner: me })).toMatchObject({
      status: "done",
      values: { log: ["map 1", "map 2", "map 3", "map 4", "sum 4"] },
    });
    expect(scene.of(id).filter((line) => line === "sum")).toHaveLength(1);
  });

  it("taken over by force while it waits: an answer by the executor is refused, and a cancel leaves the thread alone", async () => {
    const id = rig.newId();
    const run = await rig.executor.execute("asking", { id, input: {} });
    const [question] = (await rig.settled(id)).interrupts;
    const runner = runnerOf("asking");
    await runner.claim(id, { owner: me, takeOver: true });
    const before = await stored(rig.checkpointer, id);
    await expect(rig.executor.resume(id, { [question!.id]: "wrong side" })).rejects.toMatchObject({
      code: "THREAD_OWNED",
    });
    await rig.executor.cancel(id).catch(() => {}); // it may have failed already
    await expect(run.result()).rejects.toMatchObject({
      code: expect.stringMatching(/RUN_CANCELLED|THREAD_OWNED/) as string,
    });
    expect(await stored(rig.checkpointer, id)).toEqual(before);
    const next = await runner.resume(id, { [question!.id]: "mine" }, { owner: me });
    expect(next).toMatchObject({ status: "interrupted", interrupts: [{ value: "round 1" }] });
    expect(answered(id)).toEqual(["told mine"]);
  });

  it("given back by the one who took it, another run of Temporal's may have it again", async () => {
    const id = rig.newId();
    const shutOut = await rig.executor.execute("asking", { id, input: {} });
    await rig.settled(id);
    const runner = runnerOf("asking");
    await runner.claim(id, { owner: me, takeOver: true });
    await runner.resume(id, { answer: "a" }, { owner: me });
    await runner.release(id, { owner: me });
    // the run that was shut out stays so
    const [question] = (await runner.inspect(id)).interrupts;
    await expect(rig.executor.resume(id, { [question!.id]: "by the old run" })).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:INTERRUPT_NOT_OPEN|THREAD_OWNED)$/) as string,
    });
    await rig.executor.cancel(id).catch(() => {});
    await shutOut.result().catch(() => {});
    const run = await rig.executor.execute("asking", { id });
    for (const answer of ["b", "c"]) {
      await expect
        .poll(async () => (await rig.executor.query(id, "state")).interrupts.length, { interval: 20 })
        .toBe(1);
      const { interrupts } = await rig.executor.query(id, "state");
      await rig.executor.resume(id, { [interrupts[0]!.id]: answer });
    }
    expect(await run.result()).toEqual({ log: ["a", "b", "c", "after"] });
  });

  it("an answer in the moment of the hand-over is taken on one side or refused, and is there once", async () => {
    const runner = runnerOf("asking");
    const sides = new Set<string>();
    const rounds = Array.from({ length: 8 }, async (_, round) => {
      const id = rig.newId();
      const { interrupts } = await runner.start(id, {});
      const name = interrupts[0]!.id;
      const executing = rig.executor.execute("asking", { id });
      if (round % 2 === 1) await executing;
      const given = await runner.resume(id, { [name]: "P" }).then(
        () => "taken",
        (error: { code?: string }) => error.code,
      );
      sides.add(String(given));
      await executing;
      const state = await rig.settled(id);
      if (given === "taken") expect(state.interrupts).toMatchObject([{ value: "round 1" }]);
      else {
        expect(given).toBe("THREAD_OWNED");
        await rig.executor.resume(id, { [name]: "T" });
        await expect
          .poll(async () => (await rig.executor.query(id, "state")).interrupts, { interval: 20 })
          .toMatchObject([{ value: "round 1" }]);
      }
      expect(answered(id)).toEqual([given === "taken" ? "told P" : "told T"]);
      await rig.executor.cancel(id);
    });
    await Promise.all(rounds);
    expect([...sides].every((side) => side === "taken" || side === "THREAD_OWNED")).toBe(true);
  });

  it("a signal that comes while the thread is being given back is kept with it", async () => {
    const id = rig.newId();
    const runner = runnerOf("waiting");
    await rig.executor.execute("waiting", { id, input: {} });
    await rig.settled(id);
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const { checkpointer } = rig;
    const updateRecord = checkpointer.updateRecord.bind(checkpointer);
    const spy = vi.spyOn(checkpointer, "updateRecord").mockImplementation(async (threadId, change) => {
      if (threadId === id) {
        reached.resolve();
        await goOn.promise;
      }
      return updateRecord(threadId, change);
    });
    const releasing = rig.executor.release(id);
    await reached.promise;
    await rig.executor.signal(id, { name: "go", payload: "meanwhile" });
    goOn.resolve();
    await releasing;
    spy.mockRestore();
    expect((await runner.continue(id)).values.log).toEqual(["meanwhile"]);
  });

  it.each(["fails", "is cancelled"])(
    "a signal that nobody has asked for is kept with the thread when the run %s",
    async (how) => {
      const id = rig.newId();
      const run = await rig.executor.execute("fan", { id, input: { thread: id } });
      await begun(id, "map 1");
      await rig.executor.signal(id, { name: "later", payload: 1, id: "s1" });
      if (how === "fails") {
        scene.broken.add(id);
        for (const n of [1, 2, 3, 4]) scene.open(`${id} ${n}`);
      } else await rig.executor.cancel(id);
      await expect(run.result()).rejects.toMatchObject({ code: how === "fails" ? "RUN_FAILED" : "RUN_CANCELLED" });
      expect((await rig.checkpointer.readRecord(id))!.signals).toMatchObject([{ id: "s1", name: "later", payload: 1 }]);
    },
  );

  it("a signal that was on its way to the thread when the run was cancelled is kept with it", async () => {
    const { checkpointer } = rig;
    const taskQueue = `away-${rig.newId()}`;
    const { asking } = graphs;
    const first = await temporalRig({ asking }, { checkpointer, taskQueue });
    const id = rig.newId();
    const run = await first.executor.execute("asking", { id, input: {} });
    await first.settled(id);
    await first.stop();
    // with no worker there, the next one gets both at once
    await rig.client.workflow.getHandle(id).signal("signal", { id: "s1", name: "later", payload: 1 });
    await rig.client.workflow.getHandle(id).cancel();
    const second = await temporalRig({ asking }, { checkpointer, taskQueue });
    await expect(second.executor.get(run.id).result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
    expect((await checkpointer.readRecord(id))!.signals).toMatchObject([{ id: "s1", name: "later", payload: 1 }]);
    await second.stop();
  });

  it("an input for a thread that waits in process is refused, and the thread is as it was, until it is to be dropped", async () => {
    const id = rig.newId();
    const runner = runnerOf("asking");
    const { interrupts } = await runner.start(id, {});
    const before = await stored(rig.checkpointer, id);
    const refused = await rig.executor.execute("asking", { id, input: { log: "another" } });
    await expect(refused.result()).rejects.toMatchObject({ code: "THREAD_INTERRUPTED" });
    expect(await refused.status()).toBe("error");
    expect(await stored(rig.checkpointer, id)).toEqual(before);

    await rig.executor.execute("asking", { id, input: { log: "another" }, supersede: true });
    expect((await rig.settled(id)).interrupts).toMatchObject([{ value: "round 1" }]);
    await expect(rig.executor.resume(id, { [interrupts[0]!.id]: "late" })).rejects.toMatchObject({
      code: "INTERRUPT_NOT_OPEN",
    });
    await rig.executor.cancel(id);
    expect(answered(id)).toEqual([]);
  });

  it("what there is not can't be gone on with", async () => {
    const id = rig.newId();
    const run = await rig.executor.execute("asking", { id });
    await expect(run.result()).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    expect(await stored(rig.checkpointer, id)).toEqual({ tuples: [], record: undefined });
  });

  it.each(["counting", "countingInBursts"] as const)(
    "when its supersteps are used up (%s), a process goes on with more",
    async (name) => {
      const id = rig.newId();
      const run = await rig.executor.execute(name, { id, input: {}, maxSteps: 4 });
      await expect(run.result()).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
      const runner = runnerOf(name);
      const stopped = await runner.inspect(id);
      expect(stopped).toMatchObject({ status: "ready", values: { log: ["0", "1", "2", "3"] } });
      await expect(runner.continue(id)).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
      expect((await runner.continue(id, { maxSteps: 20 })).values.log).toHaveLength(8);
      expect(scene.of(id)).toHaveLength(8);
    },
  );

  it("signals sent around a release all arrive, each once", async () => {
    const id = rig.newId();
    const runner = runnerOf("waiting");
    await rig.executor.execute("waiting", { id, input: {} });
    await rig.settled(id);
    const releasing = rig.executor.release(id);
    const sent = await Promise.all(
      Array.from({ length: 6 }, async (_, n) =>
        rig.executor.signal(id, { name: "go", payload: `s${n}`, id: `s${n}` }).then(
          () => `s${n}`,
          () => undefined,
        ),
      ),
    );
    await releasing;
    const taken = sent.filter((name) => name !== undefined);
    const state = await runner.continue(id);
    const kept = (await rig.checkpointer.readRecord(id))!.signals.map((signal) => signal.id);
    expect([...state.values.log, ...kept].toSorted()).toEqual(taken.toSorted());
  });
});
