// A runner where a LangChain app expects a Runnable: behind a prompt, asked and answered with LangGraph's own Command.
import assert from "node:assert/strict";
import { AIMessage } from "@langchain/core/messages";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { RunnableLambda } from "@langchain/core/runnables";
import { Command, MessagesAnnotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";

const graph = new StateGraph(MessagesAnnotation)
  .addNode("draft", ({ messages }) => ({ messages: [new AIMessage(`Draft: ${messages.at(-1)?.text}`)] }))
  .addNode("review", ({ messages }) => {
    const remark: unknown = interrupt({ question: "Is this right?", draft: messages.at(-1)?.text });
    return { messages: [new AIMessage(`Reviewed: ${String(remark)}`)] };
  })
  .addEdge(START, "draft")
  .addEdge("draft", "review");

const checkpointer = await openCheckpointer("memory:");
const runnable = createRunner(graph, { name: "writer", checkpointer }).asRunnable();

// An ordinary LangChain chain: prompt → state → durable graph → text.
const prompt = ChatPromptTemplate.fromMessages([["human", "Write one line about {topic}."]]);
const toState = RunnableLambda.from((value: Awaited<ReturnType<typeof prompt.invoke>>) => ({
  messages: value.messages,
}));
const chain = prompt.pipe(toState).pipe(runnable);

const config = { configurable: { thread_id: "letter-1" } };
const asked = (await chain.invoke({ topic: "the sea" }, config)) as {
  __interrupt__?: { id: string; value: unknown }[];
};
const [question] = asked.__interrupt__ ?? [];
assert(question);
console.log("asked:", question.value);

const done = await runnable.invoke(new Command({ resume: { [question.id]: "yes, send it" } }), config);
console.log(
  "done: ",
  done.messages.map(({ text }) => text),
);
assert.deepEqual(
  done.messages.map(({ text }) => text),
  ["Write one line about the sea.", "Draft: Write one line about the sea.", "Reviewed: yes, send it"],
);
await assert.rejects(runnable.invoke(new Command({ resume: { [question.id]: "no" } }), config), /ALREADY_ANSWERED/);
