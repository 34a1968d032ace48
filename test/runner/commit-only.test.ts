/** The calls of a runner with `drive: false`: for an engine that runs the tasks itself, by `step`. */
import { START, StateGraph, entrypoint, interrupt } from "@langchain/langgraph";
import { sleep, waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { expect, it } from "vitest";
import { z } from "zod";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";

describeOnEachCheckpointer("with drive: false", (store) => {
  function asking() {
    const runs: string[] = [];
    const graph = new StateGraph(TextLog)
      .addNode("ask", async () => {
        runs.push("ask");
        const signal = await waitForSignal("go", z.string());
        await sleep(60_000);
        return { log: `${signal} ${interrupt("sure?") as string}` };
      })
      .addEdge(START, "ask");
    return { runner: createRunner(graph, { name: "asking", checkpointer: store.checkpointer }), runs };
  }

  it("start commits the input and runs nothing; the same turn again changes nothing", async () => {
    const { graph, runs } = threeNodes();
    const runner = createRunner(graph, { name: "three", checkpointer: store.checkpointer });
    const threadId = store.newThread();
    const options = { drive: false, runId: "turn" };
    const started = await runner.start(threadId, { log: "in" }, options);
    expect(started).toMatchObject({ status: "ready", step: 0, next: ["a"], tasks: [{ node: "a" }] });
    expect(started.values.log).toEqual(["in"]);
    expect(await runner.start(threadId, { log: "in" }, options)).toEqual(started);
    expect(runs).toEqual([]);
    const stepped = await runner.step(threadId, { tasks: started.tasks.map(({ id }) => id) });
    expect(stepped).toMatchObject({ status: "ready", next: ["b"] });
    expect(runs).toEqual(["a"]);
  });

  it("start without values says where the thread stands then, also one that was cancelled before", async () => {
    const { graph } = threeNodes();
    const runner = createRunner(graph, { name: "three", checkpointer: store.checkpointer });
    const threadId = store.newThread();
    for (const before of ["nothing", "a turn that is under way"]) {
      if (before !== "nothing") expect((await runner.cancel(threadId, "no more")).status).toBe("cancelled");
      const started = await runner.start(threadId, { log: "in" }, { drive: false, values: false });
      const { values: _values, ...place } = await runner.inspect(threadId);
      expect(started).toMatchObject(place);
      expect(started).toMatchObject({ status: "ready", next: ["a"] });
    }
  });

  it("signal, continue and resume commit what they are given, and the task is ready", async () => {
    const { runner, runs } = asking();
    const threadId = store.newThread();
    const waiting = await runner.start(threadId, {});
    expect(waiting).toMatchObject({ status: "interrupted", interrupts: [{ kind: "signal" }] });

    const signalled = await runner.signal(threadId, { name: "go", payload: "well" }, { drive: false });
    expect(signalled).toMatchObject({ status: "ready", interrupts: [], next: ["ask"] });
    const slept = await runner.step(threadId, { tasks: signalled!.tasks.map(({ id }) => id) });
    const [timer] = slept.interrupts;
    expect(timer).toMatchObject({ kind: "timer" });

    const due = await runner.continue(threadId, { drive: false, due: [timer!.id] });
    expect(due).toMatchObject({ status: "ready", interrupts: [] });
    const asked = await runner.step(threadId, { tasks: due.tasks.map(({ id }) => id) });
    const [question] = asked.interrupts;
    expect(question).toMatchObject({ kind: "input", value: "sure?" });

    const answered = await runner.resume(threadId, { [question!.id]: "yes" }, { drive: false });
    expect(answered).toMatchObject({ status: "ready", interrupts: [] });
    expect(runs).toHaveLength(3);
    expect(await runner.continue(threadId)).toMatchObject({ status: "done", values: { log: ["well yes"] } });
  });

  it("a start of a functional entrypoint commits its input too", async () => {
    let runs = 0;
    const graph = entrypoint("double", async (n: number) => {
      runs += 1;
      return n * 2;
    });
    const runner = createRunner(graph, { name: "double", checkpointer: store.checkpointer });
    const threadId = store.newThread();
    const started = await runner.start(threadId, 21, { drive: false });
    expect(started).toMatchObject({ status: "ready", next: ["double"] });
    expect(runs).toBe(0);
    const done = await runner.step(threadId, { tasks: started.tasks.map(({ id }) => id) });
    expect(done).toMatchObject({ status: "done", values: 42 });
    expect(runs).toBe(1);
  });
});
