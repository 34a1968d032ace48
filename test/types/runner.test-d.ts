import type { BaseMessage } from "@langchain/core/messages";
import type { Runnable } from "@langchain/core/runnables";
import { Annotation, MessagesAnnotation, START, StateGraph, StateSchema, entrypoint } from "@langchain/langgraph";
import type { Command } from "@langchain/langgraph";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import type { RunEvent, ThreadState } from "perdure/runner";
import { FakeToolCallingModel, createAgent } from "langchain";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";

declare const checkpointer: Checkpointer;
const options = { name: "types", checkpointer };

const Case = Annotation.Root({
  title: Annotation<string>(),
  notes: Annotation<string[], string | string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});
const builder = new StateGraph(Case)
  .addNode("read", () => ({ notes: "read" }))
  .addNode("reply", () => ({ title: "done" }))
  .addEdge(START, "read")
  .addEdge("read", "reply");

test("of a StateGraph with Annotation: state, input, updates and node names", async () => {
  const runner = createRunner(builder, options);
  const state = await runner.start("t", { title: "a", notes: ["b"] });
  expectTypeOf(state.values).toEqualTypeOf<{ title: string; notes: string[] }>();
  expectTypeOf(state.next).toEqualTypeOf<readonly ("read" | "reply")[]>();
  expectTypeOf(state.tasks[0]!.node).toEqualTypeOf<"read" | "reply">();
  expectTypeOf(state.interrupts[0]!.node).toEqualTypeOf<"read" | "reply">();
  await runner.update("t", { notes: "one" }, { asNode: "read" });
  await runner.update("t", { notes: ["one", "two"], title: "x" });

  // @ts-expect-error no such key of the state
  void state.values.tilte;
  // @ts-expect-error no such node
  void state.next.includes("rely");
  // @ts-expect-error the title is text
  void runner.start("t", { title: 7 });
  // @ts-expect-error no such key of the state
  void runner.start("t", { tilte: "a" });
  // @ts-expect-error no such key of the state
  void runner.update("t", { tilte: "a" });
  // @ts-expect-error notes are text
  void runner.update("t", { notes: 7 });
  // @ts-expect-error no such node
  void runner.update("t", { title: "a" }, { asNode: "rely" });
});

test("of a compiled graph: the same as of its builder", () => {
  const runner = createRunner(builder.compile(), options);
  expectTypeOf(runner).toEqualTypeOf(createRunner(builder, options));
});

test("of a graph with zod and with a StateSchema", async () => {
  const withZod = new StateGraph(z.object({ n: z.number(), s: z.string().optional() })).addNode("add", () => ({
    n: 1,
  }));
  const zodState = await createRunner(withZod, options).inspect("t");
  expectTypeOf(zodState.values.n).toEqualTypeOf<number>();
  expectTypeOf(zodState.values.s).toEqualTypeOf<string | undefined>();
  expectTypeOf(zodState.next).toEqualTypeOf<readonly "add"[]>();
  // @ts-expect-error n is a number
  void createRunner(withZod, options).start("t", { n: "one" });

  const withSchema = new StateGraph(new StateSchema({ n: z.number() })).addNode("add", () => ({ n: 1 }));
  const schemaState = await createRunner(withSchema, options).inspect("t");
  expectTypeOf(schemaState.values.n).toEqualTypeOf<number>();
  expectTypeOf(schemaState.next).toEqualTypeOf<readonly "add"[]>();
  // @ts-expect-error no such key of the state
  void schemaState.values.m;
});

test("of a graph of messages: what goes in may be text, what comes out are messages", async () => {
  const graph = new StateGraph(MessagesAnnotation).addNode("model", () => ({ messages: "hi" }));
  const runner = createRunner(graph, options);
  const state = await runner.start("t", { messages: "hello" });
  expectTypeOf(state.values.messages).toEqualTypeOf<BaseMessage[]>();
  await runner.start("t", { messages: [{ role: "user", content: "hello" }] });
  // @ts-expect-error no message
  void runner.start("t", { messages: 7 });
});

test("of a graph whose input and output are parts of its state", async () => {
  const graph = new StateGraph({
    stateSchema: Case,
    input: Annotation.Root({ title: Annotation<string>() }),
    output: Annotation.Root({ notes: Annotation<string[]>() }),
  }).addNode("read", () => ({ notes: "read" }));
  const runner = createRunner(graph, options);
  const state = await runner.start("t", { title: "a" });
  expectTypeOf(state.values).toEqualTypeOf<{ title: string; notes: string[] }>();
  const output = await runner.asRunnable().invoke({ title: "a" });
  expectTypeOf(output).toEqualTypeOf<{ notes: string[] }>();
  // @ts-expect-error notes are no input
  void runner.start("t", { notes: ["a"] });
});

test("of an agent made by createAgent", async () => {
  const agent = createAgent({ model: new FakeToolCallingModel(), tools: [] });
  const runner = createRunner(agent, options);
  const state = await runner.start("t", { messages: "hi" });
  expectTypeOf(state.values.messages).toExtend<BaseMessage[]>();
  expectTypeOf(state.values.messages).not.toBeAny();
  expectTypeOf(state.next[0]!).toBeString();
  // @ts-expect-error an agent takes messages
  void runner.start("t", { massages: "hi" });
});

test("of an entrypoint: what it takes and what it returns", async () => {
  const flow = entrypoint("flow", async (input: { readonly topic: string }) => ({ text: input.topic, words: 2 }));
  const runner = createRunner(flow, options);
  const state = await runner.start("t", { topic: "tea" });
  expectTypeOf(state.values).toEqualTypeOf<{ text: string; words: number }>();
  // @ts-expect-error no topic
  void runner.start("t", {});
  // @ts-expect-error no such field
  void state.values.wrods;
});

test("the thread's status narrows it", () => {
  const state = {} as ThreadState<{ n: number }, "a" | "b">;
  // @ts-expect-error only a failed thread has an error
  void state.error;
  // @ts-expect-error only a cancelled thread has a reason
  void state.reason;
  if (state.status === "error") {
    expectTypeOf(state.error.node).toEqualTypeOf<"a" | "b">();
    expectTypeOf(state.failures.length).toBeNumber();
  }
  if (state.status === "cancelled") expectTypeOf(state.reason).toBeString();
  expectTypeOf(state.status).toEqualTypeOf<"ready" | "interrupted" | "done" | "error" | "cancelled">();
});

test("the kind of an interrupt narrows what it asks", () => {
  const [interrupt] = ({} as ThreadState).interrupts;
  if (interrupt?.kind === "timer") expectTypeOf(interrupt.value.dueAt).toBeString();
  if (interrupt?.kind === "signal") expectTypeOf(interrupt.value.name).toBeString();
  if (interrupt?.kind === "approval") expectTypeOf(interrupt.value.actionRequests[0]!.name).toBeString();
});

test("events carry the graph's own types", async () => {
  const runner = createRunner(builder, options);
  for await (const event of runner.stream("t", { start: { title: "a" } })) {
    expectTypeOf(event).toExtend<RunEvent<{ title: string; notes: string[] }, "read" | "reply">>();
    if (event.type === "state") expectTypeOf(event.state.values.notes).toEqualTypeOf<string[]>();
    if (event.type === "token") expectTypeOf(event.text).toBeString();
    if (event.type === "interrupt") expectTypeOf(event.interrupt.node).toEqualTypeOf<"read" | "reply">();
  }
  for await (const checkpoint of runner.history("t")) {
    expectTypeOf(checkpoint.values.title).toBeString();
    expectTypeOf(checkpoint.next).toEqualTypeOf<readonly ("read" | "reply")[]>();
  }
  // @ts-expect-error no such command
  void runner.stream("t", { restart: true });
  // @ts-expect-error the title is text
  void runner.stream("t", { start: { title: 7 } });
});

test("as a Runnable it takes the input, a Command or null, and returns the output", () => {
  const app = createRunner(builder, options).asRunnable();
  expectTypeOf(app).toExtend<Runnable<{ title?: string } | Command | null, { title: string; notes: string[] }>>();
});

test("what is no graph, and options that do not exist, do not compile", () => {
  // @ts-expect-error no graph
  createRunner({ nodes: [] }, options);
  // @ts-expect-error no checkpointer
  createRunner(builder, { name: "x" });
  const runner = createRunner(builder, options);
  // @ts-expect-error no such option
  void runner.start("t", { title: "a" }, { maxStep: 3 });
  // @ts-expect-error answers due timers, which start has none of
  void runner.start("t", { title: "a" }, { due: [] });
  // @ts-expect-error "wait" is none of them
  void runner.continue("t", { whenBusy: "wait" });
  // @ts-expect-error a fork needs a checkpoint
  void runner.fork("t", {});
  // @ts-expect-error a cancel needs a reason
  void runner.cancel("t");
});

test("of an agent: updates are parts of its state, node names are text", () => {
  const agent = createAgent({ model: new FakeToolCallingModel(), tools: [] });
  const runner = createRunner(agent, options);
  void runner.update("t", { messages: [] }, { asNode: "model_request" });
  // @ts-expect-error no such key of the state
  void runner.update("t", { massages: [] });
});
