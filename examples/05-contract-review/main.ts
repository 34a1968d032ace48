// A contract, clause by clause: each is judged by a model in a task of its own, four at a time, and the verdicts become a report.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { Annotation } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { mapReduce } from "perdure/graphs";
import { createRunner } from "perdure/runner";
import { z } from "zod";
import { scriptedModel } from "../scripted-model.ts";

const Verdict = z.object({ risk: z.enum(["low", "medium", "high"]), why: z.string() });
type Clause = { title: string; text: string };

/** The numbered clauses of a contract. */
function clausesOf(contract: string): Clause[] {
  return contract
    .split(/^(?=\d+\. )/m)
    .filter((part) => /^\d+\. /.test(part))
    .map((text) => ({ title: text.slice(0, text.indexOf(".", 3)), text }));
}

// The stand-in for a model reads the clause and judges by its words. It answers as a model with structured output does.
await using reviewer = await scriptedModel(({ asked }) => {
  const risk = /liable|terminate/.test(asked) ? "high" : /warrant|indemnify/i.test(asked) ? "medium" : "low";
  const why = { high: "Somebody may lose money or rights.", medium: "A duty to look at.", low: "Usual words." }[risk];
  return JSON.stringify({ risk, why });
});
const judge = reviewer.model.withStructuredOutput(Verdict, { method: "jsonSchema" });

const Contract = Annotation.Root({ contract: Annotation<string>(), report: Annotation<string>() });
const graph = mapReduce({
  state: Contract,
  items: ({ contract }) => clausesOf(contract),
  map: async ({ title, text }, { signal }) => {
    const { risk, why } = await judge.invoke(`How risky is this clause?\n\n${text}`, signal ? { signal } : {});
    return { title, risk, why };
  },
  reduce: (verdicts) => ({
    report: verdicts.map(({ title, risk, why }) => `${risk.padEnd(7)} ${title} – ${why}`).join("\n"),
  }),
  maxConcurrency: 4,
});

const contract = await readFile(new URL("contract.txt", import.meta.url), "utf8");
const runner = createRunner(graph, { name: "contract-review", checkpointer: await openCheckpointer("memory:") });
const { status, values } = await runner.start("apache-2.0", { contract });
console.log(values.report);

const lines = values.report.split("\n");
assert.equal(status, "done");
assert.equal(lines.length, 9);
assert.match(lines[0] ?? "", /^low {5}1\. Definitions/);
assert.match(lines[2] ?? "", /^high {4}3\. Grant of Patent License/);
assert.match(lines[7] ?? "", /^high {4}8\. Limitation of Liability/);
