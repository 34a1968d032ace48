import { START, StateGraph, entrypoint, getPreviousState, interrupt, task } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import { answerAll } from "./corpus-graph.ts";
import type { CorpusGraph } from "./corpus-graph.ts";

export const entrypoints: readonly CorpusGraph[] = [
  {
    name: "an entrypoint with parallel tasks",
    script: [{ input: 5 }],
    build: (world) => {
      const square = task("square", async (n: number) => {
        world.note(`square ${n}`);
        return n * n;
      });
      return entrypoint("sum", async (count: number) => {
        const squares = await Promise.all(Array.from({ length: count }, (_, n) => square(n)));
        return { squares, sum: await square(squares.length) };
      });
    },
  },
  {
    name: "an entrypoint with tasks and questions",
    script: [{ input: "tea" }, answerAll, answerAll],
    build: (world) => {
      const draft = task("draft", async (topic: string) => `draft ${world.note(`draft ${topic}`)} on ${topic}`);
      return entrypoint("write", async (topic: string) => {
        world.note("write");
        const text = await draft(topic);
        const title = String(interrupt({ ask: "title?", text }));
        const price = String(interrupt({ ask: "price?" }));
        return { text, title, price, second: await draft(`${topic} again`) };
      });
    },
  },
  {
    name: "an entrypoint that fails after its first task, and is tried again",
    script: [{ input: {} }, { again: true }],
    build: (world) => {
      const step = task("step", async (name: string) => {
        if (world.note(name) < 2 && name === "two") throw new Error("no");
        return name;
      });
      return entrypoint("flow", async (_input: object) => [await step("one"), await step("two")]);
    },
  },
  {
    name: "an entrypoint whose task is retried",
    script: [{ input: {} }],
    build: (world) => {
      const step = task(
        { name: "step", retry: { maxAttempts: 3, initialInterval: 0, jitter: false, logWarning: false } },
        async () => {
          if (world.note("step") < 3) throw new Error("no");
          return "at last";
        },
      );
      return entrypoint("flow", async (_input: object) => step());
    },
  },
  {
    name: "an entrypoint that remembers the turn before",
    script: [{ input: 2 }, { input: 3 }, { input: 0 }],
    build: (world) =>
      entrypoint("count", async (by: number) => {
        world.note("count");
        const before = getPreviousState<number>() ?? 0;
        return entrypoint.final({ value: `was ${before}`, save: before + by });
      }),
  },
  {
    name: "an entrypoint that calls a graph that asks",
    script: [{ input: {} }, answerAll],
    build: (world) => {
      const inner = new StateGraph(TextLog)
        .addNode("before", () => ({ log: `before ${world.note("before")}` }))
        .addNode("ask", () => ({ log: `told ${String(interrupt("inner?"))}` }))
        .addEdge(START, "before")
        .addEdge("before", "ask")
        .compile();
      return entrypoint("flow", async (_input: object) => (await inner.invoke({})).log);
    },
  },
];
