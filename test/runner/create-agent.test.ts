import { ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { Command } from "@langchain/langgraph";
import { createAgent, humanInTheLoopMiddleware, tool } from "langchain";
import type { AgentMiddleware } from "langchain";
import { createRunner } from "perdure/runner";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { startOpenAiServer } from "../support/openai-server.ts";
import type { OpenAiServer, Script } from "../support/openai-server.ts";

let server: OpenAiServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** A support agent that looks up orders freely and refunds them with a person's approval. */
async function supportAgent(script: Script) {
  server = await startOpenAiServer(script);
  const done: string[] = [];
  const schema = z.object({ order: z.string() });
  const note = (name: string) =>
    tool(
      ({ order }: z.infer<typeof schema>) => {
        done.push(`${name} ${order}`);
        return `${name} ok: ${order}`;
      },
      { name, description: name, schema },
    );
  // its own types don't fit each other under exactOptionalPropertyTypes
  const interruptOn = { refund: true, look_up: false };
  const approvals = humanInTheLoopMiddleware({ interruptOn } as never) as object as AgentMiddleware;
  const agent = createAgent({
    model: new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.baseURL } }),
    tools: [note("look_up"), note("refund")],
    middleware: [approvals],
  });
  return { agent, done };
}

const call = (name: string, order: string) => ({ name, args: { order } });

describeOnEachCheckpointer("an agent made by createAgent, with human in the loop", (store) => {
  test("asks before its refunds, and does what is approved once, as it was edited", async () => {
    const { agent, done } = await supportAgent([
      { calls: [call("look_up", "A1")] },
      { calls: [call("refund", "A1"), call("refund", "B2"), call("refund", "C3")] },
      { text: "All sorted." },
    ]);
    const runner = createRunner(agent, { name: "support", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const asked = await runner.start(thread, { messages: [{ role: "user", content: "refunds please" }] });
    expect(asked).toMatchObject({ status: "interrupted", interrupts: [{ kind: "approval" }] });
    expect(done).toEqual(["look_up A1"]);
    const { actionRequests } = asked.interrupts[0]!.value as { actionRequests: { name: string; args: unknown }[] };
    expect(actionRequests.map(({ name, args }) => [name, args])).toEqual(
      ["A1", "B2", "C3"].map((order) => ["refund", { order }]),
    );

    const checkpointer = (await store.openAgain()) ?? store.checkpointer;
    const desk = createRunner(agent, { name: "desk", checkpointer });
    const decisions = [
      { type: "approve" },
      { type: "approve" },
      { type: "edit", editedAction: { name: "refund", args: { order: "C4" } } },
    ];
    const finished = await desk.resume(thread, { [asked.interrupts[0]!.id]: { decisions } });
    expect(finished.status).toBe("done");
    expect(done.toSorted()).toEqual(["look_up A1", "refund A1", "refund B2", "refund C4"]);
    const results = finished.values.messages
      .filter((message) => ToolMessage.isInstance(message))
      .map(({ text }) => text);
    expect(results).toEqual(expect.arrayContaining(["refund ok: A1", "refund ok: B2", "refund ok: C4"]));
    expect(finished.values.messages.at(-1)!.text).toBe("All sorted.");

    expect(await runner.resume(thread, { [asked.interrupts[0]!.id]: { decisions } })).toEqual(finished);
    await expect(
      runner.resume(thread, { [asked.interrupts[0]!.id]: { decisions: [{ type: "approve" }] } }),
    ).rejects.toMatchObject({ code: "INTERRUPT_ALREADY_ANSWERED" });
    expect(done).toHaveLength(4);
  });

  test("a rejection reaches the model, and nothing is done", async () => {
    const { agent, done } = await supportAgent([{ calls: [call("refund", "A1")] }, { text: "Sorry." }]);
    const runner = createRunner(agent, { name: "support", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, { messages: "refund A1" });
    const finished = await runner.resume(thread, { answer: { decisions: [{ type: "reject", message: "too late" }] } });
    expect(finished.status).toBe("done");
    expect(done).toEqual([]);
    const told = server!.requests[1]!.messages.find(({ role }) => role === "tool");
    expect(told!.content).toBe("too late");
  });

  test("goes on over several turns of one thread", async () => {
    const { agent } = await supportAgent([{ text: "Hello." }, { text: "Again." }]);
    const runner = createRunner(agent, { name: "support", checkpointer: store.checkpointer });
    const thread = store.newThread();
    await runner.start(thread, { messages: "hi" });
    const second = await runner.start(thread, { messages: "hi again" });
    expect(second.values.messages.map(({ text }) => text)).toEqual(["hi", "Hello.", "hi again", "Again."]);
    expect(server!.requests[1]!.messages.map(({ content }) => content)).toEqual(["hi", "Hello.", "hi again"]);
  });

  test("whose model call fails keeps what was done, and continue calls the model again", async () => {
    let broken = true;
    const { agent, done } = await supportAgent(({ messages }) => {
      if (messages.length === 1) return { calls: [call("look_up", "A1")] };
      return broken ? { status: 400 } : { text: "Found it." };
    });
    const runner = createRunner(agent, { name: "support", checkpointer: store.checkpointer });
    const thread = store.newThread();
    const failed = await runner.start(thread, { messages: "where is A1?" });
    expect(failed).toMatchObject({ status: "error", error: { message: expect.stringContaining("400") as string } });
    broken = false;
    const finished = await runner.continue(thread);
    expect(finished.status).toBe("done");
    expect(finished.values.messages.at(-1)!.text).toBe("Found it.");
    expect(done).toEqual(["look_up A1"]);
  });

  test("streams its tokens, and works through asRunnable as a compiled agent does", async () => {
    const { agent, done } = await supportAgent([
      { calls: [call("refund", "A1")] },
      { text: "That was one two three." },
    ]);
    const runner = createRunner(agent, { name: "support", checkpointer: store.checkpointer });
    const config = { configurable: { thread_id: store.newThread() } };
    const app = runner.asRunnable();
    const asked = (await app.invoke({ messages: "refund A1" } as never, config)) as unknown as {
      __interrupt__: { id: string }[];
    };
    expect(asked.__interrupt__).toHaveLength(1);
    const resume = { [asked.__interrupt__[0]!.id]: { decisions: [{ type: "approve" }] } };
    const chunks = await collect(
      await app.stream(new Command({ resume }), { ...config, streamMode: "messages" } as object),
    );
    const text = (chunks as unknown as [{ text: string; type: string }][])
      .filter(([message]) => message.type === "ai")
      .map(([message]) => message.text)
      .join("");
    expect(text).toBe("That was one two three.");
    expect(done).toEqual(["refund A1"]);
  });
});
