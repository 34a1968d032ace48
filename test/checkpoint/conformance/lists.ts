import { INTERRUPT, RESUME } from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import { interruptId } from "perdure/checkpoint";
import type { Checkpointer, ListPage, ListPageOptions } from "perdure/checkpoint";
import { newThread, put, putWrites } from "./store.ts";

/** The lists of threads and of open questions. */
export function describeLists(checkpointer: () => Checkpointer): void {
  /** Every page, as a caller would read them. */
  async function all<Item>(list: (page: ListPageOptions) => Promise<ListPage<Item>>, limit: number): Promise<Item[]> {
    const items: Item[] = [];
    for (let after: string | undefined; ;) {
      const page = await list({ limit, ...(after === undefined ? {} : { after }) });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      items.push(...page.items);
      if (page.next === undefined) return items;
      after = page.next;
    }
  }
  const openIn = async (threadId: string) =>
    (await all((page) => checkpointer().listInterrupts(page), 1000)).filter((open) => open.threadId === threadId);
  const ask = (threadId: string, checkpointId: string, taskId: string, question: unknown, checkpointNs = "") =>
    putWrites(checkpointer(), { threadId, checkpointNs, checkpointId }, [[INTERRUPT, question]], taskId);

  describe("the list of threads", () => {
    it("has every thread once, the newest first, whatever the size of a page", async () => {
      const threads = [newThread(), newThread(), newThread()];
      for (const threadId of threads) await put(checkpointer(), { threadId });
      for (const limit of [1, 2, 1000]) {
        const listed = await all((page) => checkpointer().listThreads(page), limit);
        const ids = listed.map(({ threadId }) => threadId);
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids.filter((id) => threads.includes(id))).toEqual(threads.toReversed());
      }
    });

    it("says which checkpoint is the head, when it was made and how many questions are open", async () => {
      const threadId = newThread();
      const before = Date.now();
      const head = await put(checkpointer(), { threadId, parent: await put(checkpointer(), { threadId }) });
      await ask(threadId, head, "one", { id: "1", value: "?" });
      await ask(threadId, head, "two", { id: "2", value: "?" });
      const { items } = await checkpointer().listThreads({ limit: 1 });
      expect(items).toEqual([{ threadId, checkpointId: head, updatedAt: expect.any(String), openInterrupts: 2 }]);
      expect(Math.abs(Date.parse(items[0]?.updatedAt ?? "") - before)).toBeLessThan(60_000);
      expect((await checkpointer().listThreads({ limit: 1, interrupted: true })).items).toEqual(items);
      await put(checkpointer(), { threadId, parent: head });
      const interrupted = await all((page) => checkpointer().listThreads({ ...page, interrupted: true }), 1000);
      expect(interrupted.map((listed) => listed.threadId)).not.toContain(threadId);
    });

    it("has no thread whose first change was refused", async () => {
      const threadId = newThread();
      const refused = checkpointer().updateRecord(threadId, () => {
        throw new RangeError("refused");
      });
      await expect(refused).rejects.toThrow("refused");
      const { items } = await checkpointer().listThreads({ limit: 1 });
      expect(items.map((listed) => listed.threadId)).not.toContain(threadId);
      expect(await checkpointer().readRecord(threadId)).toBeUndefined();
    });

    it.each([
      { limit: 0 },
      { limit: 1001 },
      { after: "?" },
      ...[[1, 2], ["abc"], [1.5], [-1], [null], [1e300], ["x", 1, "a", "b"], [1, 1, "a\0", "b"], { 0: 1 }].map(
        (key) => ({
          after: Buffer.from(JSON.stringify(key)).toString("base64url"),
        }),
      ),
    ])("refuses %j", async (options) => {
      for (const list of [checkpointer().listThreads(options), checkpointer().listInterrupts(options)]) {
        await expect(list).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
      }
    });
  });

  describe("the list of open questions", () => {
    it("goes on after a question of a subgraph that lies deep", async () => {
      const threadId = newThread();
      const head = await put(checkpointer(), { threadId });
      const checkpointNs = Array.from({ length: 40 }, (_, depth) => `subgraph:${depth}-of-a-task-with-a-long-id`).join(
        "|",
      );
      const below = await put(checkpointer(), { threadId, checkpointNs });
      await ask(threadId, below, "one", { id: "1", value: "deep" }, checkpointNs);
      await ask(threadId, below, "two", { id: "2", value: "deep too" }, checkpointNs);
      await ask(threadId, head, "last", { id: "3", value: "at the root" });
      const listed = await all((page) => checkpointer().listInterrupts(page), 1);
      const values = listed.filter((open) => open.threadId === threadId).map(({ value }) => value);
      expect(values).toHaveLength(3);
      expect(values).toEqual(expect.arrayContaining(["at the root", "deep", "deep too"]));
    });

    it("has a question from when it is asked until its task has its result", async () => {
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId });
      await ask(threadId, checkpointId, "a", { id: "of LangGraph", value: { amount: 5 } });
      await ask(threadId, checkpointId, "b", { id: "other", value: "b?" });
      expect(await openIn(threadId)).toEqual([
        {
          id: "of LangGraph",
          threadId,
          checkpointNs: "",
          taskId: "a",
          value: { amount: 5 },
          askedAt: expect.any(String),
        },
        expect.objectContaining({ id: "other", taskId: "b" }),
      ]);
      await putWrites(checkpointer(), { threadId, checkpointId }, [["n", 1]], "a");
      expect((await openIn(threadId)).map(({ taskId }) => taskId)).toEqual(["b"]);
    });

    it("loses a question with its answer, and has the next one of the same task", async () => {
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId });
      const mark = (answers: number) => ({ id: "x", value: answers, perdure: { answers, nested: false } });
      await ask(threadId, checkpointId, "a", mark(0));
      const [first] = await openIn(threadId);
      const task = { checkpointNs: "", checkpointId, taskId: "a", earlier: [] };
      const answer = { interruptId: first!.id, answer: "yes", task };
      await checkpointer().commitAnswers(threadId, { headCheckpointId: checkpointId, answers: [answer] });
      expect(await openIn(threadId)).toEqual([]);
      await putWrites(checkpointer(), { threadId, checkpointId }, [[RESUME, ["yes"]]], "a");
      await ask(threadId, checkpointId, "a", mark(1));
      const [second] = await openIn(threadId);
      expect(second).toMatchObject({ value: 1, taskId: "a" });
      expect(second?.id).not.toBe(first?.id);
      // What the task came to read is written back while the question is still open.
      await putWrites(checkpointer(), { threadId, checkpointId }, [[RESUME, ["yes"]]], "a");
      expect(await openIn(threadId)).toEqual([second]);
    });

    it.each([
      ["one by one, as LangGraph before 1.7 does", (question: object) => question],
      ["in a list, as LangGraph since 1.7 does", (question: object) => [question]],
      ["in a list that was spread", (question: object) => Object.assign({}, [question])],
    ])("has a question whose task stored it %s", async (_, form) => {
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId });
      await ask(threadId, checkpointId, "a", form({ id: "of LangGraph", value: { amount: 5 } }));
      await ask(threadId, checkpointId, "b", form({ id: "x", value: "b?", perdure: { answers: 0, nested: false } }));
      await ask(threadId, checkpointId, "c", form({ id: "y", value: "c?", perdure: { answers: 0, nested: true } }));
      expect((await openIn(threadId)).map(({ id, value }) => ({ id, value }))).toEqual([
        { id: "of LangGraph", value: { amount: 5 } },
        { id: interruptId("b", 0), value: "b?" },
      ]);
      await putWrites(checkpointer(), { threadId, checkpointId }, [[RESUME, ["yes"]]], "b");
      expect((await openIn(threadId)).map(({ taskId }) => taskId)).toEqual(["a"]);
    });

    it("has the questions that a subgraph asks side by side once each, though the root repeats them all", async () => {
      const threadId = newThread();
      const head = await put(checkpointer(), { threadId });
      const inner = await put(checkpointer(), { threadId, checkpointNs: "ask:outer-task" });
      const [one, two] = [
        { id: "1", value: "one?" },
        { id: "2", value: "two?" },
      ];
      await ask(threadId, inner, "one", [one], "ask:outer-task");
      await ask(threadId, inner, "two", [two], "ask:outer-task");
      await ask(threadId, head, "outer-task", [one, two]);
      expect(await openIn(threadId)).toMatchObject([one, two]);
    });

    it("has no question that comes when the thread has gone on already", async () => {
      const threadId = newThread();
      const checkpointId = await put(checkpointer(), { threadId });
      await put(checkpointer(), { threadId, parent: checkpointId });
      await ask(threadId, checkpointId, "a", { id: "late", value: "?" });
      expect(await openIn(threadId)).toEqual([]);
      const { items } = await checkpointer().listThreads({ limit: 1 });
      expect(items).toMatchObject([{ threadId, openInterrupts: 0 }]);
    });

    it("has what a subgraph asks once, from there, and loses it when the root goes on", async () => {
      const threadId = newThread();
      const head = await put(checkpointer(), { threadId });
      const inner = await put(checkpointer(), { threadId, checkpointNs: "ask:outer-task" });
      await ask(threadId, inner, "inner-task", { id: "same", value: "?" }, "ask:outer-task");
      await ask(threadId, head, "outer-task", { id: "same", value: "?" });
      expect(await openIn(threadId)).toMatchObject([
        { id: "same", checkpointNs: "ask:outer-task", taskId: "inner-task" },
      ]);
      expect((await checkpointer().listThreads({ limit: 1 })).items).toMatchObject([{ threadId, openInterrupts: 1 }]);
      await put(checkpointer(), { threadId, parent: head });
      expect(await openIn(threadId)).toEqual([]);
    });

    it("is empty of a thread that is deleted", async () => {
      const threadId = newThread();
      await ask(threadId, await put(checkpointer(), { threadId }), "a", { id: "i", value: 1 });
      await checkpointer().deleteThread(threadId);
      expect(await openIn(threadId)).toEqual([]);
    });
  });
}
