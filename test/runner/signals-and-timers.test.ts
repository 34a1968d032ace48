import { START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { sleep, sleepUntil, waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

/** Waits for a parcel twice. */
const parcels = new StateGraph(TextLog)
  .addNode("first", async () => ({ log: `first ${await waitForSignal("parcel", z.string())}` }))
  .addNode("second", async () => ({ log: `second ${await waitForSignal("parcel", z.string())}` }))
  .addEdge(START, "first")
  .addEdge("first", "second");

/** Waits for two signals of the same name side by side, and for one of another name. */
const sideBySide = new StateGraph(TextLog)
  .addNode("wait", async (name: string) => ({ log: `${name} ${await waitForSignal(name, z.number())}` }))
  .addConditionalEdges(START, () => ["parcel", "parcel", "letter"].map((name) => new Send("wait", name)));

describe("runner.signal", () => {
  test("gives a signal to the node that waits for one of its name, and drives on", async () => {
    const { runner } = await memoryRunner(parcels);
    const waiting = await runner.start("t", {});
    expect(waiting).toMatchObject({
      status: "interrupted",
      interrupts: [{ kind: "signal", node: "first", value: { kind: "signal", name: "parcel" } }],
    });
    const after = await runner.signal("t", { name: "parcel", payload: "a" });
    expect(after).toMatchObject({
      status: "interrupted",
      values: { log: ["first a"] },
      interrupts: [{ node: "second" }],
    });
    expect(await runner.signal("t", { name: "parcel", payload: "b" })).toMatchObject({ status: "done" });
  });

  test("keeps signals that come before the thread is started, in their order", async () => {
    const { runner } = await memoryRunner(parcels);
    expect(await runner.signal("t", { name: "parcel", payload: "a" })).toBeUndefined();
    expect(await runner.signal("t", { name: "parcel", payload: "b" })).toBeUndefined();
    const done = await runner.start("t", {});
    expect(done).toMatchObject({ status: "done", values: { log: ["first a", "second b"] } });
  });

  test("keeps signals that come before they are asked for, and those that nobody asks for", async () => {
    const { runner, checkpointer } = await memoryRunner(parcels);
    await runner.start("t", {});
    expect((await runner.signal("t", { name: "letter", payload: "x" }))!.interrupts).toHaveLength(1);
    await runner.signal("t", { name: "parcel", payload: "a" });
    const done = await runner.signal("t", { name: "parcel", payload: "b" });
    expect(done!.values.log).toEqual(["first a", "second b"]);
    const record = await checkpointer.readRecord("t");
    expect(record!.signals.map(({ name, payload }) => [name, payload])).toEqual([["letter", "x"]]);
    expect((await runner.start("t", {})).status).toBe("interrupted"); // and no old parcel is left
  });

  test("a signal that does not fit the schema is not taken: the wait goes on, and later ones overtake it", async () => {
    const { runner, checkpointer } = await memoryRunner(parcels);
    const waiting = await runner.start("t", {});
    expect(await runner.signal("t", { name: "parcel", payload: 7 })).toEqual(waiting);
    expect(await runner.continue("t")).toEqual(waiting);
    expect((await runner.signal("t", { name: "parcel", payload: "a" }))!.values.log).toEqual(["first a"]);
    expect((await checkpointer.readRecord("t"))!.signals).toHaveLength(1);
  });

  test("the same id again is the same signal, kept once", async () => {
    const { runner } = await memoryRunner(parcels);
    for (const payload of ["a", "a again"]) await runner.signal("t", { name: "parcel", payload, id: "msg-1" });
    const waiting = await runner.start("t", {});
    expect(waiting.values.log).toEqual(["first a"]);
    expect(waiting.status).toBe("interrupted");
  });

  test("the same id again is the same signal also after a node has taken it", async () => {
    const { runner } = await memoryRunner(parcels);
    await runner.start("t", {});
    const taken = await runner.signal("t", { name: "parcel", payload: "a", id: "msg-1" });
    expect(taken!.values.log).toEqual(["first a"]);
    expect(await runner.signal("t", { name: "parcel", payload: "a", id: "msg-1" })).toEqual(taken);
    expect(await runner.continue("t")).toEqual(taken);
  });

  test("each of those who wait side by side gets a signal of its own", async () => {
    const { runner } = await memoryRunner(sideBySide);
    await runner.start("t", {});
    await runner.signal("t", { name: "parcel", payload: 1 });
    expect((await runner.inspect("t")).interrupts.map(({ value }) => value)).toEqual([
      { kind: "signal", name: "parcel" },
      { kind: "signal", name: "letter" },
    ]);
    await runner.signal("t", { name: "letter", payload: 2 });
    const done = await runner.signal("t", { name: "parcel", payload: 3 });
    expect(done!.values.log).toEqual(["parcel 1", "parcel 3", "letter 2"]);
  });

  test("a person may answer a wait in a signal's place, if the answer fits", async () => {
    const { runner } = await memoryRunner(parcels);
    await runner.start("t", {});
    await expect(runner.resume("t", { answer: 7 })).rejects.toMatchObject({ code: "ANSWER_INVALID" });
    expect((await runner.resume("t", { answer: "by hand" })).values.log).toEqual(["first by hand"]);
  });

  test("a signal without a payload is null", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => ({ log: String(await waitForSignal("go", z.null())) }))
      .addEdge(START, "wait");
    const { runner } = await memoryRunner(graph);
    await runner.start("t", {});
    expect((await runner.signal("t", { name: "go" }))!.values.log).toEqual(["null"]);
  });

  test.each([[{}], [{ name: "" }], [{ name: 7 }], [{ name: "s", id: "" }], [{ name: "s", extra: 1 }], [undefined]])(
    "%j is no signal",
    async (signal) => {
      const { runner, checkpointer } = await memoryRunner(parcels);
      await expect(runner.signal("t", signal as never)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
      expect(await checkpointer.readRecord("t")).toBeUndefined();
    },
  );

  test("a signal that comes while its wait is about to be asked reaches it", async () => {
    const about = Promise.withResolvers<void>();
    const ask = Promise.withResolvers<void>();
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => {
        about.resolve();
        await ask.promise;
        return { log: await waitForSignal("go", z.string()) };
      })
      .addEdge(START, "wait");
    const { runner } = await memoryRunner(graph);
    const started = runner.start("t", {});
    await about.promise;
    expect((await runner.signal("t", { name: "go", payload: "now" }))!.status).toBe("ready");
    ask.resolve();
    expect(await started).toMatchObject({ status: "done", values: { log: ["now"] } });
  });
});

describe("timers", () => {
  const HOUR = 3_600_000;
  let now = 0;
  beforeEach(() => {
    now = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const alarm = new StateGraph(TextLog)
    .addNode("sleep", async () => {
      await sleepUntil(new Date(HOUR));
      return { log: "awake" };
    })
    .addEdge(START, "sleep");

  test("a sleeping thread says when it is due, and continue before that changes nothing", async () => {
    const { runner } = await memoryRunner(alarm, { now: () => now });
    const asleep = await runner.start("t", {});
    expect(asleep).toMatchObject({
      status: "interrupted",
      interrupts: [{ kind: "timer", dueAt: HOUR, node: "sleep" }],
    });
    now = HOUR - 1;
    expect(await runner.continue("t")).toEqual(asleep);
    now = HOUR;
    expect(await runner.continue("t")).toMatchObject({ status: "done", values: { log: ["awake"] } });
  });

  test("continue with `due` wakes just those it names, whatever the clock says", async () => {
    const two = new StateGraph(TextLog)
      .addNode("sleep", async (hours: number) => {
        await sleepUntil(new Date(hours * HOUR));
        return { log: `slept ${hours}` };
      })
      .addConditionalEdges(START, () => [1, 2].map((hours) => new Send("sleep", hours)));
    const { runner } = await memoryRunner(two, { now: () => now });
    const { interrupts } = await runner.start("t", {});
    expect((await runner.continue("t", { due: [] })).interrupts).toHaveLength(2);
    const one = await runner.continue("t", { due: [interrupts[1]!.id] });
    expect(one.values.log).toEqual(["slept 2"]);
    now = 10 * HOUR;
    expect((await runner.continue("t", { due: [] })).interrupts).toHaveLength(1); // none named, none woken
    expect((await runner.continue("t")).values.log).toEqual(["slept 1", "slept 2"]);
  });

  test("ids in `due` that are past, unknown, or not of a timer are passed over", async () => {
    const { runner } = await memoryRunner(alarm, { now: () => now });
    const { interrupts } = await runner.start("t", {});
    const due = [interrupts[0]!.id, "0".repeat(32)];
    const done = await runner.continue("t", { due });
    expect(done.status).toBe("done");
    expect(await runner.continue("t", { due })).toEqual(done);
    const asks = new StateGraph(TextLog).addNode("ask", () => ({ log: String(interrupt("?")) })).addEdge(START, "ask");
    const { runner: other } = await memoryRunner(asks);
    const asked = await other.start("t", {});
    expect(await other.continue("t", { due: [asked.interrupts[0]!.id] })).toEqual(asked);
  });

  test("sleep and expiresInMs count by the clock of the runner", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("nap", async () => {
        await sleep(HOUR);
        await waitForSignal("never", z.string(), { expiresInMs: HOUR, onExpiry: "undefined" });
        return { log: "awake" };
      })
      .addEdge(START, "nap");
    const { runner } = await memoryRunner(graph, { now: () => now });
    now = 5 * HOUR;
    expect((await runner.start("t", {})).interrupts[0]!.dueAt).toBe(6 * HOUR);
    now = 7 * HOUR;
    expect((await runner.continue("t")).interrupts[0]!.dueAt).toBe(8 * HOUR);
    now = 8 * HOUR;
    expect(await runner.continue("t")).toMatchObject({ status: "done" });
  });

  test("sleep counts from the first time it is asked, however often the node runs again", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 0 });
    const graph = new StateGraph(TextLog)
      .addNode("nap", async () => {
        await sleep(HOUR);
        await sleep(HOUR);
        return { log: `woke at ${Date.now() / HOUR}` };
      })
      .addEdge(START, "nap");
    const { runner } = await memoryRunner(graph);
    expect((await runner.start("t", {})).interrupts[0]!.dueAt).toBe(HOUR);
    vi.setSystemTime(1.5 * HOUR);
    expect((await runner.continue("t")).interrupts[0]!.dueAt).toBe(2.5 * HOUR);
    vi.setSystemTime(2.5 * HOUR);
    expect((await runner.continue("t")).values.log).toEqual(["woke at 2.5"]);
  });

  test("a timer whose time is over already is due at once, by the next continue", async () => {
    now = 2 * HOUR;
    const { runner } = await memoryRunner(alarm, { now: () => now });
    expect((await runner.start("t", {})).status).toBe("interrupted");
    expect((await runner.continue("t")).status).toBe("done");
  });

  test("a wait that expires is over: its signal comes too late, and is kept for the next", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 0 });
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => {
        const payload = await waitForSignal("go", z.string(), { expiresInMs: HOUR, onExpiry: "undefined" });
        return { log: payload ?? "nobody came" };
      })
      .addEdge(START, "wait");
    const { runner } = await memoryRunner(graph);
    expect((await runner.start("t", {})).interrupts[0]).toMatchObject({ kind: "signal", dueAt: HOUR });
    vi.setSystemTime(HOUR);
    expect((await runner.continue("t")).values.log).toEqual(["nobody came"]);
    await runner.signal("t", { name: "go", payload: "late" });
    expect((await runner.start("t", {})).values.log).toEqual(["nobody came", "late"]);
  });

  test("a signal that is there wins over an expiry that is due at the same moment, or the other way round: once", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => ({
        log: (await waitForSignal("go", z.string(), { expiresInMs: 0, onExpiry: "undefined" })) ?? "expired",
      }))
      .addEdge(START, "wait");
    const { runner } = await memoryRunner(graph, { now: () => Number.MAX_SAFE_INTEGER / 2 });
    await runner.start("t", {});
    const [signalled, continued] = await Promise.allSettled([
      runner.signal("t", { name: "go", payload: "came" }, { whenBusy: "enqueue" }),
      runner.continue("t", { whenBusy: "enqueue" }),
    ]);
    expect([signalled.status, continued.status]).toEqual(["fulfilled", "fulfilled"]);
    const { status, values } = await runner.inspect("t");
    expect(status).toBe("done");
    expect(values.log).toHaveLength(1);
  });
});

describeOnEachCheckpointer("signals", (store) => {
  test("ten sent at the same time arrive once each, whoever sends them", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => ({ log: await waitForSignal("go", z.string()) }))
      .addEdge(START, "wait")
      .addConditionalEdges("wait", ({ log }) => (log.length < 10 ? "wait" : "__end__"));
    const runner = createRunner(graph, { name: "wait", checkpointer: store.checkpointer });
    const other = createRunner(graph, {
      name: "wait",
      checkpointer: (await store.openAgain()) ?? store.checkpointer,
    });
    const thread = store.newThread();
    await runner.start(thread, {});
    const payloads = Array.from({ length: 10 }, (_, index) => `s${index}`);
    await Promise.all(
      payloads.map((payload, index) => (index % 2 === 0 ? runner : other).signal(thread, { name: "go", payload })),
    );
    const done = await runner.continue(thread, { whenBusy: "enqueue" });
    expect(done.status).toBe("done");
    expect(done.values.log.toSorted()).toEqual(payloads);
    expect((await store.checkpointer.readRecord(thread))!.signals).toEqual([]);
  });
});
