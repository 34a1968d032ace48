import { START, Send, StateGraph } from "@langchain/langgraph";
import { once, withPolicies } from "perdure/nodes";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph } from "./corpus-graph.ts";
import type { World } from "./world.ts";

const retry = { attempts: 3, intervalMs: 1, maxIntervalMs: 1, jitter: false };

const failing = (world: World, times: number) => (): { log: string } => {
  const run = world.note("work");
  if (run <= times) throw new Error(`fails, ${run}`);
  return { log: `work ${run}` };
};

const oneNode = (node: never, options: object = {}) =>
  new StateGraph(TextLog)
    .addNode("work", node as () => object, options as never)
    .addNode("after", ({ log }) => ({ log: `after ${log.length}` }))
    .addEdge(START, "work")
    .addEdge("work", "after");

export const policies: readonly CorpusGraph[] = [
  {
    name: "withPolicies retry, which helps in the end",
    script: [{ input: {} }],
    build: (world) => oneNode(withPolicies(failing(world, 2), { retry }) as never),
  },
  {
    name: "withPolicies retry, which is used up, and then once more",
    script: [{ input: {} }, { again: true }],
    build: (world) => oneNode(withPolicies(failing(world, 4), { retry }) as never),
  },
  {
    name: "withPolicies retry with an error handler",
    script: [{ input: {} }],
    build: (world) =>
      oneNode(withPolicies(failing(world, 9), { retry }) as never, {
        errorHandler: () => ({ log: `handled ${world.note("handle")}` }),
      }),
  },
  {
    name: "withPolicies timeoutMs, with attempts",
    script: [{ input: {} }],
    build: (world) =>
      oneNode(
        withPolicies(
          () => {
            if (world.note("work") < 3) return new Promise<never>(() => {});
            return Promise.resolve({ log: "in time" });
          },
          { retry, timeoutMs: 50 },
        ) as never,
      ),
  },
  {
    name: "withPolicies retry of a few of ten tasks",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode(
          "map",
          withPolicies(
            async (n: number) => {
              if (world.note(`map ${n}`) < 3 && n % 4 === 0) throw new Error(`${n} again`);
              return { log: `map ${n}` };
            },
            { retry },
          ) as never,
        )
        .addConditionalEdges(START, () => Array.from({ length: 10 }, (_, n) => new Send("map", n)), ["map"] as never),
  },
  {
    name: "once, in a node that fails after it",
    script: [{ input: {} }, { again: true }],
    build: (world) =>
      oneNode((async () => {
        const receipt = await once("charge", () => `receipt ${world.note("charge")}`);
        if (world.note("work") < 2) throw new Error("after the charge");
        return { log: receipt };
      }) as never),
  },
];
