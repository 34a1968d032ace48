import { Annotation, START, Send, StateGraph, interrupt, isNodeError } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import { answerAll } from "./corpus-graph.ts";
import type { CorpusGraph } from "./corpus-graph.ts";
import type { World } from "./world.ts";

const quick = { maxAttempts: 3, initialInterval: 0, jitter: false, logWarning: false };

/** Fails so many times, and then writes a line. */
const failing = (world: World, name: string, times: number) => (): { log: string } => {
  const run = world.note(name);
  if (run <= times) throw Object.assign(new RangeError(`${name} fails, ${run}`), { code: "E_SCRIPTED" });
  return { log: `${name} ${run}` };
};

/** The node under test beside a good one, and one after both. */
const besideGood = (world: World, work: never, options: object = {}) =>
  new StateGraph(TextLog)
    .addNode("work", work as () => object, options as never)
    .addNode("good", () => ({ log: `good ${world.note("good")}` }))
    .addNode("after", ({ log }) => ({ log: `after ${log.length} ${world.note("after")}` }))
    .addEdge(START, "work")
    .addEdge(START, "good")
    .addEdge(["work", "good"], "after");

const handler = (world: World, times: number) => (_state: unknown, error: unknown) => {
  if (world.note("handle") <= times) throw new Error("no hands");
  return { log: `handled ${isNodeError(error) ? error.error.message : "?"}` };
};

/** Hangs, until its signal aborts. */
const hanging =
  (world: World) =>
  (_state: unknown, { signal }: LangGraphRunnableConfig) => {
    world.note("hang");
    return new Promise<never>((_resolve, reject) => {
      signal!.addEventListener("abort", () => reject(signal!.reason as Error), { once: true });
    });
  };

const Single = Annotation.Root({ one: Annotation<string>() });

export const failures: readonly CorpusGraph[] = [
  {
    name: "a node that fails beside one that does not, and is tried again",
    script: [{ input: {} }, { again: true }],
    build: (world) => besideGood(world, failing(world, "work", 1) as never),
  },
  {
    name: "a node that fails twice in a row",
    script: [{ input: {} }, { again: true }, { again: true }],
    build: (world) => besideGood(world, failing(world, "work", 2) as never),
  },
  {
    name: "retryPolicy, which helps in the end",
    script: [{ input: {} }],
    build: (world) => besideGood(world, failing(world, "work", 2) as never, { retryPolicy: quick }),
  },
  {
    name: "retryPolicy, which is used up, and then once more",
    script: [{ input: {} }, { again: true }],
    build: (world) => besideGood(world, failing(world, "work", 4) as never, { retryPolicy: quick }),
  },
  {
    name: "retryPolicy that does not try again after this error",
    script: [{ input: {} }],
    build: (world) => {
      const retryPolicy = { ...quick, retryOn: (error: unknown) => !(error instanceof RangeError) };
      return besideGood(world, failing(world, "work", 1) as never, { retryPolicy });
    },
  },
  {
    name: "retryPolicy of a few of twenty tasks",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode(
          "map",
          (n: number) => {
            if (world.note(`map ${n}`) < 3 && n % 6 === 0) throw new Error(`${n} again`);
            return { log: `map ${n}` };
          },
          { retryPolicy: quick },
        )
        .addConditionalEdges(START, () => Array.from({ length: 20 }, (_, n) => new Send("map", n)), ["map"]),
  },
  {
    name: "retryPolicy of a node that asks before and after it fails",
    script: [{ input: {} }, answerAll, answerAll],
    build: (world) =>
      besideGood(
        world,
        (() => {
          const first = String(interrupt("first?"));
          if (world.note("answered") < 3) throw new Error("again");
          return { log: [first, String(interrupt("second?"))] };
        }) as never,
        { retryPolicy: quick },
      ),
  },
  {
    name: "retryPolicy of a subgraph, which keeps what it has done",
    script: [{ input: {} }],
    build: (world) => {
      const inner = new StateGraph(TextLog)
        .addNode("first", () => ({ log: `first ${world.note("first")}` }))
        .addNode("second", failing(world, "second", 1))
        .addEdge(START, "first")
        .addEdge("first", "second")
        .compile();
      return new StateGraph(TextLog).addNode("inner", inner, { retryPolicy: quick } as never).addEdge(START, "inner");
    },
  },
  {
    name: "a subgraph that fails, and is tried again",
    script: [{ input: {} }, { again: true }],
    build: (world) => {
      const inner = new StateGraph(TextLog)
        .addNode("first", () => ({ log: `first ${world.note("first")}` }))
        .addNode("second", failing(world, "second", 1))
        .addEdge(START, "first")
        .addEdge("first", "second")
        .compile();
      return new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner");
    },
  },
  {
    name: "retryPolicy of a node inside a subgraph",
    script: [{ input: {} }],
    build: (world) => {
      const inner = new StateGraph(TextLog)
        .addNode("work", failing(world, "work", 2), { retryPolicy: quick })
        .addEdge(START, "work")
        .compile();
      return new StateGraph(TextLog).addNode("inner", inner).addEdge(START, "inner");
    },
  },
  {
    name: "an error handler",
    script: [{ input: {} }],
    build: (world) => besideGood(world, failing(world, "work", 9) as never, { errorHandler: handler(world, 0) }),
  },
  {
    name: "an error handler that fails itself, and is tried again",
    script: [{ input: {} }, { again: true }],
    build: (world) => besideGood(world, failing(world, "work", 9) as never, { errorHandler: handler(world, 1) }),
  },
  {
    name: "an error handler after the last attempt",
    script: [{ input: {} }],
    build: (world) =>
      besideGood(world, failing(world, "work", 9) as never, { retryPolicy: quick, errorHandler: handler(world, 0) }),
  },
  {
    name: "an error handler whose node recovers",
    script: [{ input: {} }],
    build: (world) =>
      besideGood(world, failing(world, "work", 2) as never, { retryPolicy: quick, errorHandler: handler(world, 0) }),
  },
  {
    name: "a node's timeout",
    script: [{ input: {} }],
    build: (world) => besideGood(world, hanging(world) as never, { timeout: { runTimeout: 50 } }),
  },
  {
    name: "a node's timeout, with attempts and an error handler",
    script: [{ input: {} }],
    build: (world) =>
      besideGood(world, hanging(world) as never, {
        timeout: { runTimeout: 50 },
        retryPolicy: { ...quick, maxAttempts: 2 },
        errorHandler: handler(world, 0),
      }),
  },
  {
    name: "a failure beside a question, which is asked on when the run is tried again",
    script: [{ input: {} }, { again: true }, answerAll],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("ask", () => ({ log: `${world.note("ask") > 0 ? "told" : ""} ${String(interrupt("sure?"))}` }))
        .addNode("bad", failing(world, "bad", 1))
        .addNode("join", ({ log }) => ({ log: `join ${log.length}` }))
        .addEdge(START, "ask")
        .addEdge(START, "bad")
        .addEdge(["ask", "bad"], "join"),
  },
  {
    name: "several failures side by side",
    script: [{ input: {} }, { again: true }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("map", (n: number) => {
          if (world.note(`map ${n}`) < 2 && n % 3 === 0) throw new Error(`${n} fails`);
          return { log: `map ${n}` };
        })
        .addConditionalEdges(START, () => Array.from({ length: 15 }, (_, n) => new Send("map", n)), ["map"]),
  },
  {
    name: "a router that throws, and is tried again",
    script: [{ input: {} }, { again: true }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("a", () => ({ log: `a ${world.note("a")}` }))
        .addNode("b", () => ({ log: `b ${world.note("b")}` }))
        .addEdge(START, "a")
        .addConditionalEdges(
          "a",
          () => {
            if (world.note("route") < 2) throw new Error("where to?");
            return "b";
          },
          ["b"],
        ),
  },
  {
    name: "two nodes that write what only one may write",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(Single)
        .addNode("left", () => ({ one: `left ${world.note("left")}` }))
        .addNode("right", () => ({ one: `right ${world.note("right")}` }))
        .addEdge(START, "left")
        .addEdge(START, "right"),
  },
];
