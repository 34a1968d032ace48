import { randomUUID } from "node:crypto";
import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner } from "perdure/runner";
import { expect, it } from "vitest";
import { collect } from "../support/collect.ts";
import { describeOnEachStore } from "./prune/stores.ts";

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (all, added) => [...all, ...added], default: () => [] }),
});
let effects = 0;
const graph = new StateGraph(State)
  .addNode("ask", () => ({ log: [String(interrupt("which?"))] }))
  .addNode("end", () => ({ log: [`end ${(effects += 1)}`] }))
  .addEdge(START, "ask")
  .addEdge("ask", "end");

describeOnEachStore("copyThread", (store) => {
  const newThread = (): string => `thread-${randomUUID()}`;
  const checkpointsOf = async (threadId: string) =>
    (await collect(store.checkpointer.list({ configurable: { thread_id: threadId } }))).map(
      ({ config: _config, parentConfig, ...rest }) => ({
        ...rest,
        parent: parentConfig?.configurable?.["checkpoint_id"],
      }),
    );
  const asked = async (threadId: string) => {
    const runner = createRunner(graph, { name: "copied", checkpointer: store.checkpointer });
    await runner.start(threadId, { log: ["in"] });
    return runner;
  };

  it("gives both threads the same checkpoints, and each its own way from there", async () => {
    const [one, two] = [newThread(), newThread()];
    const runner = await asked(one);
    await store.checkpointer.copyThread(one, two);
    expect(await checkpointsOf(two)).toEqual(await checkpointsOf(one));
    const before = await checkpointsOf(two);
    const { values: ofOne } = await runner.resume(one, { answer: "left" });
    expect(ofOne.log.slice(0, 2)).toEqual(["in", "left"]);
    expect(await checkpointsOf(two)).toEqual(before);
    const { values: ofTwo } = await runner.resume(two, { answer: "right" });
    expect(ofTwo.log.slice(0, 2)).toEqual(["in", "right"]);
    expect((await runner.inspect(one)).values).toEqual(ofOne);
    await runner.start(two, { log: ["more"] });
    await store.checkpointer.deleteThread(one);
    expect((await runner.inspect(two)).values.log.slice(0, 2)).toEqual(["in", "right"]);
    expect((await runner.inspect(two)).status).toBe("interrupted");
  });

  it("takes answers and the inbox along, and begins with epoch 0", async () => {
    const [one, two] = [newThread(), newThread()];
    const runner = await asked(one);
    const state = await runner.inspect(one);
    const id = state.status === "interrupted" ? (state.interrupts[0]?.id as string) : "";
    await runner.cancel(one, "not now");
    await runner.continue(one);
    await runner.resume(one, { [id]: "left" });
    await runner.signal(one, { name: "later", payload: 1 });
    await store.checkpointer.copyThread(one, two);
    const record = await store.checkpointer.readRecord(one);
    expect(record?.epoch).toBeGreaterThan(0);
    expect(await store.checkpointer.readRecord(two)).toEqual({ ...record, epoch: 0 });
    await expect(runner.resume(two, { [id]: "right" })).rejects.toMatchObject({ code: "INTERRUPT_ALREADY_ANSWERED" });
    expect((await runner.start(two, { log: ["again"] })).status).toBe("interrupted");
  });

  it("goes to no thread that is there, and from none that is not", async () => {
    const { checkpointer } = store;
    const [one, two, three] = [newThread(), newThread(), newThread()];
    await asked(one);
    await asked(two);
    await checkpointer.updateRecord(three, (record) => record);
    const before = await checkpointsOf(two);
    for (const taken of [two, three, one]) {
      await expect(checkpointer.copyThread(one, taken)).rejects.toMatchObject({ code: "THREAD_EXISTS" });
    }
    expect(await checkpointsOf(two)).toEqual(before);
    await expect(checkpointer.copyThread(newThread(), newThread())).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    await expect(checkpointer.copyThread(one, "")).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
  });

  it.each([
    [["a"], "copyThread: `to` can't be undefined"],
    [["a", ""], 'copyThread: `to` can\'t be ""'],
    [["", "b"], 'copyThread: `from` can\'t be ""'],
    [["a\0", "b"], 'copyThread: `from` can\'t be "a\\u0000"'],
    [["a", "\ud800"], "copyThread: `to` can't be"],
  ])("says of %j which is no id of a thread", async (places, message) => {
    const copying = store.checkpointer.copyThread(...(places as [string, string]));
    await expect(copying).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(copying).rejects.toThrow(message);
  });

  it("of several that copy to one thread at once, one does", async () => {
    const two = newThread();
    const sources = [newThread(), newThread(), newThread()];
    for (const source of sources) await asked(source);
    const copies = await Promise.allSettled(sources.map((source) => store.checkpointer.copyThread(source, two)));
    const [won] = copies.flatMap(({ status }, index) => (status === "fulfilled" ? [sources[index] as string] : []));
    expect(copies.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await checkpointsOf(two)).toEqual(await checkpointsOf(won as string));
  });
});
