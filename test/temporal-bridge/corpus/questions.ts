import { Annotation, END, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import { answerAll } from "./corpus-graph.ts";
import type { CorpusGraph, Move } from "./corpus-graph.ts";
import type { World } from "./world.ts";

const ask = (world: World, question: unknown): string => {
  world.note(`asks ${JSON.stringify(question)}`);
  return String(interrupt(question));
};

/** Answers only what asks this. */
const only = (value: unknown): Move => ({
  answer: () => `only ${String(value)}`,
  choose: (one) => one.value === value,
});

/** Asks each of `names` in a task of its own. */
const askAll = (world: World, names: readonly string[]) =>
  new StateGraph(TextLog)
    .addNode("ask", (name: string) => ({ log: `${name} ${ask(world, name)}` }))
    .addConditionalEdges(START, () => names.map((name) => new Send("ask", name)), ["ask"])
    .compile();

const Answer = Annotation.Root({
  answers: Annotation<unknown[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
});

export const questions: readonly CorpusGraph[] = [
  {
    name: "one question",
    script: [{ input: {} }, answerAll],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("ask", () => ({ log: ask(world, { text: "May I?", options: [1, 2] }) }))
        .addNode("after", () => ({ log: `after ${world.note("after")}` }))
        .addEdge(START, "ask")
        .addEdge("ask", "after"),
  },
  {
    name: "two questions of one node",
    script: [{ input: {} }, answerAll, answerAll],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("ask", () => ({ log: [ask(world, "first"), ask(world, "second")] }))
        .addEdge(START, "ask"),
  },
  {
    name: "questions side by side, answered one by one",
    script: [{ input: {} }, only("b"), only("c"), only("a")],
    build: (world) => askAll(world, ["a", "b", "c"]),
  },
  {
    name: "questions side by side, answered at once",
    script: [{ input: {} }, answerAll],
    build: (world) => askAll(world, ["a", "b", "c"]),
  },
  {
    name: "a question that is asked in a loop",
    script: [{ input: {} }, answerAll, answerAll, answerAll],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("ask", ({ log }) => ({ log: ask(world, `round ${log.length}`) }))
        .addEdge(START, "ask")
        .addConditionalEdges("ask", ({ log }) => (log.length < 3 ? "ask" : END), ["ask", END]),
  },
  {
    name: "answers that are false, nothing, and empty",
    script: [{ input: {} }, { answer: () => false }, { answer: () => 0 }, { answer: () => "" }, { answer: () => null }],
    build: (world) =>
      new StateGraph(Answer)
        .addNode("ask", ({ answers }) => ({ answers: [world.note("ask") > 0 && interrupt(`${answers.length}?`)] }))
        .addEdge(START, "ask")
        .addConditionalEdges("ask", ({ answers }) => (answers.length < 4 ? "ask" : END), ["ask", END]),
  },
  {
    name: "a question beside a branch that goes on",
    script: [{ input: {} }, answerAll],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("ask", () => ({ log: ask(world, "sure?") }))
        .addNode("work", () => ({ log: `work ${world.note("work")}` }))
        .addNode("join", ({ log }) => ({ log: `join ${log.length} ${world.note("join")}` }))
        .addEdge(START, "ask")
        .addEdge(START, "work")
        .addEdge(["ask", "work"], "join"),
  },
  {
    name: "a question of each of thirty tasks",
    script: [{ input: {} }, only("n 7"), answerAll],
    build: (world) =>
      askAll(
        world,
        Array.from({ length: 30 }, (_, n) => `n ${n}`),
      ),
  },
  {
    name: "questions side by side in a subgraph",
    script: [{ input: {} }, only("b"), answerAll],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("inner", askAll(world, ["a", "b", "c"]))
        .addNode("after", () => ({ log: `after ${world.note("after")}` }))
        .addEdge(START, "inner")
        .addEdge("inner", "after"),
  },
  {
    name: "two questions one after the other, two subgraphs deep, in a loop",
    script: [{ input: {} }, answerAll, answerAll, answerAll, answerAll],
    build: (world) => {
      const inmost = new StateGraph(TextLog)
        .addNode("ask", () => ({ log: [ask(world, "first"), ask(world, "second")] }))
        .addEdge(START, "ask")
        .addConditionalEdges("ask", ({ log }) => (log.length < 4 ? "ask" : END), ["ask", END])
        .compile();
      const inner = new StateGraph(TextLog)
        .addNode("before", () => ({ log: world.note("before") > 1 ? "twice" : [] }))
        .addNode("inmost", inmost)
        .addEdge(START, "before")
        .addEdge("before", "inmost")
        .compile();
      return new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner");
    },
  },
  {
    name: "questions of a subgraph that a function calls, and one of its own",
    script: [{ input: {} }, only("b"), answerAll, answerAll],
    build: (world) => {
      const inner = askAll(world, ["a", "b"]);
      return new StateGraph(TextLog)
        .addNode("call", async () => {
          world.note("call");
          const { log } = await inner.invoke({});
          return { log: [...log, ask(world, "own")] };
        })
        .addEdge(START, "call");
    },
  },
  {
    name: "a question of a subgraph with a memory of its own, over turns",
    script: [{ input: {} }, answerAll, { input: {} }, answerAll],
    build: (world) => {
      const inner = new StateGraph(TextLog)
        .addNode("ask", ({ log }) => ({ log: `told ${ask(world, `after ${log.length}`)}` }))
        .addEdge(START, "ask")
        .compile({ checkpointer: true });
      return new StateGraph(TextLog)
        .addNode("call", async (_state, config) => ({
          log: (await inner.invoke({ log: "in" }, config)).log.join(", "),
        }))
        .addEdge(START, "call");
    },
  },
];
