import { Annotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { PerdureError } from "perdure/errors";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { overriding } from "../support/crash-overriding.ts";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { resetRun } from "./reset-run.ts";

const Log = Annotation.Root({
  log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});
const INPUT = { log: ["in"] };

/** What ran, in order, and a hold on nodes that are to be in the middle of it. */
class Stage {
  runs: string[] = [];
  readonly #holds = new Map<string, PromiseWithResolvers<void>>();

  /** The next run of the node stays in it until `release`. */
  hold(name: string): void {
    this.#holds.set(name, Promise.withResolvers());
  }

  release(name: string): void {
    this.#held.get(name)?.resolve();
  }

  readonly #held = new Map<string, PromiseWithResolvers<void>>();

  node(name: string) {
    return async (): Promise<{ log: string[] }> => {
      const nth = this.runs.filter((ran) => ran === name).length + 1;
      this.runs.push(name);
      const hold = this.#holds.get(name);
      this.#holds.delete(name);
      if (hold !== undefined) {
        this.#held.set(name, hold);
        await hold.promise;
        this.ended.push(name);
      }
      return { log: [`${name}${nth}`] };
    };
  }

  /** Nodes that were held, and came to their end. */
  ended: string[] = [];
  broken = false;
}

const stage = new Stage();

function graphs() {
  const line = new StateGraph(Log)
    .addNode("a", stage.node("a"))
    .addNode("b", stage.node("b"))
    .addNode("c", stage.node("c"))
    .addNode("d", stage.node("d"))
    .addEdge(START, "a")
    .addEdge("a", "b")
    .addEdge("b", "c")
    .addEdge("c", "d");
  const asking = new StateGraph(Log)
    .addNode("a", stage.node("a"))
    .addNode("ask", () => {
      stage.runs.push("ask");
      return { log: [interrupt("May I?")] };
    })
    .addNode("c", stage.node("c"))
    .addEdge(START, "a")
    .addEdge("a", "ask")
    .addEdge("ask", "c");
  const failing = new StateGraph(Log)
    .addNode("a", stage.node("a"))
    .addNode("b", stage.node("b"))
    .addNode("c", () => {
      stage.runs.push("c");
      if (stage.broken) throw new TypeError("it is broken");
      return { log: ["c"] };
    })
    .addEdge(START, "a")
    .addEdge("a", "b")
    .addEdge("b", "c");
  const fan = new StateGraph(Log)
    .addNode("plan", stage.node("plan"))
    .addNode("work", ({ item }: { item: number }) => {
      stage.runs.push(`work ${item}`);
      return { log: [`work ${item}`] };
    })
    .addNode("gather", stage.node("gather"))
    .addEdge(START, "plan")
    .addConditionalEdges("plan", () => [0, 1, 2, 3].map((item) => new Send("work", { item })))
    .addEdge("work", "gather");
  return { line, asking, failing, fan };
}

describeWithTemporal("a Temporal reset", () => {
  const made = graphs();
  /** Called before a checkpoint is stored that a fork makes. */
  let beforeFork = (): void => {};
  let rig: TemporalRig<typeof made>;
  beforeAll(async () => {
    const memory = await openCheckpointer("memory:");
    const put: typeof memory.put = async (config, checkpoint, metadata, versions) => {
      if (metadata.source === "fork") beforeFork();
      return memory.put(config, checkpoint, metadata, versions);
    };
    const checkpointer = overriding(memory, { put });
    rig = await temporalRig(made, { checkpointer });
  });
  afterAll(() => rig.stop());
  beforeEach(() => {
    stage.runs = [];
    stage.ended = [];
    stage.broken = false;
    beforeFork = () => {};
  });

  it("of a run that is done runs again what came after the point, and nothing else", async () => {
    const run = await rig.executor.execute("line", { id: rig.newId(), input: INPUT });
    await run.result();
    const runId = await resetRun(rig.client, run.id, 3); // the start, a and b
    expect(await rig.executor.get<"line">(run.id, { runId }).result()).toEqual({ log: ["in", "a1", "b1", "c2", "d2"] });
    expect(stage.runs).toEqual(["a", "b", "c", "d", "c", "d"]);
  });

  it("of a run that failed goes back behind the failure, and runs on from there", async () => {
    stage.broken = true;
    const run = await rig.executor.execute("failing", { id: rig.newId(), input: INPUT });
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
    stage.broken = false;
    const runId = await resetRun(rig.client, run.id, 2); // the start and a
    expect(await rig.executor.get<"failing">(run.id, { runId }).result()).toEqual({ log: ["in", "a1", "b2", "c"] });
    expect(stage.runs).toEqual(["a", "b", "c", "b", "c"]);
  });

  it("refuses what the old run's activity brings later", async () => {
    stage.hold("c");
    const run = await rig.executor.execute("line", { id: rig.newId(), input: INPUT });
    await expect.poll(() => stage.runs, { interval: 10 }).toContain("c");
    const runId = await resetRun(rig.client, run.id, 2);
    expect(stage.ended).toEqual([]);
    await expect.poll(() => stage.runs.length, { interval: 10 }).toBe(6);
    stage.release("c");
    await expect.poll(() => stage.ended, { interval: 10 }).toEqual(["c"]);
    expect(await rig.executor.get<"line">(run.id, { runId }).result()).toEqual({ log: ["in", "a1", "b2", "c2", "d1"] });
    expect(stage.runs).toEqual(["a", "b", "c", "b", "c", "d"]);
  });

  it("to before the first activity was done begins the turn anew, with its input once", async () => {
    const run = await rig.executor.execute("line", { id: rig.newId(), input: INPUT });
    await run.result();
    for (const nth of [2, 3]) {
      const runId = await resetRun(rig.client, run.id, 0);
      const { log } = await rig.executor.get<"line">(run.id, { runId }).result();
      expect(log).toEqual(["in", `a${nth}`, `b${nth}`, `c${nth}`, `d${nth}`]);
      expect(stage.runs).toHaveLength(4 * nth);
    }
  });

  it("of a run that waits leaves its question open, and takes one answer", async () => {
    const run = await rig.executor.execute("asking", { id: rig.newId(), input: INPUT });
    const { interrupts } = await rig.settled(run.id);
    await resetRun(rig.client, run.id, 2);
    expect((await rig.settled(run.id)).interrupts).toEqual(interrupts);
    await rig.executor.resume(run.id, { [interrupts[0]!.id]: "yes" });
    expect(await rig.executor.get<"asking">(run.id).result()).toEqual({ log: ["in", "a1", "yes", "c1"] });
    expect(stage.runs).toEqual(["a", "ask", "ask", "c"]);
  });

  it("to before an answer asks anew, and takes another answer", async () => {
    const run = await rig.executor.execute("asking", { id: rig.newId(), input: INPUT });
    const [before] = (await rig.settled(run.id)).interrupts;
    await rig.executor.resume(run.id, { [before!.id]: "yes" });
    await run.result();
    const runId = await resetRun(rig.client, run.id, 2);
    const { interrupts } = await rig.settled(run.id);
    expect(interrupts).toMatchObject([{ kind: "input", value: "May I?" }]);
    expect(interrupts[0]!.id).not.toBe(before!.id);
    await rig.executor.resume(run.id, { [interrupts[0]!.id]: "no" });
    expect(await rig.executor.get<"asking">(run.id, { runId }).result()).toEqual({ log: ["in", "a1", "no", "c2"] });
    expect(stage.runs).toEqual(["a", "ask", "ask", "c", "ask", "ask", "c"]);
  });

  it("to where a fan-out began runs each of its tasks once more, from one fork", async () => {
    const run = await rig.executor.execute("fan", { id: rig.newId(), input: INPUT });
    const values = await run.result();
    stage.runs = [];
    const runId = await resetRun(rig.client, run.id, 2);
    const after = await rig.executor.get<"fan">(run.id, { runId }).result();
    expect(after).toEqual({ log: values.log.with(-1, "gather1") });
    expect([...stage.runs].sort()).toEqual(["gather", "work 0", "work 1", "work 2", "work 3"]);
  });

  it("is still a reset when the database was away in the middle of it", async () => {
    const run = await rig.executor.execute("line", { id: rig.newId(), input: INPUT });
    await run.result();
    let failures = 0;
    beforeFork = () => {
      failures += 1;
      if (failures === 1) throw new PerdureError("CHECKPOINTER_UNREACHABLE", "It is away.", { hint: "" });
    };
    const runId = await resetRun(rig.client, run.id, 3);
    expect(await rig.executor.get<"line">(run.id, { runId }).result()).toEqual({ log: ["in", "a1", "b1", "c2", "d2"] });
    expect(failures).toBe(2);
  });

  it("can be made again, of the run that a reset began", async () => {
    const run = await rig.executor.execute("line", { id: rig.newId(), input: INPUT });
    await run.result();
    await rig.executor.get(run.id, { runId: await resetRun(rig.client, run.id, 4) }).result();
    const runId = await resetRun(rig.client, run.id, 2);
    expect(await rig.executor.get<"line">(run.id, { runId }).result()).toEqual({ log: ["in", "a1", "b2", "c2", "d3"] });
    expect(stage.runs).toEqual(["a", "b", "c", "d", "d", "b", "c", "d"]);
  });
});

describeWithTemporal("a run that was terminated", () => {
  const made = graphs();
  let rig: TemporalRig<typeof made>;
  beforeAll(async () => {
    rig = await temporalRig(made);
  });
  afterAll(() => rig.stop());
  beforeEach(() => {
    stage.runs = [];
    stage.ended = [];
  });

  /** A run that is in the middle of c when it is terminated. */
  async function terminated(): Promise<string> {
    stage.hold("c");
    const run = await rig.executor.execute("line", { id: rig.newId(), input: INPUT });
    await expect.poll(() => stage.runs, { interval: 10 }).toContain("c");
    await rig.client.workflow.getHandle(run.id).terminate();
    return run.id;
  }

  it("goes on when it is executed again without an input; what it had under way is not applied", async () => {
    const id = await terminated();
    const run = await rig.executor.execute("line", { id });
    await expect.poll(() => stage.runs.length, { interval: 10 }).toBe(4);
    stage.release("c");
    await expect.poll(() => stage.ended, { interval: 10 }).toEqual(["c"]);
    expect(await run.result()).toEqual({ log: ["in", "a1", "b1", "c2", "d1"] });
    expect(stage.runs).toEqual(["a", "b", "c", "c", "d"]);
  });

  it("takes a new input with supersede, and none without", async () => {
    const id = await terminated();
    const refused = await rig.executor.execute("line", { id, input: { log: ["second"] } });
    await expect(refused.result()).rejects.toMatchObject({ code: "THREAD_UNFINISHED" });
    const run = await rig.executor.execute("line", { id, input: { log: ["third"] }, supersede: true });
    await expect.poll(() => stage.runs.length, { interval: 10 }).toBeGreaterThanOrEqual(6);
    stage.release("c");
    expect(await run.result()).toEqual({ log: ["in", "a1", "b1", "third", "a2", "b2", "c2", "d1"] });
    expect(stage.runs).toEqual(["a", "b", "c", "a", "b", "c", "d"]);
  });
});
