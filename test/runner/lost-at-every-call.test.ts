/** A run goes on by itself when the connection to its checkpointer is lost and found again. */
import { START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { once, waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { overriding } from "../support/crash-overriding.ts";
import { TextLog } from "../support/text-log.ts";
import { unreliableCheckpointer } from "../support/unreliable-checkpointer.ts";
import type { Loss } from "../support/unreliable-checkpointer.ts";

beforeAll(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.setTimerTickMode("nextTimerAsync");
});
afterAll(() => {
  vi.useRealTimers();
});

/** What happened, in order: a node began, an effect was done, a task's result was stored. */
interface Note {
  readonly what: "began" | "effect" | "stored";
  readonly id: string;
}

/** A fan-out, a question beside a wait for a signal, a subgraph with an effect under `once` and a question. */
function everything(notes: Note[]) {
  const told =
    <State>(line: (state: State) => string | Promise<string>) =>
    async (state: State, { executionInfo }: LangGraphRunnableConfig) => {
      notes.push({ what: "began", id: executionInfo?.taskId ?? "" });
      return { log: await line(state) };
    };
  const pay = ({ idempotencyKey }: { idempotencyKey: string }) => {
    notes.push({ what: "effect", id: idempotencyKey });
    return "paid";
  };
  const inner = new StateGraph(TextLog)
    .addNode(
      "pay",
      told(() => once("pay", pay)),
    )
    .addNode(
      "confirm",
      told(() => `confirmed ${String(interrupt("confirm?"))}`),
    )
    .addEdge(START, "pay")
    .addEdge("pay", "confirm");
  return new StateGraph(TextLog)
    .addNode(
      "part",
      told(({ part }: { part: number }) => `part ${part}`),
    )
    .addNode(
      "ask",
      told(() => `asked ${String(interrupt("sure?"))}`),
    )
    .addNode(
      "wait",
      told(async () => `got ${await waitForSignal("go", z.string())}`),
    )
    .addNode("inner", inner.compile())
    .addNode(
      "after",
      told(({ log }: { log: string[] }) => `after ${log.length}`),
    )
    .addConditionalEdges(START, () => [0, 1].map((part) => new Send("part", { part })))
    .addEdge("part", "ask")
    .addEdge("part", "wait")
    .addEdge(["ask", "wait"], "inner")
    .addEdge("inner", "after");
}

/** Notes the tasks whose results a store has, whether or not anybody heard of it. */
function notingResults(checkpointer: Checkpointer, notes: Note[]): Checkpointer {
  const putWrites: Checkpointer["putWrites"] = async (config, writes, taskId) => {
    await checkpointer.putWrites(config, writes, taskId);
    if (writes.some(([channel]) => channel === "log")) notes.push({ what: "stored", id: taskId });
  };
  return overriding(checkpointer, { putWrites });
}

/** Takes a thread through `everything`, and loses the connection where it says; returns all that can be compared. */
async function run(losses: readonly Loss[]) {
  const notes: Note[] = [];
  const store = await openCheckpointer("memory:");
  const { checkpointer, calls } = unreliableCheckpointer(notingResults(store, notes), losses);
  const runner = createRunner(everything(notes), { name: "all", checkpointer });
  const states = [
    await runner.start("t", { log: "began" }),
    await runner.signal("t", { name: "go", payload: "gone" }),
    await runner.resume("t", { answer: false }),
    await runner.resume("t", { answer: "yes" }),
  ];
  const made = calls.length;
  const history = (await collect(runner.history("t"))).map(({ step, next, values }) => ({ step, next, values }));
  const statuses = states.map((state) => state?.status);
  return { statuses, history, notes, signals: (await store.readRecord("t"))?.signals, calls: made };
}

/** Ids of tasks that began although their result was stored. */
function ranAgain(notes: readonly Note[]): string[] {
  return notes.flatMap(({ what, id }, index) => {
    const isStored = notes.slice(0, index).some((note) => note.what === "stored" && note.id === id);
    return what === "began" && isStored ? [id] : [];
  });
}

describe("when the connection is lost at any of the calls that need it", () => {
  const undisturbed = run([]);

  test.each<[string, (call: number) => Loss[]]>([
    ["before the store did it, and once more soon", (call) => [before(call), after(call + 4)]],
    ["after the store did it", (call) => [after(call)]],
  ])(
    "%s: nobody hears of it, values and history are the same, and no finished task runs again",
    async (_, lossesAt) => {
      const { calls, ...expected } = await undisturbed;
      expect(expected.statuses).toEqual(["interrupted", "interrupted", "interrupted", "done"]);
      let repeated = 0;
      for (let call = 1; call <= calls; call += 1) {
        const lost = await run(lossesAt(call)).catch(
          (error: unknown) => new Error(`at call ${call}`, { cause: error }),
        );
        if (lost instanceof Error) throw lost;
        const { statuses, history, notes, signals } = lost;
        expect({ statuses, history, signals }, `at call ${call}`).toEqual({
          statuses: expected.statuses,
          history: expected.history,
          signals: [],
        });
        expect(ranAgain(notes), `at call ${call}`).toEqual([]); // I2
        const effects = notes.filter(({ what }) => what === "effect").map(({ id }) => id);
        expect(new Set(effects).size, `at call ${call}`).toBe(1);
        repeated += effects.length - 1;
      }
      expect(repeated).toBeLessThanOrEqual(1); // only where its record was not stored
    },
  );
});

const before = (call: number): Loss => ({ call, side: "before" });
const after = (call: number): Loss => ({ call, side: "after" });
