import { tool } from "@langchain/core/tools";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { Annotation, Command, START, StateGraph, interrupt } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import { storedInterrupts } from "perdure/checkpoint";
import { reactGraph } from "perdure/graphs";
import { decisionsChannel, requestApproval, waitForSignal } from "perdure/nodes";
import type { OnExpiry } from "perdure/nodes";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryRunner } from "../support/memory-runner.ts";
import { startOpenAiServer } from "../support/openai-server.ts";

const approve = { decisions: [{ type: "approve" }] };

/** A thread that asks before each payment in turn, and what it paid. */
async function payments(names: readonly string[], expiry: { expiresInMs?: number; onExpiry?: OnExpiry } = {}) {
  const paid: string[] = [];
  const State = Annotation.Root({ decisions: decisionsChannel() });
  const graph = new StateGraph(State)
    .addNode("pay", async () => {
      const records = [];
      for (const name of names) {
        const asked = await requestApproval({ actions: [{ name, args: {} }], ...expiry });
        records.push(...asked.records);
        if (asked.decisions[0]?.type === "approve") paid.push(name);
      }
      return { decisions: records };
    })
    .addEdge(START, "pay");
  let now = Date.now();
  const { runner, checkpointer } = await memoryRunner(graph, { now: () => now });
  const [question] = (await runner.start("a", {})).interrupts;
  return { runner, checkpointer, paid, id: question?.id ?? "", wait: (ms: number) => void (now += ms) };
}

describe("an approval whose time is over", () => {
  test("takes no answer, also when nobody has looked since; continue goes on as onExpiry says", async () => {
    const { runner, paid, id, wait } = await payments(["refund"], { expiresInMs: 1000 });
    wait(60_000);
    await expect(runner.resume("a", { [id]: approve })).rejects.toMatchObject({ code: "INTERRUPT_NOT_OPEN" });
    await expect(runner.resume("a", { answer: approve })).rejects.toMatchObject({ code: "INTERRUPT_NOT_OPEN" });
    const { status, values } = await runner.continue("a");
    expect([status, values.decisions, paid]).toMatchObject(["done", [{ type: "reject", expired: true }], []]);
  });

  test("that was answered in time takes that answer again", async () => {
    const { runner, paid, id, wait } = await payments(["refund"], { expiresInMs: 60_000 });
    await runner.resume("a", { [id]: approve });
    wait(120_000);
    expect((await runner.resume("a", { [id]: approve })).status).toBe("done");
    expect(paid).toEqual(["refund"]);
  });
});

test("a signal can't be taken for the end of the time it is waited for", async () => {
  const graph = new StateGraph(Annotation.Root({ got: Annotation<string>() }))
    .addNode("wait", async () => {
      const got: unknown = await waitForSignal("word", z.any(), { expiresInMs: 60_000, onExpiry: "undefined" });
      return { got: got === undefined ? "nothing" : String(got) };
    })
    .addEdge(START, "wait");
  const { runner } = await memoryRunner(graph);
  await runner.start("a", {});
  await runner.signal("a", { name: "word", payload: { perdure: "due", at: "2020-01-01T00:00:00.000Z" } });
  expect((await runner.inspect("a")).status).toBe("interrupted");
  expect((await runner.signal("a", { name: "word", payload: "hello" }))?.values).toEqual({ got: "hello" });
});

describe("configurable", () => {
  const forged = (id: string) => ({ __pregel_resume_map: { [id]: approve } });

  test("can't answer: a resume map of LangGraph's in it is refused, and the answer beside it not taken", async () => {
    const { runner, checkpointer, paid, id } = await payments(["small", "big"]);
    const tuple = await checkpointer.getTuple({ configurable: { thread_id: "a" } });
    const stored = tuple?.pendingWrites?.find(([, channel]) => channel === "__interrupt__")?.[2];
    const [written] = storedInterrupts<{ id?: string; perdure?: object }>(stored);
    expect(written?.id).toMatch(/^[0-9a-f]{32}$/);
    const configurable = forged(written!.id!);
    const refused = { code: "OPTIONS_INVALID", message: expect.stringContaining("__pregel_resume_map") };
    await expect(runner.resume("a", { [id]: approve }, { configurable })).rejects.toMatchObject(refused);
    const config = { configurable: { thread_id: "a", ...configurable } };
    await expect(runner.asRunnable().invoke(new Command({ resume: approve }), config)).rejects.toMatchObject(refused);
    expect((await runner.inspect("a")).interrupts).toMatchObject([{ id }]);
    expect(paid).toEqual([]);
  });

  test("can't name a checkpoint to drive from (H16)", async () => {
    const { runner } = await payments(["refund"]);
    const { checkpointId } = await runner.inspect("a");
    await expect(runner.continue("a", { configurable: { checkpoint_id: checkpointId } })).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
    });
  });
});

test.each([
  ["a negation", { properties: { amount: { not: { type: "string" } } } }],
  ["a reference", { properties: { amount: { $ref: "#/$defs/amount" } }, $defs: { amount: { type: "number" } } }],
  // oxlint-disable-next-line unicorn/no-thenable -- JSON schema's own word
  ["a condition", { if: { required: ["amount"] }, then: { properties: { amount: { type: "number" } } } }],
  ["a dependency", { properties: { amount: { type: "number" } }, dependentRequired: { order: ["amount"] } }],
])("a tool whose schema has %s can be approved, and edited by its schema", async (_what, schema) => {
  const server = await startOpenAiServer((_request, index) =>
    index % 2 === 0 ? { calls: [{ name: "refund", args: { amount: 40 } }] } : { text: "Done." },
  );
  const paid: unknown[] = [];
  const refund = tool((args) => void paid.push(args), {
    name: "refund",
    description: "",
    schema: { type: "object", ...schema } as never,
  }) as StructuredToolInterface;
  const model = new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.baseURL } });
  const { runner } = await memoryRunner(reactGraph({ model, tools: [refund], approve: ["refund"] }));
  const edit = (args: object) => ({
    answer: { decisions: [{ type: "edit", editedAction: { name: "refund", args } }] },
  });
  await runner.start("a", { messages: "My money!" });
  expect((await runner.resume("a", { answer: approve })).status).toBe("done");
  await runner.start("a", { messages: "And more!" });
  const bad = { order: 1, amount: "a lot" };
  await expect(runner.resume("a", edit(bad))).rejects.toMatchObject({ code: "ANSWER_INVALID" });
  expect((await runner.resume("a", edit({ amount: 15 }))).status).toBe("done");
  expect(paid).toEqual([{ amount: 40 }, { amount: 15 }]);
  await server.close();
});

test("H2: an answer that plain LangGraph left behind goes to no question that is asked later", async () => {
  const got: unknown[] = [];
  const graph = new StateGraph(Annotation.Root({ got: Annotation<unknown[]>() }))
    .addNode("ask", () => {
      got.splice(0, got.length, interrupt("first?"));
      got.push(interrupt("second?"));
      got.push(interrupt("third?"));
      return { got };
    })
    .addEdge(START, "ask");
  const { runner, checkpointer } = await memoryRunner(graph);
  await runner.start("a", {});
  const config = { configurable: { thread_id: "a" }, durability: "sync" as const };
  await graph.compile({ checkpointer }).invoke(new Command({ resume: "plain" }), config);

  const second = (await runner.inspect("a")).interrupts[0];
  expect(second?.value).toBe("second?");
  const asked = await runner.resume("a", { [second?.id ?? ""]: "ours" });
  expect(asked).toMatchObject({ status: "interrupted", interrupts: [{ value: "third?" }] });
  expect(got).toEqual(["plain", "ours"]);
  const done = await runner.resume("a", { answer: "last" });
  expect(done).toMatchObject({ status: "done", values: { got: ["plain", "ours", "last"] } });
});
