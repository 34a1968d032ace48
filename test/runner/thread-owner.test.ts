import { START, StateGraph, interrupt } from "@langchain/langgraph";
import type { Checkpointer, ThreadOwner } from "perdure/checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

const owner = (runId: string, name = "flow-1", engine = "temporal"): ThreadOwner => ({ engine, name, runId });

const asking = () => {
  const runs: string[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("ask", () => {
      const answer = String(interrupt("sure?"));
      runs.push(answer);
      return { log: answer };
    })
    .addNode("after", () => {
      runs.push("after");
      return { log: "after" };
    })
    .addEdge(START, "ask")
    .addEdge("ask", "after");
  return { graph, runs };
};

/** All that is stored of a thread. */
async function stored(checkpointer: Checkpointer, id: string): Promise<unknown> {
  const tuples = await collect(checkpointer.list({ configurable: { thread_id: id } }));
  return { tuples, record: await checkpointer.readRecord(id) };
}

describeOnEachCheckpointer("a thread that has an owner", (store) => {
  /** A thread that waits for an answer and is the owner's, and a runner for it. */
  async function owned(by: ThreadOwner) {
    const { graph, runs } = asking();
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const state = await runner.start(thread, {});
    const claimed = await runner.claim(thread, { owner: by });
    expect(claimed).toEqual(state);
    return { graph, runner, runs, thread, question: state.interrupts[0]!.id };
  }

  test("takes no call but its owner's, and is left as it was by others", async () => {
    const { runner, thread, question } = await owned(owner("a"));
    const before = await stored(store.checkpointer, thread);
    const [{ checkpointId } = { checkpointId: "" }] = await collect(runner.history(thread));
    for (const by of [undefined, owner("b"), owner("a", "flow-2"), owner("a", "flow-1", "other")]) {
      const options = by === undefined ? {} : { owner: by };
      const calls: Record<string, () => Promise<unknown>> = {
        resume: () => runner.resume(thread, { [question]: "no" }, options),
        signal: () => runner.signal(thread, { name: "go" }, options),
        start: () => runner.start(thread, {}, { ...options, supersede: true }),
        continue: () => runner.continue(thread, options),
        step: () => runner.step(thread, options),
        update: () => runner.update(thread, { log: "no" }, { asNode: "ask", ...options }),
        fork: () => runner.fork(thread, { checkpointId, ...options }),
        cancel: () => runner.cancel(thread, "no", options),
        stream: () => collect(runner.stream(thread, { continue: true }, options)),
      };
      for (const [name, call] of Object.entries(calls)) {
        await expect(call(), name).rejects.toMatchObject({ code: "THREAD_OWNED" });
      }
    }
    expect(await stored(store.checkpointer, thread)).toEqual(before);
    expect((await runner.inspect(thread)).interrupts).toHaveLength(1);
  });

  test("is driven on behalf of its owner, to its end", async () => {
    const { runner, runs, thread, question } = await owned(owner("a"));
    const done = await runner.resume(thread, { [question]: "yes" }, { owner: owner("a") });
    expect(done).toMatchObject({ status: "done", values: { log: ["yes", "after"] } });
    expect(runs).toEqual(["yes", "after"]);
  });

  test("is everybody's again when its owner gives it back, and nobody else can give it back", async () => {
    const { runner, thread, question } = await owned(owner("a"));
    for (const by of [owner("b"), owner("a", "flow-2")]) await runner.release(thread, { owner: by });
    expect((await store.checkpointer.readRecord(thread))!.owner).toEqual(owner("a"));
    await runner.release(thread, { owner: owner("a") });
    expect((await store.checkpointer.readRecord(thread))!.owner).toBeUndefined();
    await expect(runner.resume(thread, { [question]: "no" }, { owner: owner("a") })).rejects.toMatchObject({
      code: "THREAD_OWNED",
    });
    expect((await runner.resume(thread, { [question]: "yes" })).status).toBe("done");
  });

  test("goes to a later run of the same owner, and never back to an earlier one", async () => {
    const { runner, thread, question } = await owned(owner("a"));
    await runner.claim(thread, { owner: owner("b") });
    await runner.claim(thread, { owner: owner("b") }); // again is the same
    for (const by of [owner("a")]) {
      await expect(runner.resume(thread, { [question]: "late" }, { owner: by })).rejects.toMatchObject({
        code: "THREAD_OWNED",
      });
      for (const takeOver of [false, true]) {
        await expect(runner.claim(thread, { owner: by, takeOver })).rejects.toMatchObject({ code: "THREAD_OWNED" });
      }
    }
    await runner.release(thread, { owner: owner("b") });
    await expect(runner.claim(thread, { owner: owner("a") })).rejects.toMatchObject({ code: "THREAD_OWNED" });
    expect((await runner.resume(thread, { [question]: "yes" })).status).toBe("done");
  });

  test("goes to somebody else only by force", async () => {
    const { runner, thread, question } = await owned(owner("a"));
    const other = owner("x", "me", "in process");
    await expect(runner.claim(thread, { owner: other })).rejects.toMatchObject({ code: "THREAD_OWNED" });
    await runner.claim(thread, { owner: other, takeOver: true });
    await expect(runner.resume(thread, { [question]: "no" }, { owner: owner("a") })).rejects.toMatchObject({
      code: "THREAD_OWNED",
    });
    expect((await runner.resume(thread, { [question]: "yes" }, { owner: other })).status).toBe("done");
  });

  test("takes a new turn from anybody when it is done, and is theirs then", async () => {
    const { runner, thread, question } = await owned(owner("a"));
    await runner.resume(thread, { [question]: "yes" }, { owner: owner("a") });
    const next = await runner.start(thread, {});
    expect(next.status).toBe("interrupted");
    await expect(runner.continue(thread, { owner: owner("a") })).rejects.toMatchObject({ code: "THREAD_OWNED" });
    expect((await runner.resume(thread, { answer: "again" })).status).toBe("done");
    const begun = await runner.start(thread, {}, { owner: owner("b") });
    expect(begun.status).toBe("interrupted");
    expect((await store.checkpointer.readRecord(thread))!.owner).toEqual(owner("b"));
    await expect(runner.resume(thread, { answer: "no" })).rejects.toMatchObject({ code: "THREAD_OWNED" });
    await expect(runner.start(thread, {}, { owner: owner("a"), supersede: true })).rejects.toMatchObject({
      code: "THREAD_OWNED",
    });
  });

  test("an answer that was given before is known to everybody, and changes nothing", async () => {
    const { runner, thread, question } = await owned(owner("a"));
    const by = { owner: owner("a"), drive: false };
    await runner.resume(thread, { [question]: "yes" }, by);
    const before = await stored(store.checkpointer, thread);
    expect((await runner.resume(thread, { [question]: "yes" })).status).toBe("ready");
    await expect(runner.resume(thread, { [question]: "no" })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
    expect(await stored(store.checkpointer, thread)).toEqual(before);
  });

  test("a copy of it is nobody's", async () => {
    const { runner, thread } = await owned(owner("a"));
    const copy = store.newThread();
    await store.checkpointer.copyThread(thread, copy);
    expect((await runner.resume(copy, { answer: "yes" })).status).toBe("done");
    expect((await runner.inspect(thread)).status).toBe("interrupted");
  });

  test("another process sees who the owner is", async () => {
    const { graph, thread, question } = await owned(owner("a"));
    const checkpointer = (await store.openAgain()) ?? store.checkpointer;
    const elsewhere = createRunner(graph, { name: "elsewhere", checkpointer });
    await expect(elsewhere.resume(thread, { [question]: "no" })).rejects.toMatchObject({
      code: "THREAD_OWNED",
      message: expect.stringContaining('run "a" of "flow-1" (temporal)') as string,
    });
    expect((await elsewhere.resume(thread, { [question]: "yes" }, { owner: owner("a") })).status).toBe("done");
  });

  test("of many who claim it at once one gets it", async () => {
    const { graph } = asking();
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {});
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        runner.claim(thread, { owner: owner("a", `flow-${n}`) }).then(
          () => n,
          (error: { code: string }) => error.code,
        ),
      ),
    );
    const winners = claims.filter((claim) => typeof claim === "number");
    expect(winners).toHaveLength(1);
    expect((await store.checkpointer.readRecord(thread))!.owner).toEqual(owner("a", `flow-${winners[0]}`));
    for (const claim of claims) expect([winners[0], "THREAD_OWNED", "THREAD_BUSY"]).toContain(claim);
  });

  test("a claim stops what the owner before has under way, and its result is not stored", async () => {
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    let runs = 0;
    let reason: unknown;
    const graph = new StateGraph(TextLog)
      .addNode("work", async (_state, { signal }) => {
        const run = (runs += 1);
        if (run > 1) return { log: "second" };
        signal!.addEventListener("abort", () => (reason = signal!.reason), { once: true });
        begun.resolve();
        await finish.promise; // does not listen to its signal
        return { log: "first" };
      })
      .addEdge(START, "work");
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const driving = runner.start(thread, {}, { owner: owner("a") }).catch((error: unknown) => error);
    await begun.promise;
    const claiming = runner.claim(thread, { owner: owner("b") });
    await vi.waitUntil(() => reason !== undefined, { timeout: 10_000 });
    finish.resolve();
    await claiming;
    await driving;
    const done = await runner.continue(thread, { owner: owner("b") });
    expect(done).toMatchObject({ status: "done", values: { log: ["second"] } });
  });

  test("a thread that somebody drives for nobody is not claimed before they are done", async () => {
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const graph = new StateGraph(TextLog)
      .addNode("work", async () => {
        begun.resolve();
        await finish.promise;
        return { log: "work" };
      })
      .addEdge(START, "work");
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const driving = runner.start(thread, {});
    await begun.promise;
    await expect(runner.claim(thread, { owner: owner("a") })).rejects.toMatchObject({ code: "THREAD_BUSY" });
    finish.resolve();
    expect((await driving).status).toBe("done");
    await runner.claim(thread, { owner: owner("a") });
    expect((await store.checkpointer.readRecord(thread))!.owner).toEqual(owner("a"));
  });

  test("a signal that its owner's run was given is known to everybody, and kept once", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => ({ log: await waitForSignal("go", z.string()) }))
      .addEdge(START, "wait");
    const runner = createRunner(graph, { name: "r", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, {}, { owner: owner("a") });
    const later = { name: "later", payload: 1, id: "s1" };
    await runner.signal(thread, later, { owner: owner("a") });
    await runner.signal(thread, later, { owner: owner("a") });
    await expect(runner.signal(thread, { ...later, id: "s2" })).rejects.toMatchObject({ code: "THREAD_OWNED" });
    expect((await store.checkpointer.readRecord(thread))!.signals.map(({ id }) => id)).toEqual(["s1"]);
  });
});

describe("a claim", () => {
  test("between an answer and going on with it: the answer was taken, and the owner goes on", async () => {
    const { graph, runs } = asking();
    const { runner, checkpointer } = await memoryRunner(graph);
    const { interrupts } = await runner.start("t", {});
    const commitAnswers = checkpointer.commitAnswers.bind(checkpointer);
    vi.spyOn(checkpointer, "commitAnswers").mockImplementationOnce(async (threadId, commit) => {
      const outcome = await commitAnswers(threadId, commit);
      await runner.claim("t", { owner: owner("a") });
      return outcome;
    });
    const taken = await runner.resume("t", { [interrupts[0]!.id]: "yes" });
    expect(taken).toMatchObject({ status: "ready", next: ["ask"] });
    expect(runs).toEqual([]);
    expect((await runner.continue("t", { owner: owner("a") })).values.log).toEqual(["yes", "after"]);
  });

  test("right after somebody has stopped driving: they do not go on with what the owner answers", async () => {
    const { graph, runs } = asking();
    const { runner, checkpointer } = await memoryRunner(graph);
    const lockThread = checkpointer.lockThread.bind(checkpointer);
    vi.spyOn(checkpointer, "lockThread").mockImplementationOnce(async (threadId, options) => {
      const lock = (await lockThread(threadId, options))!;
      const release = async (): Promise<void> => {
        await lock.release();
        await runner.claim("t", { owner: owner("a") });
        await runner.resume("t", { answer: "yes" }, { owner: owner("a"), drive: false });
      };
      return Object.assign(Object.create(lock) as typeof lock, { release });
    });
    const state = await runner.start("t", {});
    expect(state.status).toBe("ready");
    expect(runs).toEqual([]);
    expect((await runner.continue("t", { owner: owner("a") })).values.log).toEqual(["yes", "after"]);
  });

  test.each([{}, { owner: { engine: "x", name: "y" } }, { owner: "me" }, { owner: owner(""), takeOver: true }])(
    "%j is none",
    async (options) => {
      const { runner } = await memoryRunner(asking().graph, { checkpointer: await openCheckpointer("memory:") });
      await runner.start("t", {});
      await expect(runner.claim("t", options as never)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    },
  );

  test("of a thread there is not is refused", async () => {
    const { runner, checkpointer } = await memoryRunner(asking().graph);
    await expect(runner.claim("t", { owner: owner("a") })).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    await expect(runner.release("t", { owner: owner("a") })).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    expect(await checkpointer.readRecord("t")).toBeUndefined();
  });
});
