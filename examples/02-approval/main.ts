// A refund that a person approves, from the first question to the money moving once.
import { isPerdureError } from "perdure";
import { scriptedModel } from "../scripted-model.ts";
// #region quick-start
import assert from "node:assert/strict";
import { tool } from "@langchain/core/tools";
import { createRunner, drawGraph, effect, openCheckpointer, reactGraph } from "perdure";
import { z } from "zod";

const refund = tool(({ orderId, cents }) => `moved ${cents} cents for ${orderId}`, {
  name: "refund",
  description: "Moves money back to a customer",
  schema: z.object({ orderId: z.string(), cents: z.number() }),
  ...effect("irreversible"),
});
// #endregion

await using scripted = await scriptedModel(({ results }) =>
  results.length === 0 ? [["refund", { orderId: "A-17", cents: 4000 }]] : `Your refund is on its way: ${results[0]}.`,
);
const { model } = scripted;

// #region quick-start
// `model` is any chat model of LangChain, such as new ChatOpenAI({ model: "gpt-5-mini" }).
const graph = reactGraph({ model, tools: [refund], approve: ["refund"], maxIterations: 5 });
console.log(drawGraph(graph));

const checkpointer = await openCheckpointer("memory:"); // or postgres://…, sqlite:./threads.db, pglite:./threads
const support = createRunner(graph, { name: "support", checkpointer });

const asked = await support.start("case-42", { messages: [["human", "My kettle arrived broken."]] });
const [question] = asked.interrupts;
assert(question?.kind === "approval");
console.log(asked.status, question.value.actionRequests);

// Minutes or days later, here or in another process:
const answer = { decisions: [{ type: "approve" }], decidedBy: "ana" };
const done = await support.resume("case-42", { [question.id]: answer });
console.log(done.status, done.values.messages.at(-1)?.text);
// #endregion

assert.equal(asked.status, "interrupted");
assert.equal(done.status, "done");
assert.equal(done.values.messages.at(-1)?.text, "Your refund is on its way: moved 4000 cents for A-17.");
assert.deepEqual(
  done.values.decisions.map(({ type, decidedBy }) => [type, decidedBy]),
  [["approve", "ana"]],
);

// The same answer again changes nothing; another one is refused, also now that all is done.
await support.resume("case-42", { [question.id]: answer });
await assert.rejects(support.resume("case-42", { [question.id]: { decisions: [{ type: "reject" }] } }), (error) =>
  isPerdureError(error, "INTERRUPT_ALREADY_ANSWERED"),
);
await checkpointer.close();
