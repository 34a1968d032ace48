// An agent that reasons, looks things up in parallel, and answers; and one that would never stop, under a cap.
import assert from "node:assert/strict";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { openCheckpointer } from "perdure/checkpoint";
import { reactGraph } from "perdure/graphs";
import { createRunner } from "perdure/runner";
import { z } from "zod";
import { scriptedModel } from "../scripted-model.ts";

const POPULATION: Record<string, number> = { Oslo: 717_710, Bergen: 291_940 };

const population = tool(({ city }) => String(POPULATION[city] ?? "unknown"), {
  name: "population",
  description: "How many people live in a Norwegian city",
  schema: z.object({ city: z.string() }),
});

await using curious = await scriptedModel(({ asked, results }) => {
  if (asked.startsWith("Never stop")) return [["population", { city: `Town ${results.length}` }]];
  if (results.length < 2) {
    return [
      ["population", { city: "Oslo" }],
      ["population", { city: "Bergen" }],
    ];
  }
  return `Oslo has ${Number(results[0]) - Number(results[1])} people more than Bergen.`;
});

const graph = reactGraph({ model: curious.model, tools: [population], maxIterations: 3 });
const checkpointer = await openCheckpointer("memory:");
const runner = createRunner(graph, { name: "geographer", checkpointer });

const input = { messages: [new HumanMessage("How many more people live in Oslo than in Bergen?")] };
for await (const event of runner.stream("cities", { start: input })) {
  if (event.type === "task_start") console.log(`→ ${event.node}`);
  if (event.type === "token") process.stdout.write(event.text);
}
const answered = await runner.inspect("cities");
console.log(`\n${answered.values.usage.totalTokens} tokens in ${answered.values.usage.calls} calls of the model`);
assert.equal(answered.status, "done");
assert.equal(answered.values.messages.at(-1)?.text, "Oslo has 425770 people more than Bergen.");

const capped = await runner.start("endless", { messages: [new HumanMessage("Never stop.")] });
const rounds = capped.values.messages.filter((message) => ToolMessage.isInstance(message)).length;
console.log(`The model that never stops: ${rounds} rounds of tools, then "${capped.status}".`);
assert.equal(capped.status, "done");
assert.equal(rounds, 3 + 1); // the fourth call is answered with what the limit is
