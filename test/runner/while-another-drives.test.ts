/** What two calls at one thread leave to each other, and what they must not; found by the explorer. */
import { START, StateGraph, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { expect, test } from "vitest";
import { commitInput } from "../support/commit-input.ts";
import { overriding } from "../support/crash-overriding.ts";
import { TextLog } from "../support/text-log.ts";
import { threeNodes } from "../support/three-nodes.ts";

test("an answer that comes while `continue` has the thread and finds nothing to do is gone on with", async () => {
  const graph = new StateGraph(TextLog)
    .addNode("ask", () => ({ log: `told ${String(interrupt("sure?"))}` }))
    .addEdge(START, "ask");
  const checkpointer = await openCheckpointer("memory:");
  const runner = createRunner(graph, { name: "answers", checkpointer });
  const { interrupts } = await runner.start("t", {});

  const looked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  let hasLock = false;
  const slow = overriding(checkpointer, {
    lockThread: async (...given) => {
      hasLock = true;
      return checkpointer.lockThread(...given);
    },
    readRecord: async (threadId) => {
      if (hasLock) {
        looked.resolve(); // the head is read, and the lock is held
        await answered.promise;
      }
      return checkpointer.readRecord(threadId);
    },
  });
  const continued = createRunner(graph, { name: "continues", checkpointer: slow }).continue("t");
  await looked.promise;
  const left = await runner.resume("t", { [interrupts[0]?.id ?? ""]: "yes" });
  answered.resolve();

  expect(left).toMatchObject({ status: "ready" }); // who has the thread goes on with it
  expect(await continued).toMatchObject({ status: "done", values: { log: ["told yes"] } });
});

test("I4: a turn is not begun on a thread that moved on since it was looked at, whoever thinks to have the lock", async () => {
  const { graph } = threeNodes();
  const checkpointer = await openCheckpointer("memory:");
  const looked = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const stolen = overriding(checkpointer, {
    lockThread: async () => ({ lost: new AbortController().signal, release: async () => {} }),
    getTuple: async (config) => {
      const tuple = await checkpointer.getTuple(config);
      if (tuple === undefined) {
        looked.resolve(); // nothing is stored of it
        await begun.promise;
      }
      return tuple;
    },
  });
  const second = createRunner(graph, { name: "second", checkpointer: stolen }).start("t", { log: "second" });
  await looked.promise;
  const first = createRunner(graph, { name: "first", checkpointer });
  const state = await first.start("t", { log: "first" }, { maxSteps: 1 });
  begun.resolve();

  await expect(second).rejects.toMatchObject({ code: "CHECKPOINT_CONFLICT" });
  expect(state).toMatchObject({ status: "ready", next: ["b"], values: { log: ["first", "a"] } });
  expect(await first.inspect("t")).toEqual(state);
});

test("I4: a change of the state stands on the state that was looked at, without results that came later", async () => {
  const graph = new StateGraph(TextLog)
    .addNode("left", () => ({ log: "left" }))
    .addNode("right", () => ({ log: "right" }))
    .addEdge(START, "left")
    .addEdge(START, "right");
  const checkpointer = await openCheckpointer("memory:");
  const first = createRunner(graph, { name: "first", checkpointer });
  const { tasks } = await commitInput(first, checkpointer, "t", { log: "input" });
  const left = tasks.filter(({ node }) => node === "left").map(({ id }) => id);
  let looked = false;
  const stolen = overriding(checkpointer, {
    lockThread: async () => ({ lost: new AbortController().signal, release: async () => {} }),
    readRecord: async (threadId) => {
      const record = await checkpointer.readRecord(threadId);
      if (!looked) await first.step(threadId, { tasks: left });
      looked = true;
      return record;
    },
  });
  const second = createRunner(graph, { name: "second", checkpointer: stolen });
  const state = await second.update("t", { log: "changed" }, { asNode: "__start__" as never });
  expect(state).toMatchObject({ next: ["left", "right"], values: { log: ["input", "changed"] } });
});

test("I1: a fork whose copy did not become the head is an error, and not a fork", async () => {
  const { graph } = threeNodes();
  const checkpointer = await openCheckpointer("memory:");
  const first = createRunner(graph, { name: "first", checkpointer });
  const { checkpointId } = await commitInput(first, checkpointer, "t", { log: "input" });
  const stolen = overriding(checkpointer, {
    lockThread: async () => ({ lost: new AbortController().signal, release: async () => {} }),
    put: async (...given) => {
      await first.continue("t"); // the copy has its id by now
      return checkpointer.put(...given);
    },
  });
  const forked = createRunner(graph, { name: "second", checkpointer: stolen }).fork("t", { checkpointId });
  await expect(forked).rejects.toMatchObject({ code: "CHECKPOINT_CONFLICT" });
  expect(await first.inspect("t")).toMatchObject({ status: "done", values: { log: ["input", "a", "b", "c"] } });
});
