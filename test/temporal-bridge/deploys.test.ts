import { Annotation, Command, END, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { sleep, waitForSignal } from "perdure/nodes";
import { findStrandedThreads } from "perdure/runner";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { startTemporal } from "../support/temporal-server.ts";
import type { TemporalServer } from "../support/temporal-server.ts";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { TextLog } from "../support/text-log.ts";
import { historiesOf, keepHistory, keptHistories, replay } from "./recorded-history.ts";

const Count = Annotation.Root({ n: Annotation<number>({ reducer: (_, n) => n, default: () => 0 }) });

/** Goes round until `n` is `to`. */
const loop = (to: number) =>
  new StateGraph(Count)
    .addNode("count", ({ n }) => ({ n: n + 1 }))
    .addEdge(START, "count")
    .addConditionalEdges("count", ({ n }) => (n < to ? "count" : END), ["count", END]);

/** Graphs of many shapes, and how a run of each is brought to its end. */
function shapes() {
  const fanOut = new StateGraph(TextLog)
    .addNode("work", (n: number) => ({ log: `${n}` }))
    .addNode("gather", () => ({ log: "all" }))
    .addConditionalEdges(START, () => Array.from({ length: 12 }, (_, n) => new Send("work", n)), ["work"])
    .addEdge("work", "gather");
  const asking = new StateGraph(TextLog)
    .addNode("left", () => ({ log: String(interrupt("left?")) }))
    .addNode("right", () => ({ log: String(interrupt("right?")) + String(interrupt("sure?")) }))
    .addEdge(START, "left")
    .addEdge(START, "right");
  const signalled = new StateGraph(TextLog)
    .addNode("wait", async () => ({ log: await waitForSignal("go", z.string()) }))
    .addEdge(START, "wait");
  const timed = new StateGraph(TextLog)
    .addNode(
      "nap",
      async () => {
        await sleep(50);
        return new Command({ goto: "wake", update: { log: "slept" } });
      },
      { ends: ["wake"] },
    )
    .addNode("wake", () => ({ log: "awake" }))
    .addEdge(START, "nap");
  let attempts = 0;
  const failing = new StateGraph(TextLog)
    .addNode(
      "flaky",
      () => {
        attempts += 1;
        if (attempts < 3) throw new Error(`attempt ${attempts}`);
        return { log: "better" };
      },
      { retryPolicy: { maxAttempts: 3, initialInterval: 1, jitter: false } },
    )
    .addNode("broken", () => {
      throw new TypeError("it is broken");
    })
    .addEdge(START, "flaky")
    .addEdge("flaky", "broken");
  return { loop: loop(4), fanOut, asking, signalled, timed, failing, long: loop(40), burst: loop(8) };
}

describeWithTemporal("a deploy", () => {
  let server: TemporalServer;
  let checkpointer: Checkpointer;
  beforeAll(async () => {
    server = await startTemporal({ dynamicConfig: { "limit.historyCount.suggestContinueAsNew": 100 } });
    checkpointer = await openCheckpointer("memory:");
  });
  afterAll(async () => {
    await checkpointer.close();
    await server.stop();
  });

  /** A worker with these graphs, on the threads of the workers before it. */
  const deploy = <const Graphs extends Parameters<typeof temporalRig>[0]>(graphs: Graphs, taskQueue: string) =>
    temporalRig(graphs, { address: server.address, checkpointer, taskQueue });

  describe("of our workflow", () => {
    const made = shapes();
    let rig: TemporalRig<typeof made>;
    beforeAll(async () => {
      rig = await temporalRig(made, { address: server.address, settings: { burst: { granularity: "burst" } } });
    });
    afterAll(() => rig.stop());

    const endings: Record<keyof typeof made, (id: string) => Promise<void>> = {
      loop: async () => {},
      fanOut: async () => {},
      timed: async () => {},
      failing: async () => {},
      long: async () => {},
      burst: async () => {},
      async asking(id) {
        const questions = (await rig.settled(id)).interrupts;
        await rig.executor.resume(id, Object.fromEntries(questions.map((question) => [question.id, "yes"])));
        await expect.poll(async () => (await rig.settled(id)).interrupts.map(({ value }) => value)).toEqual(["sure?"]);
        await rig.executor.resume(id, { answer: "very" });
      },
      async signalled(id) {
        await rig.executor.signal(id, { name: "go", payload: "gone" });
      },
    };

    it.for(Object.keys(endings) as (keyof typeof made)[])(
      "replays the history of a run just made: %s",
      async (name) => {
        const run = await rig.executor.execute(name, { id: rig.newId(), input: name === "loop" ? { n: 0 } : {} });
        await endings[name](run.id);
        const result = await run.result().catch((error: unknown) => error);
        if (name === "failing") expect(result).toMatchObject({ code: "RUN_FAILED" });
        else expect(await run.status()).toBe("done");
        const histories = await historiesOf((runId) => rig.client.workflow.getHandle(run.id, runId), run.runId);
        expect(histories.length > 1).toBe(name === "long");
        for (const [n, history] of histories.entries()) {
          if (process.env.PERDURE_KEEP_HISTORIES === "1" && n < 2) await keepHistory(`${name}-${n}`, history);
          await replay(history);
        }
      },
    );

    it("replays the histories that were recorded when the workflow was as it is said to be", async () => {
      const kept = await keptHistories();
      expect([...kept.keys()].map((file) => file.replace(/-\d\.json$/u, ""))).toEqual(
        expect.arrayContaining(Object.keys(endings)),
      );
      for (const [file, history] of kept) {
        await expect.soft(replay(history), `${file}: runs under way would break`).resolves.toBeUndefined();
      }
    });

    it("that does something else than is recorded is found by a replay", async () => {
      const [history = ""] = (await keptHistories()).values();
      const other = history.replaceAll("graphTasks", "otherTasks");
      expect(other).not.toBe(history);
      await expect(replay(other)).rejects.toMatchObject({ name: "DeterminismViolationError" });
    });
  });

  describe("of a changed graph", () => {
    const asks = () => ({ log: String(interrupt("go on?")) });
    const says = (log: string) => () => ({ log });
    const before = () =>
      new StateGraph(TextLog)
        .addNode("begin", says("begun"))
        .addNode("ask", asks)
        .addNode("end", says("ended"))
        .addEdge(START, "begin")
        .addEdge("begin", "ask")
        .addEdge("ask", "end");
    const after = () =>
      new StateGraph(TextLog)
        .addNode("begin", says("begun otherwise"))
        .addNode("check", says("checked"))
        .addNode("ask", asks)
        .addNode("check2", says("checked twice"))
        .addNode("end", says("ended otherwise"))
        .addEdge(START, "begin")
        .addEdge("begin", "check")
        .addEdge("check", "ask")
        .addEdge("ask", "check2")
        .addEdge("check2", "end");
    const without = () =>
      new StateGraph(TextLog)
        .addNode("begin", says("begun"))
        .addNode("end", says("ended"))
        .addEdge(START, "begin")
        .addEdge("begin", "end");

    it("has a run in flight go on by the nodes that are there now", async () => {
      const old = await deploy({ desk: before() }, "changed");
      const run = await old.executor.execute("desk", { id: old.newId(), input: { log: "in" } });
      const { interrupts } = await old.settled(run.id);
      await old.stop();
      const changed = await deploy({ desk: after() }, "changed");
      await changed.executor.resume(run.id, { [interrupts[0]!.id]: "yes" });
      expect(await changed.executor.get<"desk">(run.id).result()).toEqual({
        log: ["in", "begun", "yes", "checked twice", "ended otherwise"],
      });
      const [history = ""] = await historiesOf((runId) => changed.client.workflow.getHandle(run.id, runId), run.runId);
      await replay(history);
      await changed.stop();
    });

    it("that lacks the node a run goes to next is told beforehand, and fails that run until the node is back", async () => {
      const old = await deploy({ desk: before() }, "stranded");
      const [waiting, done] = await Promise.all(
        [old.newId(), old.newId()].map((id) => old.executor.execute("desk", { id, input: { log: "in" } })),
      );
      const { interrupts } = await old.settled(waiting!.id);
      await old.settled(done!.id);
      await old.executor.resume(done!.id, { answer: "yes" });
      await done!.result();
      const only = (id: string) => id === waiting!.id || id === done!.id;
      expect(await collect(findStrandedThreads(before(), checkpointer, { only }))).toEqual([]);
      expect(await collect(findStrandedThreads(without(), checkpointer, { only }))).toEqual([
        { threadId: waiting!.id, nodes: ["ask"] },
      ]);
      await old.stop();

      const changed = await deploy({ desk: without() }, "stranded");
      const answer = { [interrupts[0]!.id]: "yes" };
      await expect(changed.executor.resume(waiting!.id, answer)).rejects.toMatchObject({ code: "GRAPH_CHANGED" });
      const failed = changed.executor.get<"desk">(waiting!.id);
      await expect(failed.result()).rejects.toMatchObject({
        code: "GRAPH_CHANGED",
        message: expect.stringContaining(`Thread "${waiting!.id}" goes on at "ask"`) as string,
      });
      expect(await failed.status()).toBe("error");
      const again = await changed.executor.execute("desk", { id: waiting!.id });
      await expect(again.result()).rejects.toMatchObject({ code: "GRAPH_CHANGED" });
      await changed.stop();

      const mended = await deploy({ desk: before() }, "stranded");
      const run = await mended.executor.execute("desk", { id: waiting!.id });
      await mended.settled(run.id);
      await mended.executor.resume(run.id, answer);
      expect(await run.result()).toEqual({ log: ["in", "begun", "yes", "ended"] });
      await mended.stop();
    });
  });
});
