import { START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import type { ThreadState } from "perdure/runner";
import { describe, expect, test, vi } from "vitest";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";

/** Tasks side by side, each of which `work` runs, and a node that counts what they wrote. */
function fanOut(names: readonly string[], work: (name: string) => string | Promise<string> = (name) => name) {
  const runs: string[] = [];
  const graph = new StateGraph(TextLog)
    .addNode("work", async (name: string) => {
      runs.push(name);
      return { log: await work(name) };
    })
    .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
    .addConditionalEdges(START, () => names.map((name) => new Send("work", name)))
    .addEdge("work", "after");
  return { graph, runs };
}

const idsOf = ({ tasks }: Pick<ThreadState, "tasks">) => tasks.map(({ id }) => id);

interface Updatable<State> {
  update(threadId: string, values: object, options: { readonly asNode: never }): Promise<State>;
}

/** Puts a thread before its first tasks and runs none of them. */
function readyThread<State>(runner: Updatable<State>, threadId = "t"): Promise<State> {
  return runner.update(threadId, {}, { asNode: "__start__" as never });
}

describe("runner.step", () => {
  test("without values says the same of where the thread stands after each step, and has the values when it is done", async () => {
    const { graph } = fanOut(["a", "b", "c"]);
    const { runner } = await memoryRunner(graph);
    let state = await readyThread(runner);
    for (const names of [1, 2, 1]) {
      state = await runner.step("t", { tasks: idsOf(state).slice(0, names), values: false });
      const { values, ...place } = await runner.inspect("t");
      expect(state).toMatchObject(place);
      if (state.status === "done") expect(state.values).toEqual(values);
    }
    expect(state).toMatchObject({ status: "done", values: { log: ["a", "b", "c", "after 3"] } });
  });

  test("runs just the tasks it names, and commits the superstep with the last of them", async () => {
    const { graph, runs } = fanOut(["a", "b", "c"]);
    const { runner } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    expect(ready.tasks).toHaveLength(3);

    const [first, second, third] = idsOf(ready);
    const one = await runner.step("t", { tasks: [second!] });
    expect(runs).toEqual(["b"]);
    expect(one).toMatchObject({ status: "ready", step: ready.step, checkpointId: ready.checkpointId });
    expect(idsOf(one)).toEqual([first, third]);
    expect(one.values.log).toEqual(["b"]);

    const committed = await runner.step("t", { tasks: [first!, third!] });
    expect(runs.toSorted()).toEqual(["a", "b", "c"]);
    expect(committed).toMatchObject({ status: "ready", step: ready.step + 1, next: ["after"] });
    expect(committed.values.log).toEqual(["a", "b", "c"]); // in the order of the tasks, not of their end
    expect(await runner.step("t", { tasks: idsOf(committed) })).toMatchObject({ status: "done" });
  });

  test("ids that are past are skipped, so a repeated call is safe", async () => {
    const { graph, runs } = threeNodes();
    const { runner } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    const after = await runner.step("t", { tasks: idsOf(ready) });
    expect(await runner.step("t", { tasks: idsOf(ready) })).toEqual(after);
    expect(await runner.step("t", { tasks: ["00000000-0000-5000-8000-000000000000"] })).toEqual(after);
    expect(runs).toEqual(["a"]);
  });

  test("without tasks it runs nothing, and only commits what is finished", async () => {
    const { graph, runs } = fanOut(["a", "b"]);
    const { runner } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    expect(await runner.step("t")).toEqual(ready);
    expect(await runner.step("t", {})).toEqual(ready);
    expect(runs).toEqual([]);
  });

  test("goes on for maxSteps supersteps, with all tasks of the later ones", async () => {
    const { graph, runs } = threeNodes();
    const { runner } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    const burst = await runner.step("t", { tasks: idsOf(ready), maxSteps: 2 });
    expect(runs).toEqual(["a", "b"]);
    expect(burst).toMatchObject({ status: "ready", next: ["c"] });
    expect(await runner.step("t", { tasks: idsOf(burst), maxSteps: 9 })).toMatchObject({ status: "done" });
  });

  test("begins no superstep after its deadline", async () => {
    const { graph, runs } = threeNodes();
    let now = 0;
    const { runner } = await memoryRunner(graph, { now: () => now++ });
    const ready = await readyThread(runner);
    const late = await runner.step("t", { tasks: idsOf(ready), maxSteps: 9, deadline: 0 });
    expect(runs).toEqual(["a"]); // what it was asked for runs all the same
    expect(late).toMatchObject({ status: "ready", next: ["b"] });
    const free = await runner.step("t", { tasks: idsOf(late), maxSteps: 9, deadline: Number.MAX_SAFE_INTEGER });
    expect(free.status).toBe("done");
  });

  test("a task that waits for an answer is TASK_NOT_READY, and its siblings are not held up", async () => {
    const { graph } = fanOut(["ask", "b"], (name) => (name === "ask" ? String(interrupt("?")) : name));
    const { runner } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    const [ask, b] = idsOf(ready);
    const asked = await runner.step("t", { tasks: [ask!] });
    expect(asked).toMatchObject({ status: "ready", interrupts: [{ value: "?" }] });
    expect(idsOf(asked)).toEqual([b]);
    await expect(runner.step("t", { tasks: [ask!, b!] })).rejects.toMatchObject({ code: "TASK_NOT_READY" });
    expect(await runner.inspect("t")).toEqual(asked);
    const waits = await runner.step("t", { tasks: [b!] });
    expect(waits.status).toBe("interrupted");
  });

  test("an answered task is ready again, under the same id", async () => {
    const { graph } = fanOut(["ask"], () => `${String(interrupt(1))}${String(interrupt(2))}`);
    const { runner, checkpointer } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    await runner.step("t", { tasks: idsOf(ready) });
    // an answer is committed without driving by whoever finds the thread busy
    const lock = await checkpointer.lockThread("t", { mode: "exclusive", wait: false });
    const answered = await runner.resume("t", { answer: "x" });
    await lock!.release();
    expect(answered).toMatchObject({ status: "ready", interrupts: [] });
    expect(idsOf(answered)).toEqual(idsOf(ready));
    const again = await runner.step("t", { tasks: idsOf(ready) });
    expect(again).toMatchObject({ status: "interrupted", interrupts: [{ value: 2 }] });
  });

  test("a failed task is listed as failed, can be named again, and its siblings keep what they did", async () => {
    let broken = true;
    const { graph, runs } = fanOut(["a", "bad"], (name) => {
      if (name === "bad" && broken) throw new RangeError("too far");
      return name;
    });
    const { runner } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    const [a, bad] = idsOf(ready);
    const failed = await runner.step("t", { tasks: [bad!] });
    expect(failed).toMatchObject({ status: "ready", values: { log: [] } });
    expect(idsOf(failed)).toEqual([a]);
    const stuck = await runner.step("t", { tasks: [a!] });
    expect(stuck).toMatchObject({ status: "error", error: { taskId: bad, name: "RangeError", message: "too far" } });
    broken = false;
    const committed = await runner.step("t", { tasks: [bad!] });
    expect(committed).toMatchObject({ status: "ready", next: ["after"] });
    expect(runs).toEqual(["bad", "a", "bad"]);
  });

  test("on a done or a cancelled thread it only looks", async () => {
    const { graph, runs } = threeNodes();
    const { runner } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    const cancelled = await runner.cancel("t", "enough");
    expect(await runner.step("t", { tasks: idsOf(ready) })).toEqual(cancelled);
    expect(runs).toEqual([]);
    const done = await runner.continue("t", { maxSteps: 9 });
    expect(done.status).toBe("done");
    expect(await runner.step("t", { tasks: idsOf(ready) })).toEqual(done);
  });

  test("counts its supersteps to the run's limit", async () => {
    const { graph } = threeNodes();
    const { runner } = await memoryRunner(graph);
    const stopped = await runner.start("t", {}, { maxSteps: 2 });
    expect(stopped).toMatchObject({ status: "ready", next: ["c"] });
    await expect(runner.step("t", { tasks: idsOf(stopped) })).rejects.toMatchObject({ code: "STEP_LIMIT_REACHED" });
  });

  test("waits for nobody but whoever drives the thread alone", async () => {
    const open = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { graph } = fanOut(["a", "b"], async (name) => {
      begun.resolve();
      await open.promise;
      return name;
    });
    const { runner } = await memoryRunner(graph);
    const ready = await readyThread(runner);
    const driven = runner.continue("t", { maxSteps: 9 });
    await begun.promise;
    const stepped = runner.step("t", { tasks: idsOf(ready) });
    open.resolve();
    expect((await driven).status).toBe("done");
    expect((await stepped).status).toBe("done"); // it came second, and found nothing to do
  });
});

describeOnEachCheckpointer("sibling steps", (store) => {
  /** Runners on one store, each as in a process of its own where the store allows it. */
  async function runners(graph: ReturnType<typeof fanOut>["graph"], count: number) {
    return Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const other = index === 0 ? undefined : await store.openAgain();
        return createRunner(graph, { name: `runner ${index}`, checkpointer: other ?? store.checkpointer });
      }),
    );
  }

  test("overlap, in whatever order they end, and the last one in commits", async () => {
    const names = ["a", "b", "c"];
    const gates = new Map(names.map((name) => [name, Promise.withResolvers<void>()]));
    const begun = new Map(names.map((name) => [name, Promise.withResolvers<void>()]));
    const { graph, runs } = fanOut(names, async (name) => {
      begun.get(name)!.resolve();
      await gates.get(name)!.promise;
      return name;
    });
    const all = await runners(graph, 3);
    const thread = store.newThread();
    const ready = await readyThread(all[0]!, thread);
    const steps = idsOf(ready).map((id, index) => all[index]!.step(thread, { tasks: [id] }));
    await Promise.all([...begun.values()].map(({ promise }) => promise)); // all three run at once

    const states: ThreadState[] = [];
    for (const index of [2, 0, 1]) {
      gates.get(names[index]!)!.resolve();
      states.push(await steps[index]!);
    }
    expect(states.map(({ step }) => step - ready.step)).toEqual([0, 0, 1]);
    expect(states[2]!.values).toEqual({ log: ["a", "b", "c"] });
    expect(runs.toSorted()).toEqual(["a", "b", "c"]);
    expect((await collect(all[0]!.history(thread))).map(({ step }) => step)).toEqual([1, 0]);
  });

  test("twelve by three runners at the same time leave one commit, in the order of the tasks", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `task ${index}`);
    const { graph, runs } = fanOut(names);
    const all = await runners(graph, 3);
    const thread = store.newThread();
    const ready = await readyThread(all[0]!, thread);
    const states = await Promise.all(
      idsOf(ready).map((id, index) => all[index % all.length]!.step(thread, { tasks: [id] })),
    );
    // each saw the thread after its own task; whoever came last, or a closing call, committed
    const closed = await all[0]!.step(thread);
    expect(closed).toMatchObject({ status: "ready", next: ["after"], values: { log: names } });
    expect(states.some(({ checkpointId }) => checkpointId === closed.checkpointId)).toBe(true);
    expect(runs.toSorted()).toEqual(names.toSorted());
    expect(await collect(all[0]!.history(thread))).toHaveLength(2);
  });

  test("the same task named by three runners at once ends with one result", async () => {
    const { graph } = fanOut(["a"]);
    const all = await runners(graph, 3);
    const thread = store.newThread();
    const ready = await readyThread(all[0]!, thread);
    await Promise.all(all.map((runner) => runner.step(thread, { tasks: idsOf(ready) })));
    expect(await all[0]!.inspect(thread)).toMatchObject({ next: ["after"], values: { log: ["a"] } });
    expect(await collect(all[0]!.history(thread))).toHaveLength(2);
  });

  test("I2: a task that was answered and returns nothing is finished too, and does not run again", async () => {
    const runs: number[] = [];
    const graph = new StateGraph(TextLog)
      .addNode("ask", (n: number) => {
        interrupt(n);
        runs.push(n);
        return {};
      })
      .addConditionalEdges(START, () => [0, 1, 2].map((n) => new Send("ask", n)));
    const runner = createRunner(graph, { name: "asks", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const { interrupts } = await runner.start(thread, {});
    const answers = Object.fromEntries(interrupts.map(({ id }) => [id, "yes"]));
    const ready = await runner.resume(thread, answers, { drive: false });
    const first = await runner.step(thread, { tasks: ready.tasks.slice(0, 2).map(({ id }) => id) });
    expect(first).toMatchObject({ status: "ready", next: ["ask"] });
    expect(runs).toHaveLength(2);
    expect(await runner.continue(thread)).toMatchObject({ status: "done" });
    expect(runs.toSorted((one, other) => one - other)).toEqual([0, 1, 2]);
  });

  test("a finished superstep that nobody committed is committed by a closing call", async () => {
    const { graph, runs } = fanOut(["a", "b"]);
    const [runner] = await runners(graph, 1);
    const thread = store.newThread();
    const ready = await readyThread(runner!, thread);
    // as if the process died between its tasks' writes and the commit
    const put = vi.spyOn(store.checkpointer, "put").mockRejectedValueOnce(new Error("SIGKILL"));
    await expect(runner!.step(thread, { tasks: idsOf(ready) })).rejects.toThrow("SIGKILL");
    put.mockRestore();
    const finished = await runner!.inspect(thread);
    expect(finished).toMatchObject({ status: "ready", tasks: [], next: [] });
    const committed = await runner!.step(thread);
    expect(committed).toMatchObject({ status: "ready", step: 1, next: ["after"], values: { log: ["a", "b"] } });
    expect(runs.toSorted()).toEqual(["a", "b"]);
  });
});
