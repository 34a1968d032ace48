import { tool } from "@langchain/core/tools";
import { createAgent, humanInTheLoopMiddleware } from "langchain";
import type { AgentMiddleware } from "langchain";
import { reactGraph } from "perdure/graphs";
import { z } from "zod";
import type { Script, ScriptedCall } from "../../support/openai-server.ts";
import type { CorpusGraph } from "./corpus-graph.ts";
import type { World } from "./world.ts";

const schema = z.object({ order: z.string() });
const call = (name: string, order: string, id: string): ScriptedCall => ({ name, args: { order }, id });
const user = (content: string) => ({ messages: [{ role: "user", content, id: `u ${content}` }] });

const tools = (world: World, names: readonly string[]) =>
  names.map((name) =>
    tool(
      ({ order }: z.infer<typeof schema>) => {
        const times = world.note(`${name} ${order}`);
        if (order === "lost") throw new Error("no such order");
        return `${name} ok: ${order} ${times}`;
      },
      { name, description: name, schema },
    ),
  );

async function supportAgent(world: World, script: Script) {
  // its own types don't fit each other under exactOptionalPropertyTypes
  const interruptOn = { refund: true, look_up: false };
  const approvals = humanInTheLoopMiddleware({ interruptOn } as never) as object as AgentMiddleware;
  const model = await world.model(script);
  return createAgent({ model, tools: tools(world, ["look_up", "refund"]), middleware: [approvals] });
}

export const agents: readonly CorpusGraph[] = [
  {
    name: "createAgent with tools and a person in the loop",
    script: [
      { input: user("refunds please") },
      {
        answer: () => ({
          decisions: [
            { type: "approve" },
            { type: "approve" },
            { type: "edit", editedAction: { name: "refund", args: { order: "C4" } } },
          ],
        }),
      },
      { input: user("and one more") },
      { answer: () => ({ decisions: [{ type: "reject", message: "too late" }] }) },
    ],
    build: (world) =>
      supportAgent(world, [
        { calls: [call("look_up", "A1", "c1"), call("look_up", "B2", "c2")] },
        { calls: [call("refund", "A1", "c3"), call("refund", "B2", "c4"), call("refund", "C3", "c5")] },
        { text: "All sorted." },
        { calls: [call("refund", "D4", "c6")] },
        { text: "It is too late for that." },
      ]),
  },
  {
    name: "createAgent whose model fails, and is asked again",
    script: [{ input: user("where is A1?") }, { again: true }],
    build: (world) =>
      supportAgent(world, ({ messages }) => {
        if (messages.length === 1) return { calls: [call("look_up", "A1", "c1")] };
        return world.note("asked again") < 2 ? { status: 400 } : { text: "Found it." };
      }),
  },
  {
    name: "a ReAct loop with a capped edge back, a tool that fails, and an approval",
    script: [{ input: user("refund A1") }, { answer: () => ({ decisions: [{ type: "approve" }] }) }],
    build: async (world) =>
      reactGraph({
        model: await world.model([
          { calls: [call("look_up", "A1", "c1"), call("look_up", "lost", "c2")] },
          { calls: [call("refund", "A1", "c3")] },
          { text: "Done." },
        ]),
        tools: tools(world, ["look_up", "refund"]),
        approve: ["refund"],
      }),
  },
];
