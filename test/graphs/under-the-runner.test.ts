import { HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import { openCheckpointer } from "perdure/checkpoint";
import { cappedEdge, dag, mapReduce, reactGraph } from "perdure/graphs";
import { createRunner } from "perdure/runner";
import type { Runner } from "perdure/runner";
import { expect, test } from "vitest";
import { z } from "zod";

import { memoryRunner } from "../support/memory-runner.ts";
import { startOpenAiServer } from "../support/openai-server.ts";

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
});

/** Drives a started thread to its end with a call for each ready task, the last one first. */
async function stepThrough<Input, Values>(runner: Runner<Input, Values>, threadId: string) {
  let calls = 0;
  for (let state = await runner.inspect(threadId); state.status === "ready"; state = await runner.inspect(threadId)) {
    const last = state.tasks.at(-1);
    await runner.step(threadId, last === undefined ? {} : { tasks: [last.id] });
    if ((calls += 1) > 200) throw new Error("does not come to an end");
  }
  return runner.inspect(threadId);
}

/** The thread's checkpoints, oldest first, without what is different by chance: ids. */
async function checkpoints<Input, Values>(runner: Runner<Input, Values>, threadId: string) {
  const all: unknown[] = [];
  for await (const { next, values } of runner.history(threadId)) {
    all.unshift(
      JSON.parse(JSON.stringify({ next, values }, (key, value: unknown) => (key === "id" ? undefined : value))),
    );
  }
  return all;
}

test("H8: the cap holds when a new call drives each task", async () => {
  const graph = new StateGraph(State)
    .addNode("write", () => ({ log: ["write"] }))
    .addNode("giveUp", () => ({ log: ["give up"] }))
    .addEdge(START, "write");
  const { runner } = await memoryRunner(cappedEdge(graph, { from: "write", to: "write", max: 3, onLimit: "giveUp" }));
  await runner.update("stepped", {}, { asNode: START as never });
  const { values } = await stepThrough(runner, "stepped");
  expect(values.log).toEqual(["write", "write", "write", "write", "give up"]);
  expect((await runner.start("stepped", {})).values.log).toHaveLength(2 * 5);
});

test("I5: reactGraph commits the same checkpoints whether driven at once or task by task, in another process's order", async () => {
  const server = await startOpenAiServer((request) =>
    request.messages.length < 8
      ? {
          calls: [
            { name: "look", args: { city: "Rome" }, id: "a" },
            { name: "look", args: { city: "Oslo" }, id: "b" },
          ],
        }
      : { text: "Done." },
  );
  const look = tool(({ city }) => `sunny in ${city}`, {
    name: "look",
    description: "",
    schema: z.object({ city: z.string() }),
  });
  const model = new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.baseURL } });
  const graph = reactGraph({ model, tools: [look] });
  const checkpointer = await openCheckpointer("memory:");
  const runner = createRunner(graph, { name: "agent", checkpointer });
  const input = { messages: [new HumanMessage({ content: "Weather?", id: "question" })] };
  await runner.start("at once", input);
  await runner.update("stepped", input, { asNode: START as never });
  await stepThrough(createRunner(graph, { name: "agent", checkpointer }), "stepped");
  const [atOnce, stepped] = [await checkpoints(runner, "at once"), await checkpoints(runner, "stepped")];
  expect(stepped).toEqual(atOnce.slice(1)); // but for the input's, which an update does not have
  expect(atOnce.length).toBeGreaterThan(6);
  await server.close();
});

test("a dag that failed is an error, and continue runs what is not done", async () => {
  let broken = true;
  const ran: string[] = [];
  const step = (name: string) => () => {
    ran.push(name);
    if (name === "pay" && broken) throw new Error("declined");
    return { log: [name] };
  };
  const graph = dag({
    state: State,
    nodes: {
      look: step("look"),
      pay: { run: step("pay"), after: ["look"] },
      ship: { run: step("ship"), after: ["pay"] },
    },
  });
  const { runner } = await memoryRunner(graph);
  expect(await runner.start("a", {})).toMatchObject({
    status: "error",
    error: { node: "settle", message: expect.stringContaining("declined") },
  });
  broken = false;
  expect(await runner.continue("a")).toMatchObject({
    status: "done",
    values: { log: ["look", "pay", "ship"], failures: [] },
  });
  expect(ran).toEqual(["look", "pay", "pay", "ship"]);
});

test("items of a mapReduce that one call each drives come out in their order, approvals among them", async () => {
  const graph = mapReduce({
    state: State,
    items: () => ["a", "b", "c"],
    approve: (item) => ({ args: { item } }),
    map: (item) => item.toUpperCase(),
    reduce: (results) => ({ log: [...results] }),
  });
  const { runner } = await memoryRunner(graph);
  const { interrupts } = await runner.start("a", {});
  expect(interrupts).toHaveLength(3);
  for (const { id } of interrupts.toReversed()) {
    await runner.resume("a", { [id]: { decisions: [{ type: "approve" }] } });
  }
  expect(await runner.inspect("a")).toMatchObject({ status: "done", values: { log: ["A", "B", "C"] } });
});

test("a thread that waits at an approval of a reactGraph is resumed by another runner on the same checkpointer", async () => {
  const server = await startOpenAiServer([
    { calls: [{ name: "refund", args: { amount: 40 }, id: "money" }] },
    { text: "Refunded." },
  ]);
  const moved: number[] = [];
  const refund = tool(
    ({ amount }) => {
      moved.push(amount);
      return "ok";
    },
    { name: "refund", description: "", schema: z.object({ amount: z.number() }) },
  );
  const model = new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.baseURL } });
  const build = () => reactGraph({ model, tools: [refund], approve: ["refund"] });
  const { runner, checkpointer } = await memoryRunner(build());
  const asked = await runner.start("a", { messages: "My money!" });
  expect(asked).toMatchObject({ status: "interrupted", interrupts: [{ kind: "approval", node: "act" }] });
  const { runner: other } = await memoryRunner(build(), { checkpointer });
  const done = await other.resume("a", { answer: { decisions: [{ type: "approve" }] } });
  expect(done.status).toBe("done");
  expect(moved).toEqual([40]);
  expect(done.values.messages.at(-1)?.text).toBe("Refunded.");
  await server.close();
});
