import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import type { Backend, Store } from "./store.ts";
import { collect, everything, newThread, put, putWrites, read } from "./store.ts";

/** Opening, sharing and closing. */
export function describeLifecycle(backend: Backend): void {
  let store: Store;
  beforeAll(async () => {
    store = await backend.fresh();
  });
  afterAll(() => store.remove?.());

  describe("a closed checkpointer", () => {
    it("may be closed again, and refuses every other call with CHECKPOINTER_CLOSED", async () => {
      const checkpointer = await store.open();
      await Promise.all([checkpointer.close(), checkpointer.close()]);
      await checkpointer.close();
      const config = { configurable: { thread_id: "t", checkpoint_ns: "" } };
      const calls: Record<string, () => Promise<unknown>> = {
        put: () => put(checkpointer, { threadId: "t" }),
        putWrites: () => putWrites(checkpointer, { threadId: "t", checkpointId: "c" }, [["n", 1]]),
        get: () => checkpointer.get(config),
        getTuple: () => checkpointer.getTuple(config),
        list: () => collect(checkpointer.list(config)),
        deleteThread: () => checkpointer.deleteThread("t"),
        getDeltaChannelHistory: () => checkpointer.getDeltaChannelHistory({ config, channels: ["n"] }),
        newestBelow: () => checkpointer.newestBelow("t", ["ask:1"]),
        readRecord: () => checkpointer.readRecord("t"),
        updateRecord: () => checkpointer.updateRecord("t", (record) => record),
        commitAnswers: () => checkpointer.commitAnswers("t", { headCheckpointId: "c", answers: [] }),
        readAnswer: () => checkpointer.readAnswer("t", "i"),
        prune: () => checkpointer.prune({ keepNewest: 1 }),
        copyThread: () => checkpointer.copyThread("t", "u"),
        lockThread: () => checkpointer.lockThread("t", { mode: "shared", wait: false }),
      };
      for (const [name, call] of Object.entries(calls)) {
        await expect(call(), name).rejects.toMatchObject({ code: "CHECKPOINTER_CLOSED" });
      }
      await expect(checkpointer.readRecord("t")).rejects.toThrow(checkpointer.description);
    });

    it("has lost the locks that it held, and fails those who waited for one", async () => {
      const checkpointer = await store.open();
      const threadId = newThread();
      const held = await checkpointer.lockThread(threadId, { mode: "exclusive", wait: false });
      const waiting = checkpointer.lockThread(threadId, { mode: "exclusive", wait: true });
      expect(held?.lost.aborted).toBe(false);
      const [failed] = await Promise.allSettled([waiting, checkpointer.close()]);
      expect(failed).toMatchObject({ status: "rejected", reason: { code: "CHECKPOINTER_CLOSED" } });
      expect(held?.lost.aborted).toBe(true);
      expect(held?.lost.reason).toMatchObject({ code: "CHECKPOINTER_CLOSED" });
      await held?.release();
      const next = await store.open();
      expect(await next.lockThread(threadId, { mode: "exclusive", wait: false })).toBeDefined();
      await next.close();
    });
  });

  if (backend.durable) {
    it("opened again, it has everything that was there", async () => {
      const threadId = newThread();
      const first = await store.open();
      const checkpointId = await put(first, { threadId, values: { n: 1, text: "a\0b" } });
      await putWrites(first, { threadId, checkpointId }, [["n", 2]]);
      await first.updateRecord(threadId, (record) => ({ ...record, epoch: 5 }));
      await first.commitAnswers(threadId, {
        headCheckpointId: checkpointId,
        answers: [{ interruptId: "i", answer: 0 }],
      });
      const before = await everything(first, threadId);
      const answer = await first.readAnswer(threadId, "i");
      await first.close();

      const second = await store.open();
      expect(await everything(second, threadId)).toEqual(before);
      expect(await second.readAnswer(threadId, "i")).toEqual(answer);
      expect((await read(second, threadId))?.checkpoint.channel_values).toEqual({ n: 1, text: "a\0b" });
      await second.close();
    });
  }

  if (backend.shared) {
    describe("two openers of one store", () => {
      let one: Checkpointer;
      let two: Checkpointer;
      beforeAll(async () => {
        [one, two] = await Promise.all([store.open(), store.open()]);
      });
      afterAll(() => Promise.all([one.close(), two.close()]));

      it("see what the other has committed as soon as its call returned", async () => {
        const threadId = newThread();
        const checkpointId = await put(one, { threadId, values: { n: 1 } });
        await putWrites(two, { threadId, checkpointId }, [["n", 2]]);
        await one.updateRecord(threadId, (record) => ({ ...record, epoch: 1 }));
        expect((await read(one, threadId))?.pendingWrites).toEqual([["task", "n", 2]]);
        expect(await two.readRecord(threadId)).toMatchObject({ epoch: 1 });
      });

      it("that race for a head of a thread: one wins each time, and the chain has no gap and no fork", async () => {
        const threadId = newThread();
        const guard = { onHead: true, epoch: 0 };
        let parent = await put(one, { threadId, guard });
        for (let round = 0; round < 10; round += 1) {
          const results = await Promise.allSettled(
            [one, two, one, two].map((checkpointer) => put(checkpointer, { threadId, guard, parent })),
          );
          const won = results.filter((result) => result.status === "fulfilled");
          expect(won).toHaveLength(1);
          const next = won[0]?.value as string;
          expect((await read(two, threadId))?.parentConfig?.configurable?.["checkpoint_id"]).toBe(parent);
          parent = next;
        }
        expect(await collect(one.list({ configurable: { thread_id: threadId } }))).toHaveLength(11);
      });

      it("that answer one interrupt at once: one is accepted, the other learns that it differs", async () => {
        const threadId = newThread();
        const headCheckpointId = await put(one, { threadId });
        const task = { checkpointNs: "", checkpointId: headCheckpointId, taskId: "task", earlier: [] };
        const commit = (by: Checkpointer, answer: string) =>
          by.commitAnswers(threadId, { headCheckpointId, answers: [{ interruptId: "i", answer, task }] });
        const outcomes = await Promise.all([commit(one, "approve"), commit(two, "reject")]);
        expect(outcomes.flat().toSorted()).toEqual(["accepted", "different"]);
      });

      it("lose no change of a record that both make at once", async () => {
        const threadId = newThread();
        const raise = (by: Checkpointer) =>
          by.updateRecord(threadId, (record) => ({ ...record, epoch: record.epoch + 1 }));
        await Promise.all(Array.from({ length: 20 }, (_, n) => raise(n % 2 === 0 ? one : two)));
        expect(await one.readRecord(threadId)).toMatchObject({ epoch: 20 });
      });
    });
  }
}
