/**
 * LangGraph stores what a task asks as an object before 1.7, and as a list since. A runner reads both, whichever is
 * installed, since a thread outlives an update; and what one stored that took the list for an object.
 */
import { START, StateGraph, interrupt } from "@langchain/langgraph";
import type { PendingWrite } from "@langchain/langgraph-checkpoint";
import { storedInterrupts } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { requestApproval, waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import type { ThreadState } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { DriveSaver } from "../../src/runner/drive-saver.ts";
import type { AskedInterrupt } from "../../src/runner/drive-saver.ts";
import { put } from "../checkpoint/conformance/store.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

interface Stored {
  readonly value?: unknown;
  readonly perdure?: object;
}

const withoutMark = ({ perdure: _mark, ...interrupt }: Stored): Stored => interrupt;

/** The forms in which a task's interrupts may be stored. */
const FORMS: readonly (readonly [name: string, form: (interrupts: readonly Stored[]) => unknown])[] = [
  ["one object, the last", (interrupts) => interrupts.at(-1)],
  ["a list", (interrupts) => interrupts],
  [
    "a list that was spread",
    (interrupts) => Object.assign({}, interrupts.map(withoutMark), { perdure: interrupts.at(-1)?.perdure }),
  ],
  ["one object without a mark, as by LangGraph alone", (interrupts) => withoutMark(interrupts.at(-1) ?? {})],
  ["a list without marks, as by LangGraph alone", (interrupts) => interrupts.map(withoutMark)],
];

/** Stores all questions of the thread anew in another form. */
async function restore(
  checkpointer: Checkpointer,
  threadId: string,
  form: (interrupts: readonly Stored[]) => unknown,
): Promise<void> {
  for (const { config, pendingWrites = [] } of await checkpointer.newestBelow(threadId, [""])) {
    for (const [taskId, channel, value] of pendingWrites) {
      if (channel !== "__interrupt__") continue;
      await checkpointer.putWrites(config, [[channel, form(storedInterrupts<Stored>(value))]], taskId);
    }
  }
}

const asked = ({ interrupts }: Pick<ThreadState, "interrupts">) =>
  interrupts.map(({ value }) => String(value)).toSorted();
const idOf = ({ interrupts }: Pick<ThreadState, "interrupts">, question: string) =>
  interrupts.find(({ value }) => value === question)!.id;

const approve = { decisions: [{ type: "approve" }] };
const desk = new StateGraph(TextLog)
  .addNode("desk", async () => {
    const { decisions } = await requestApproval({ actions: [{ name: "refund", args: { amount: 40 } }] });
    const { tracking } = await waitForSignal("shipped", z.object({ tracking: z.string() }));
    return { log: `${decisions[0]?.type} ${tracking}` };
  })
  .addEdge(START, "desk");

const sideBySide = new StateGraph(TextLog)
  .addNode("one", () => ({ log: `one ${String(interrupt("one?"))}` }))
  .addNode("two", () => ({ log: `two ${String(interrupt("two?"))}` }))
  .addEdge(START, "one")
  .addEdge(START, "two");
const below = new StateGraph(TextLog).addNode("below", sideBySide.compile()).addEdge(START, "below");

describeOnEachCheckpointer("a question that is stored as", (store) => {
  describe.each(FORMS)("%s", (name, form) => {
    test("an approval is one, with its schema: what does not fit is refused", async () => {
      const runner = createRunner(desk, { name: "desk", checkpointer: store.checkpointer });
      const thread = store.newThread();
      const first = await runner.start(thread, {});
      await restore(store.checkpointer, thread, form);
      const shown = await runner.inspect(thread);
      expect(shown.interrupts).toEqual(first.interrupts);
      expect(shown.interrupts).toMatchObject([{ kind: "approval", schema: { type: "object" } }]);
      await expect(runner.resume(thread, { answer: { nonsense: 1 } })).rejects.toMatchObject({
        code: "ANSWER_INVALID",
      });

      const waits = await runner.resume(thread, { [first.interrupts[0]!.id]: approve });
      expect(waits.interrupts).toMatchObject([{ kind: "signal", value: { name: "shipped" } }]);
      // what follows on an answer to the runner has its mark
      if (!name.includes("alone")) await restore(store.checkpointer, thread, form);
      await runner.signal(thread, { name: "shipped", payload: { tracking: "X1" } });
      expect(await runner.inspect(thread)).toMatchObject({ status: "done", values: { log: ["approve X1"] } });
    });

    test("two of a subgraph are open side by side, and each gets its own answer (H1, H19)", async () => {
      const runner = createRunner(below, { name: "below", checkpointer: store.checkpointer });
      const thread = store.newThread();
      const both = await runner.start(thread, {});
      await restore(store.checkpointer, thread, form);
      const shown = await runner.inspect(thread);
      expect(asked(shown)).toEqual(["one?", "two?"]);
      expect(idOf(shown, "one?")).toBe(idOf(both, "one?"));
      await expect(runner.resume(thread, { answer: "yes" })).rejects.toMatchObject({ code: "INTERRUPT_AMBIGUOUS" });

      const left = await runner.resume(thread, { [idOf(shown, "two?")]: "b" });
      expect(asked(left)).toEqual(["one?"]);
      await restore(store.checkpointer, thread, form);
      const done = await runner.resume(thread, { answer: "a" });
      expect(done).toMatchObject({ status: "done", values: { log: ["one a", "two b"] } });
    });
  });
});

describe("what a drive stores of a question", () => {
  async function drive() {
    const { checkpointer } = await memoryRunner(desk);
    const head = await put(checkpointer, { threadId: "a" });
    const told: AskedInterrupt[] = [];
    const saver = new DriveSaver({
      checkpointer,
      threadId: "a",
      epoch: 0,
      head: undefined,
      tasks: new Map(),
      record: undefined,
      onHead: true,
      plannedOn: head,
      ranToEnd: () => false,
      onInterrupt: (one) => told.push(one),
      onFailure: () => {},
    });
    const config = { configurable: { thread_id: "a", checkpoint_ns: "", checkpoint_id: head } };
    const write = async (taskId: string, writes: PendingWrite[], ns = ""): Promise<unknown> => {
      await saver.putWrites({ configurable: { ...config.configurable, checkpoint_ns: ns } }, writes, taskId);
      const tuple = await checkpointer.getTuple(config);
      return tuple?.pendingWrites?.filter(([id]) => id === taskId).map(([, channel, value]) => [channel, value]);
    };
    return { write, told };
  }
  const question = { id: "1", value: "one?" };
  const other = { id: "2", value: "two?" };

  test("is marked in the form that it has", async () => {
    const mark = { answers: 0, nested: false };
    const { write, told } = await drive();
    expect(await write("a", [["__interrupt__", question]])).toEqual([
      ["__interrupt__", { ...question, perdure: mark }],
    ]);
    expect(await write("b", [["__interrupt__", [other]]])).toEqual([["__interrupt__", [{ ...other, perdure: mark }]]]);
    expect(told.map(({ taskId, interrupt }) => [taskId, interrupt.value])).toEqual([
      ["a", "one?"],
      ["b", "two?"],
    ]);
  });

  test("is the mark of a repeated one where a subgraph asked it, and it is told once", async () => {
    const { write, told } = await drive();
    await write("one", [["__interrupt__", [question]]], "below:root");
    await write("two", [["__interrupt__", [other]]], "below:root");
    const repeated = { answers: 0, nested: true };
    expect(await write("root", [["__interrupt__", [question, other]]])).toEqual([
      [
        "__interrupt__",
        [
          { ...question, perdure: repeated },
          { ...other, perdure: repeated },
        ],
      ],
    ]);
    expect(told).toHaveLength(2);
  });

  test("is an error where one task asks several at once: no answer could name one of them (H1)", async () => {
    const { write, told } = await drive();
    const stored = (await write("a", [["__interrupt__", [question, other]]])) as unknown[];
    expect(stored).toMatchObject([["__error__", { name: "PerdureError", code: "GRAPH_UNSUPPORTED" }]]);
    expect(told).toEqual([]);
  });
});
