import { describe, expect, it } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import { EMPTY_RECORD } from "perdure/checkpoint";
import { collect, newThread, put, putWrites, read } from "./store.ts";

/** Postgres's text takes no NUL, and half a surrogate pair would be stored as U+FFFD. */
const UNSTORABLE = ["a\0b", "a\ud800", "\udc00"] as const;

/** What cannot be an id in every store is one in none. */
export function describeIds(checkpointer: () => Checkpointer): void {
  describe.each(UNSTORABLE)("the id %j", (id) => {
    const refused = (work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code: "OPTIONS_INVALID" });

    it("is refused for a thread by every method that changes one", async () => {
      const there = newThread();
      await put(checkpointer(), { threadId: there });
      const saver = checkpointer();
      await refused(put(saver, { threadId: id }));
      await refused(putWrites(saver, { threadId: id, checkpointId: "c" }, [["n", 1]]));
      await refused(saver.updateRecord(id, () => EMPTY_RECORD));
      await refused(saver.commitAnswers(id, { headCheckpointId: "c", answers: [] }));
      await refused(saver.copyThread(id, newThread()));
      await refused(saver.copyThread(there, id));
      await refused(saver.deleteThread(id));
      await refused(saver.prune({ threadId: id, keepNewest: 1 }));
      await refused(saver.lockThread(id, { mode: "exclusive", wait: false }));
    });

    it("is refused for a namespace, a checkpoint, its parent, a task and an interrupt", async () => {
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId });
      await refused(put(checkpointer(), { threadId, checkpointNs: id }));
      await refused(put(checkpointer(), { threadId, id }));
      await refused(put(checkpointer(), { threadId, parent: id }));
      await refused(putWrites(checkpointer(), { threadId, checkpointNs: id, checkpointId }, [["n", 1]]));
      await refused(putWrites(checkpointer(), { threadId, checkpointId: id }, [["n", 1]]));
      await refused(putWrites(checkpointer(), { threadId, checkpointId }, [["n", 1]], id));
      const answer = { interruptId: id, answer: "yes" };
      await refused(checkpointer().commitAnswers(threadId, { headCheckpointId: checkpointId, answers: [answer] }));
      const task = { checkpointNs: id, checkpointId, taskId: "task", earlier: [] };
      const answers = [{ interruptId: "i", answer: "yes", task }];
      await refused(checkpointer().commitAnswers(threadId, { headCheckpointId: checkpointId, answers }));
      expect(await collect(checkpointer().list({ configurable: { thread_id: threadId } }))).toHaveLength(1);
    });

    it("finds nothing, also where an id that it could be taken for is there", async () => {
      const threadId = newThread();
      const alike = id.toWellFormed().replace("\0", "");
      await put(checkpointer(), { threadId: alike });
      await checkpointer().updateRecord(alike, (record) => record);
      const head = await put(checkpointer(), { threadId, checkpointNs: alike });
      const answers = [{ interruptId: alike, answer: "yes" }];
      const root = await put(checkpointer(), { threadId });
      await checkpointer().commitAnswers(threadId, { headCheckpointId: root, answers });

      const saver = checkpointer();
      expect(await read(saver, id)).toBeUndefined();
      expect(await read(saver, threadId, { checkpointNs: id })).toBeUndefined();
      expect(await read(saver, threadId, { checkpointId: id })).toBeUndefined();
      expect(await saver.readRecord(id)).toBeUndefined();
      expect(await saver.readAnswer(id, "i")).toBeUndefined();
      expect(await saver.readAnswer(threadId, id)).toBeUndefined();
      expect(await saver.newestBelow(id, [""])).toEqual([]);
      expect(await saver.newestBelow(threadId, [id])).toEqual([]);
      for (const configurable of [
        { thread_id: id },
        { thread_id: threadId, checkpoint_ns: id },
        { thread_id: threadId, checkpoint_id: id },
      ]) {
        expect(await collect(saver.list({ configurable }))).toEqual([]);
      }
      const before = { configurable: { thread_id: threadId, checkpoint_id: id } };
      expect(await collect(saver.list({ configurable: { thread_id: threadId } }, { before }))).toEqual([]);
      expect(head).not.toBe(root);
      await saver.deleteThread(alike);
    });
  });
}
