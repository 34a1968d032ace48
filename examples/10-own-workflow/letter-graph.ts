import { Annotation, END, START, StateGraph, interrupt } from "@langchain/langgraph";
import type { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";

const Letter = Annotation.Root({
  about: Annotation<string>,
  address: Annotation<string>,
  draft: Annotation<string>,
  verdict: Annotation<"send" | "again">,
  remark: Annotation<string>,
});

const Verdict = z.object({ verdict: z.enum(["send", "again"]), remark: z.string().default("") });

/** Writes a letter, and has a person read it. A graph like any other: it knows nothing of Temporal. */
export function letterGraph({
  model,
  find,
}: {
  readonly model: () => ChatOpenAI;
  readonly find: (name: string) => Promise<string>;
}) {
  return new StateGraph(Letter)
    .addNode("lookUp", async ({ about }) => ({ address: await find(about) }), { retryPolicy: { maxAttempts: 3 } })
    .addNode("write", async ({ about, address, remark }, config) => {
      const asked = `Write to ${about}, ${address}.${remark ? ` Mind: ${remark}` : ""}`;
      return { draft: (await model().invoke(asked, config)).text };
    })
    .addNode("review", ({ draft }) => Verdict.parse(interrupt({ question: "Shall we send it?", draft })))
    .addEdge(START, "lookUp")
    .addEdge("lookUp", "write")
    .addEdge("write", "review")
    .addConditionalEdges("review", ({ verdict }) => (verdict === "send" ? END : "write"), ["write", END]);
}
