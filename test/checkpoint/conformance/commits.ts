import { ERROR, INTERRUPT, RESUME } from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import { EMPTY_RECORD } from "perdure/checkpoint";
import type { Checkpointer, ThreadRecord } from "perdure/checkpoint";
import { everything, newThread, put, putWrites, read } from "./store.ts";

const raiseEpoch = (record: ThreadRecord): ThreadRecord => ({ ...record, epoch: record.epoch + 1 });

/** What a commit stores, what a guarded one refuses, and that it is all or nothing. */
export function describeCommits(checkpointer: () => Checkpointer): void {
  describe("a guarded put", () => {
    it("is stored on the head that it names, and on nothing when the thread is new", async () => {
      const threadId = newThread();
      const guard = { onHead: true, epoch: 0 };
      const first = await put(checkpointer(), { threadId, guard, values: { n: 1 } });
      const second = await put(checkpointer(), { threadId, guard, parent: first, values: { n: 2 } });
      const head = await read(checkpointer(), threadId);
      expect(head?.config.configurable?.["checkpoint_id"]).toBe(second);
      expect(head?.parentConfig?.configurable?.["checkpoint_id"]).toBe(first);
      expect(head?.checkpoint.channel_values).toEqual({ n: 2 });
    });

    it("is refused on any other checkpoint than the head, with both in the message, and stores nothing", async () => {
      const threadId = newThread();
      const first = await put(checkpointer(), { threadId });
      const second = await put(checkpointer(), { threadId, parent: first });
      const before = await everything(checkpointer(), threadId);
      const guard = { onHead: true, epoch: 0, record: raiseEpoch };
      for (const parent of [first, undefined, "1ef00000-0000-6000-8000-000000000000"]) {
        const refused = put(checkpointer(), { threadId, guard, parent });
        await expect(refused).rejects.toMatchObject({ code: "CHECKPOINT_CONFLICT" });
        await expect(refused).rejects.toThrow(parent ?? "nothing");
        await expect(refused).rejects.toThrow(second);
      }
      expect(await everything(checkpointer(), threadId)).toEqual(before);
    });

    it("looks at the head of its own namespace only", async () => {
      const threadId = newThread();
      const guard = { onHead: true, epoch: 0 };
      const root = await put(checkpointer(), { threadId, guard });
      const inner = await put(checkpointer(), { threadId, guard, checkpointNs: "ask:1" });
      await put(checkpointer(), { threadId, guard, parent: root });
      await put(checkpointer(), { threadId, guard, checkpointNs: "ask:1", parent: inner });
      await expect(put(checkpointer(), { threadId, guard, checkpointNs: "ask:1", parent: root })).rejects.toMatchObject(
        {
          code: "CHECKPOINT_CONFLICT",
        },
      );
    });

    it("lets exactly one of two through that race for the same head", async () => {
      const threadId = newThread();
      const guard = { onHead: true, epoch: 0 };
      const parent = await put(checkpointer(), { threadId, guard });
      const race = Array.from({ length: 5 }, (_, n) => put(checkpointer(), { threadId, guard, parent, values: { n } }));
      const results = await Promise.allSettled(race);
      const won = results.flatMap((result, n) => (result.status === "fulfilled" ? [n] : []));
      expect(won).toHaveLength(1);
      for (const result of results) {
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "CHECKPOINT_CONFLICT" });
      }
      expect((await read(checkpointer(), threadId))?.checkpoint.channel_values).toEqual({ n: won[0] });
    });

    it("is refused when the head is newer than it, since it would vanish behind it", async () => {
      const threadId = newThread();
      const guard = { onHead: true, epoch: 0 };
      const parent = await put(checkpointer(), { threadId, guard, id: "1f200000-0000-6000-8000-000000000000" });
      const before = await everything(checkpointer(), threadId);
      const late = put(checkpointer(), { threadId, guard, parent, id: "1f100000-0000-6000-8000-000000000000" });
      await expect(late).rejects.toMatchObject({ code: "CHECKPOINT_CONFLICT" });
      expect(await everything(checkpointer(), threadId)).toEqual(before);
    });

    it("changes the record in the same commit", async () => {
      const threadId = newThread();
      const record = (now: ThreadRecord): ThreadRecord => ({
        ...now,
        run: { id: "run-1", inputStep: -1, startedAt: "2026-01-01T00:00:00.000Z", maxSteps: 25 },
      });
      const id = await put(checkpointer(), { threadId, guard: { onHead: true, epoch: 0, record } });
      expect((await read(checkpointer(), threadId))?.config.configurable?.["checkpoint_id"]).toBe(id);
      expect(await checkpointer().readRecord(threadId)).toEqual(record(EMPTY_RECORD));
    });

    it("stores nothing when the change of the record throws", async () => {
      const threadId = newThread();
      const record = (): ThreadRecord => {
        throw new Error("not now");
      };
      await expect(put(checkpointer(), { threadId, guard: { onHead: true, epoch: 0, record } })).rejects.toThrow(
        "not now",
      );
      expect(await everything(checkpointer(), threadId)).toEqual({ checkpoints: [], record: undefined });
    });

    it("without `onHead` is refused for its epoch only", async () => {
      const threadId = newThread();
      const first = await put(checkpointer(), { threadId });
      await put(checkpointer(), { threadId, parent: first });
      await put(checkpointer(), { threadId, parent: first, guard: { onHead: false, epoch: 0 } });
      await expect(
        put(checkpointer(), { threadId, parent: first, guard: { onHead: false, epoch: 1 } }),
      ).rejects.toMatchObject({
        code: "CHECKPOINT_CONFLICT",
      });
    });
  });

  describe("the epoch", () => {
    it("of a thread without a record is 0", async () => {
      const threadId = newThread();
      await expect(put(checkpointer(), { threadId, guard: { onHead: true, epoch: 1 } })).rejects.toThrow(
        /epoch 1.*epoch 0/u,
      );
      await put(checkpointer(), { threadId, guard: { onHead: true, epoch: 0 } });
    });

    it("refuses checkpoints and writes of an older one, and nothing of them is stored", async () => {
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId });
      await checkpointer().updateRecord(threadId, raiseEpoch);
      const before = await everything(checkpointer(), threadId);
      const old = { onHead: true, epoch: 0 };
      await expect(put(checkpointer(), { threadId, parent: checkpointId, guard: old })).rejects.toMatchObject({
        code: "CHECKPOINT_CONFLICT",
      });
      await expect(putWrites(checkpointer(), { threadId, checkpointId, guard: old }, [["n", 1]])).rejects.toMatchObject(
        {
          code: "CHECKPOINT_CONFLICT",
        },
      );
      expect(await everything(checkpointer(), threadId)).toEqual(before);
      const now = { onHead: true, epoch: 1 };
      await putWrites(checkpointer(), { threadId, checkpointId, guard: now }, [["n", 1]]);
      await put(checkpointer(), { threadId, parent: checkpointId, guard: now });
    });
  });

  describe("a commit", () => {
    it("without a guard is never refused: plain LangGraph forks from any checkpoint", async () => {
      const threadId = newThread();
      const first = await put(checkpointer(), { threadId });
      await put(checkpointer(), { threadId, parent: first, values: { n: 1 } });
      await checkpointer().updateRecord(threadId, raiseEpoch);
      const fork = await put(checkpointer(), { threadId, parent: first, values: { n: 2 } });
      const head = await read(checkpointer(), threadId);
      expect(head?.config.configurable?.["checkpoint_id"]).toBe(fork);
      expect(head?.checkpoint.channel_values).toEqual({ n: 2 });
    });

    it("leaves no trace of its guard in what is stored or returned", async () => {
      const threadId = newThread();
      const guard = { onHead: true, epoch: 0 };
      const checkpointId = await put(checkpointer(), { threadId, guard });
      await putWrites(checkpointer(), { threadId, checkpointId, guard }, [["n", 1]]);
      const tuple = await checkpointer().getTuple({
        configurable: { thread_id: threadId, checkpoint_ns: "", checkpoint_id: checkpointId, __perdure_commit: guard },
      });
      expect(tuple?.config).toEqual({
        configurable: { thread_id: threadId, checkpoint_ns: "", checkpoint_id: checkpointId },
      });
      expect(JSON.stringify(await everything(checkpointer(), threadId))).not.toContain("__perdure_commit");
    });

    it("without a thread id, or with one that holds a NUL, is refused", async () => {
      for (const threadId of ["", "nul\0nul"]) {
        await expect(put(checkpointer(), { threadId })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
      }
    });

    it("stores values as they were when it was called, whatever the graph does with them afterwards", async () => {
      const threadId = newThread();
      const values = { list: [1], deep: { list: [1] } };
      const change = (): void => {
        values.list.push(2);
        values.deep.list.push(2);
      };
      const putting = put(checkpointer(), { threadId, values });
      change();
      const checkpointId = await putting;
      const writing = putWrites(checkpointer(), { threadId, checkpointId }, [["deep", values.deep]]);
      change();
      await writing;
      const tuple = await read(checkpointer(), threadId);
      expect(tuple?.checkpoint.channel_values).toEqual({ list: [1], deep: { list: [1] } });
      expect(tuple?.pendingWrites).toEqual([["task", "deep", { list: [1, 2] }]]);
    });

    it("of a value that cannot be stored is refused, with its place in the message, and the thread is as it was", async () => {
      const circle: Record<string, unknown> = {};
      circle["again"] = { circle };
      const values: [unknown, RegExp][] = [
        [{ list: [1, 10n] }, /a bigint at .*list\.1/u],
        [circle, /a reference to what it is part of at .*again\.circle/u],
        [() => 1, /a function/u],
        [Symbol("s"), /a symbol/u],
      ];
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId, values: { n: 1 } });
      const before = await everything(checkpointer(), threadId);
      for (const [value, message] of values) {
        const commits = [
          () => put(checkpointer(), { threadId, parent: checkpointId, values: { good: 1, bad: value } }),
          () =>
            putWrites(checkpointer(), { threadId, checkpointId }, [
              ["good", 1],
              ["bad", value],
            ]),
          () =>
            checkpointer().commitAnswers(threadId, {
              headCheckpointId: checkpointId,
              answers: [{ interruptId: "i", answer: value }],
            }),
        ];
        for (const commit of commits) {
          const refused = commit();
          await expect(refused).rejects.toMatchObject({ code: "VALUE_UNSERIALIZABLE" });
          await expect(refused).rejects.toThrow(message);
        }
      }
      expect(await everything(checkpointer(), threadId)).toEqual(before);
      await put(checkpointer(), { threadId, values: { text: "[Circular]", list: ["[Circular]"] } });
    });

    it("takes 20 threads at once", async () => {
      const threads = Array.from({ length: 20 }, newThread);
      await Promise.all(
        threads.map(async (threadId, n) => {
          const checkpointId = await put(checkpointer(), {
            threadId,
            values: { n },
            guard: { onHead: true, epoch: 0 },
          });
          await putWrites(checkpointer(), { threadId, checkpointId }, [["n", n + 1]]);
        }),
      );
      for (const [n, threadId] of threads.entries()) {
        const tuple = await read(checkpointer(), threadId);
        expect(tuple?.checkpoint.channel_values).toEqual({ n });
        expect(tuple?.pendingWrites).toEqual([["task", "n", n + 1]]);
      }
    });

    it("keeps every character of a value, NUL and lone surrogates too, and bytes as bytes", async () => {
      const threadId = newThread();
      const values = { text: "a\0b", half: "\ud83d", bytes: new Uint8Array([0, 255, 10]), empty: "", nothing: null };
      const checkpointId = await put(checkpointer(), { threadId, values });
      await putWrites(checkpointer(), { threadId, checkpointId }, Object.entries(values), "ta\u00e9sk");
      const tuple = await read(checkpointer(), threadId);
      expect(tuple?.checkpoint.channel_values).toEqual(values);
      expect(tuple?.pendingWrites).toHaveLength(5);
      expect(tuple?.pendingWrites).toEqual(
        expect.arrayContaining(Object.entries(values).map(([name, value]) => ["ta\u00e9sk", name, value])),
      );
    });
  });

  describe("writes of a task", () => {
    it("are stored once, whole: of a task that was run twice the first result stands", async () => {
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId });
      const at = { threadId, checkpointId, guard: { onHead: false, epoch: 0 } };
      await putWrites(checkpointer(), at, [["log", "first"]]);
      await putWrites(checkpointer(), at, [
        ["log", "second"],
        ["extra", "second"],
      ]);
      expect((await read(checkpointer(), threadId))?.pendingWrites).toEqual([["task", "log", "first"]]);
    });

    it("are kept as first written, while errors, interrupts and resumes are replaced", async () => {
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId });
      await putWrites(checkpointer(), { threadId, checkpointId }, [
        ["n", 1],
        [ERROR, "first"],
        [RESUME, ["a"]],
      ]);
      await putWrites(checkpointer(), { threadId, checkpointId }, [
        ["n", 2],
        [ERROR, "second"],
        [RESUME, ["a", "b"]],
      ]);
      await putWrites(checkpointer(), { threadId, checkpointId }, [[INTERRUPT, "question"]]);
      const pending = (await read(checkpointer(), threadId))?.pendingWrites ?? [];
      expect(Object.fromEntries(pending.map(([, channel, value]) => [channel, value]))).toEqual({
        n: 1,
        [ERROR]: "second",
        [RESUME]: ["a", "b"],
        [INTERRUPT]: "question",
      });
      expect(pending).toHaveLength(4);
    });

    it("belong to one task, one checkpoint and one namespace", async () => {
      const threadId = newThread();
      const root = await put(checkpointer(), { threadId });
      const inner = await put(checkpointer(), { threadId, checkpointNs: "ask:1" });
      await putWrites(checkpointer(), { threadId, checkpointId: root }, [["n", 1]], "one");
      await putWrites(checkpointer(), { threadId, checkpointId: root }, [["n", 2]], "two");
      await putWrites(checkpointer(), { threadId, checkpointNs: "ask:1", checkpointId: inner }, [["n", 3]], "one");
      expect((await read(checkpointer(), threadId))?.pendingWrites).toEqual([
        ["one", "n", 1],
        ["two", "n", 2],
      ]);
      expect((await read(checkpointer(), threadId, { checkpointNs: "ask:1" }))?.pendingWrites).toEqual([
        ["one", "n", 3],
      ]);
    });
  });
}
