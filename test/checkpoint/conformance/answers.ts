import { HumanMessage } from "@langchain/core/messages";
import { ERROR, INTERRUPT, RESUME, SCHEDULED } from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import type { AnswerOutcome, AnswerToCommit, Checkpointer, ThreadRecord } from "perdure/checkpoint";
import { everything, newThread, put, putWrites, read } from "./store.ts";

/** A thread on which a task has asked something. */
interface Asked {
  readonly threadId: string;
  readonly head: string;
  /** An answer to the task's question. */
  answer(interruptId: string, answer: unknown, earlier?: readonly unknown[], taskId?: string): AnswerToCommit;
  commit(...answers: AnswerToCommit[]): Promise<AnswerOutcome[]>;
}

const raiseEpoch = (record: ThreadRecord): ThreadRecord => ({ ...record, epoch: record.epoch + 1 });

/** Answers to interrupts: committed once, all of them or none (I3). */
export function describeAnswers(checkpointer: () => Checkpointer): void {
  async function ask(checkpointNs = ""): Promise<Asked> {
    const threadId = newThread();
    const head = await put(checkpointer(), { threadId });
    const checkpointId = checkpointNs === "" ? head : await put(checkpointer(), { threadId, checkpointNs });
    await putWrites(checkpointer(), { threadId, checkpointNs, checkpointId }, [[INTERRUPT, "sure?"]]);
    return {
      threadId,
      head,
      answer: (interruptId, answer, earlier = [], taskId = "task") => ({
        interruptId,
        answer,
        task: { checkpointNs, checkpointId, taskId, earlier },
      }),
      commit: (...answers) => checkpointer().commitAnswers(threadId, { headCheckpointId: head, answers }),
    };
  }

  async function resumesOf({ threadId }: Asked, checkpointNs = ""): Promise<unknown[]> {
    const pending = (await read(checkpointer(), threadId, { checkpointNs }))?.pendingWrites ?? [];
    // MemorySaver lists writes as they came, the others by task.
    return pending.filter(([, channel]) => channel === RESUME).toSorted(([a], [b]) => a.localeCompare(b));
  }

  async function answersOf({ threadId }: Asked, ...interruptIds: string[]): Promise<unknown[]> {
    const found = await Promise.all(interruptIds.map((id) => checkpointer().readAnswer(threadId, id)));
    return found.map((answer) => answer?.answer);
  }

  describe("an answer", () => {
    it("becomes the task's resume and is kept with the time at which it was committed", async () => {
      const asked = await ask();
      const before = Date.now();
      expect(await asked.commit(asked.answer("i1", { type: "approve" }))).toEqual(["accepted"]);
      expect(await resumesOf(asked)).toEqual([["task", RESUME, [{ type: "approve" }]]]);
      const recorded = await checkpointer().readAnswer(asked.threadId, "i1");
      expect(recorded).toEqual({ interruptId: "i1", answer: { type: "approve" }, at: expect.any(String) });
      expect(Date.parse(recorded?.at ?? "")).toBeGreaterThanOrEqual(before);
      expect(Date.parse(recorded?.at ?? "")).toBeLessThanOrEqual(Date.now());
      expect(recorded?.at).toBe(new Date(recorded?.at ?? "").toISOString());
    });

    it("to a later question of the same task comes after the earlier ones", async () => {
      const asked = await ask();
      await asked.commit(asked.answer("i1", "a"));
      expect(await asked.commit(asked.answer("i2", "b", ["a"]))).toEqual(["accepted"]);
      expect(await asked.commit(asked.answer("i3", "c", ["a", "b"]))).toEqual(["accepted"]);
      expect(await resumesOf(asked)).toEqual([["task", RESUME, ["a", "b", "c"]]]);
    });

    it("goes to the task in its own namespace and checkpoint", async () => {
      const asked = await ask("ask:1|inner:2");
      expect(await asked.commit(asked.answer("i1", "a"))).toEqual(["accepted"]);
      expect(await resumesOf(asked, "ask:1|inner:2")).toEqual([["task", RESUME, ["a"]]]);
      expect(await resumesOf(asked)).toEqual([]);
    });

    it("to a breakpoint, which no task asks, is kept and writes nothing to a task", async () => {
      const asked = await ask();
      expect(await asked.commit({ interruptId: "b1", answer: null })).toEqual(["accepted"]);
      expect(await checkpointer().readAnswer(asked.threadId, "b1")).toMatchObject({ answer: null });
      expect(await resumesOf(asked)).toEqual([]);
      expect(await asked.commit({ interruptId: "b1", answer: null })).toEqual(["same"]);
      expect(await asked.commit({ interruptId: "b1", answer: "other" })).toEqual(["different"]);
    });

    it("is any value, also a falsy one, bytes and messages", async () => {
      const values = [false, 0, "", null, undefined, [], {}, "a\0b", new Uint8Array([0, 1]), new HumanMessage("hi")];
      for (const value of values) {
        const asked = await ask();
        expect(await asked.commit(asked.answer("i1", value))).toEqual(["accepted"]);
        expect(await resumesOf(asked)).toEqual([["task", RESUME, [value]]]);
        expect(await checkpointer().readAnswer(asked.threadId, "i1")).toMatchObject({
          interruptId: "i1",
          answer: value,
        });
        expect(await asked.commit(asked.answer("i1", value))).toEqual(["same"]);
        expect(await asked.commit(asked.answer("i1", "another one"))).toEqual(["different"]);
      }
    });

    it("given again is the same one by its value, whatever the order of its keys", async () => {
      const asked = await ask();
      await asked.commit(asked.answer("i1", { a: 1, b: [{ c: 2, d: 3 }] }));
      expect(await asked.commit(asked.answer("i1", { b: [{ d: 3, c: 2 }], a: 1 }))).toEqual(["same"]);
      expect(await asked.commit(asked.answer("i1", { a: 1, b: [{ c: 2 }] }))).toEqual(["different"]);
    });

    it("is still the same or a different one when the thread has gone on", async () => {
      const asked = await ask();
      await asked.commit(asked.answer("i1", "yes"));
      await putWrites(checkpointer(), { threadId: asked.threadId, checkpointId: asked.head }, [["n", 1]]);
      await put(checkpointer(), { threadId: asked.threadId, parent: asked.head });
      expect(await asked.commit(asked.answer("i1", "yes"))).toEqual(["same"]);
      expect(await asked.commit(asked.answer("i1", "no"))).toEqual(["different"]);
    });

    it("never answered, on a thread that has gone on, is stale", async () => {
      const asked = await ask();
      await put(checkpointer(), { threadId: asked.threadId, parent: asked.head });
      expect(await asked.commit(asked.answer("i1", "yes"))).toEqual(["stale"]);
      expect(await asked.commit({ interruptId: "b1", answer: true })).toEqual(["stale"]);
      expect(await answersOf(asked, "i1", "b1")).toEqual([undefined, undefined]);
    });

    it("is stale on a thread that does not exist", async () => {
      const answers = [{ interruptId: "i1", answer: 1 }];
      expect(await checkpointer().commitAnswers(newThread(), { headCheckpointId: "none", answers })).toEqual(["stale"]);
    });

    it("is stale unless the task has exactly the earlier answers it names", async () => {
      const asked = await ask();
      expect(await asked.commit(asked.answer("i2", "b", ["a"]))).toEqual(["stale"]);
      await asked.commit(asked.answer("i1", "a"));
      for (const earlier of [[], ["b"], ["a", "a"], [["a"]]]) {
        expect(await asked.commit(asked.answer("i2", "b", earlier))).toEqual(["stale"]);
      }
      expect(await resumesOf(asked)).toEqual([["task", RESUME, ["a"]]]);
    });

    it("is stale when its task has written its result", async () => {
      const asked = await ask();
      const at = { threadId: asked.threadId, checkpointId: asked.head };
      await putWrites(checkpointer(), at, [["n", 1]]);
      expect(await asked.commit(asked.answer("i1", "yes"))).toEqual(["stale"]);
      expect(await resumesOf(asked)).toEqual([]);
    });

    it("is accepted when its task only failed or was scheduled, or when another task has written its result", async () => {
      const asked = await ask();
      const at = { threadId: asked.threadId, checkpointId: asked.head };
      await putWrites(checkpointer(), at, [[ERROR, "down"]]);
      await putWrites(checkpointer(), at, [[SCHEDULED, null]]);
      await putWrites(checkpointer(), at, [["n", 1]], "sibling");
      expect(await asked.commit(asked.answer("i1", "yes"))).toEqual(["accepted"]);
    });
  });

  describe("several answers", () => {
    it("are all stored, to siblings and to one task in a row", async () => {
      const asked = await ask();
      const outcomes = await asked.commit(
        asked.answer("i1", "a"),
        asked.answer("i2", "b", [], "sibling"),
        asked.answer("i3", "c", ["a"]),
      );
      expect(outcomes).toEqual(["accepted", "accepted", "accepted"]);
      expect(await resumesOf(asked)).toEqual([
        ["sibling", RESUME, ["b"]],
        ["task", RESUME, ["a", "c"]],
      ]);
    });

    it("are not stored, none of them, when one is stale or different; each outcome is told", async () => {
      const asked = await ask();
      await asked.commit(asked.answer("i1", "a"));
      const before = await everything(checkpointer(), asked.threadId);
      const commit = { headCheckpointId: asked.head, record: raiseEpoch };
      for (const [bad, outcome] of [
        [asked.answer("i1", "other"), "different"],
        [asked.answer("i9", "x", ["never"], "sibling"), "stale"],
      ] as const) {
        const answers = [asked.answer("i1", "a"), asked.answer("i2", "b", ["a"]), bad];
        expect(await checkpointer().commitAnswers(asked.threadId, { ...commit, answers })).toEqual([
          "same",
          "accepted",
          outcome,
        ]);
        expect(await everything(checkpointer(), asked.threadId)).toEqual(before);
        expect(await answersOf(asked, "i1", "i2", "i9")).toEqual(["a", undefined, undefined]);
      }
    });

    it("to one interrupt in one commit: the first counts", async () => {
      const asked = await ask();
      expect(await asked.commit(asked.answer("i1", "a"), asked.answer("i1", "b"))).toEqual(["accepted", "different"]);
      expect(await asked.commit(asked.answer("i1", "a"), asked.answer("i1", "a"))).toEqual(["accepted", "same"]);
      expect(await resumesOf(asked)).toEqual([["task", RESUME, ["a"]]]);
    });

    it("of two people at once: the first wins, the other is told that it differs", async () => {
      const asked = await ask();
      const people = ["approve", "reject", "approve", "edit"];
      const outcomes = await Promise.all(people.map((answer) => asked.commit(asked.answer("i1", answer))));
      const winner = people[outcomes.findIndex(([outcome]) => outcome === "accepted")];
      expect(outcomes.flat().filter((outcome) => outcome === "accepted")).toHaveLength(1);
      expect(outcomes.flat()).toEqual(
        people.map((answer, n) =>
          outcomes[n]?.[0] === "accepted" ? "accepted" : answer === winner ? "same" : "different",
        ),
      );
      expect(await resumesOf(asked)).toEqual([["task", RESUME, [winner]]]);
    });
  });

  describe("the record beside an answer", () => {
    it("is changed in the same commit", async () => {
      const asked = await ask();
      const commit = { headCheckpointId: asked.head, answers: [asked.answer("i1", 1)], record: raiseEpoch };
      expect(await checkpointer().commitAnswers(asked.threadId, commit)).toEqual(["accepted"]);
      expect(await checkpointer().readRecord(asked.threadId)).toMatchObject({ epoch: 1 });
    });

    it("is not changed when every answer was there already", async () => {
      const asked = await ask();
      await asked.commit(asked.answer("i1", 1));
      const commit = { headCheckpointId: asked.head, answers: [asked.answer("i1", 1)], record: raiseEpoch };
      expect(await checkpointer().commitAnswers(asked.threadId, commit)).toEqual(["same"]);
      expect(await checkpointer().readRecord(asked.threadId)).toBeUndefined();
    });

    it("that cannot be changed keeps the answer out too", async () => {
      const asked = await ask();
      const record = (): ThreadRecord => {
        throw new Error("the signal is gone");
      };
      const commit = { headCheckpointId: asked.head, answers: [asked.answer("i1", 1)], record };
      await expect(checkpointer().commitAnswers(asked.threadId, commit)).rejects.toThrow("the signal is gone");
      expect(await checkpointer().readAnswer(asked.threadId, "i1")).toBeUndefined();
      expect(await resumesOf(asked)).toEqual([]);
    });
  });
}
