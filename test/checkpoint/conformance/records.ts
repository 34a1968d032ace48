import { HumanMessage } from "@langchain/core/messages";
import { describe, expect, it } from "vitest";
import { EMPTY_RECORD } from "perdure/checkpoint";
import type { Checkpointer, StoredSignal, ThreadRecord } from "perdure/checkpoint";
import { everything, newThread, put, putWrites } from "./store.ts";

/** The record of a thread, and the end of a thread. */
export function describeRecords(checkpointer: () => Checkpointer): void {
  describe("a thread's record", () => {
    it("is undefined until somebody changes it, also when the thread has checkpoints", async () => {
      const threadId = newThread();
      expect(await checkpointer().readRecord(threadId)).toBeUndefined();
      await put(checkpointer(), { threadId });
      expect(await checkpointer().readRecord(threadId)).toBeUndefined();
    });

    it("starts as the empty one, is returned as stored, and is what the next change gets", async () => {
      const threadId = newThread();
      const seen: ThreadRecord[] = [];
      const raise = (record: ThreadRecord): ThreadRecord => {
        seen.push(record);
        return { ...record, epoch: record.epoch + 1 };
      };
      expect(await checkpointer().updateRecord(threadId, raise)).toEqual({ ...EMPTY_RECORD, epoch: 1 });
      expect(await checkpointer().updateRecord(threadId, raise)).toEqual({ ...EMPTY_RECORD, epoch: 2 });
      expect(seen).toEqual([EMPTY_RECORD, { ...EMPTY_RECORD, epoch: 1 }]);
      expect(await checkpointer().readRecord(threadId)).toEqual({ ...EMPTY_RECORD, epoch: 2 });
    });

    it("does not create a checkpoint", async () => {
      const threadId = newThread();
      await checkpointer().updateRecord(threadId, (record) => record);
      expect(await everything(checkpointer(), threadId)).toEqual({ checkpoints: [], record: EMPTY_RECORD });
    });

    it("loses no change of 20 that are made at once", async () => {
      const threadId = newThread();
      const names = Array.from({ length: 20 }, (_, n) => `signal-${n}`);
      await Promise.all(names.map((name) => checkpointer().updateRecord(threadId, (record) => received(record, name))));
      const record = await checkpointer().readRecord(threadId);
      expect(record?.signals.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    });

    it("stays as it was when the change throws", async () => {
      const threadId = newThread();
      await checkpointer().updateRecord(threadId, (record) => ({ ...record, epoch: 7 }));
      const failing = checkpointer().updateRecord(threadId, () => {
        throw new Error("no");
      });
      await expect(failing).rejects.toThrow("no");
      expect(await checkpointer().readRecord(threadId)).toEqual({ ...EMPTY_RECORD, epoch: 7 });
    });

    it("holds what a serializer can hold: messages, NUL characters, undefined, dates as text", async () => {
      const threadId = newThread();
      const payload = { message: new HumanMessage({ content: "hi\0", id: "m1" }), nothing: undefined, zero: 0 };
      await checkpointer().updateRecord(threadId, (record) => received(record, "mail\0", payload));
      const [signal] = (await checkpointer().readRecord(threadId))?.signals ?? [];
      expect(signal).toMatchObject({ name: "mail\0", payload });
      expect(signal?.payload).toHaveProperty("message", expect.any(HumanMessage));
    });

    it("is not changed by what the caller later does to its objects", async () => {
      const threadId = newThread();
      const payload = { n: 1 };
      const returned = await checkpointer().updateRecord(threadId, (record) => received(record, "s", payload));
      payload.n = 2;
      for (const signal of returned.signals) Object.assign(signal.payload as object, { n: 3 });
      expect((await checkpointer().readRecord(threadId))?.signals[0]?.payload).toEqual({ n: 1 });
    });
  });

  describe("deleteThread", () => {
    it("removes checkpoints, writes, record and answers of that thread and of no other", async () => {
      const [gone, kept] = [newThread(), newThread()];
      for (const threadId of [gone, kept]) {
        const checkpointId = await put(checkpointer(), { threadId, values: { n: 1 } });
        await putWrites(checkpointer(), { threadId, checkpointId }, [["n", 2]]);
        await checkpointer().updateRecord(threadId, (record) => ({ ...record, epoch: 3 }));
        const outcome = await checkpointer().commitAnswers(threadId, {
          headCheckpointId: checkpointId,
          answers: [{ interruptId: "i1", answer: "yes" }],
        });
        expect(outcome).toEqual(["accepted"]);
      }
      const before = await everything(checkpointer(), kept);
      await checkpointer().deleteThread(gone);
      expect(await everything(checkpointer(), gone)).toEqual({ checkpoints: [], record: undefined });
      expect(await checkpointer().readAnswer(gone, "i1")).toBeUndefined();
      expect(await everything(checkpointer(), kept)).toEqual(before);
      expect(await checkpointer().readAnswer(kept, "i1")).toMatchObject({ answer: "yes" });
    });

    it("lets the thread begin anew, in epoch 0 and with nothing before", async () => {
      const threadId = newThread();
      await checkpointer().updateRecord(threadId, (record) => ({ ...record, epoch: 3 }));
      await put(checkpointer(), { threadId });
      await checkpointer().deleteThread(threadId);
      await put(checkpointer(), { threadId, guard: { onHead: true, epoch: 0 } });
    });
  });
}

function received(record: ThreadRecord, name: string, payload: unknown = null): ThreadRecord {
  const signal: StoredSignal = { id: name, name, payload, at: "2026-01-01T00:00:00.000Z" };
  return { ...record, signals: [...record.signals, signal] };
}
