import { AIMessage, HumanMessage, RemoveMessage, ToolMessage } from "@langchain/core/messages";
import {
  Annotation,
  DeltaValue,
  MessagesAnnotation,
  Overwrite,
  REMOVE_ALL_MESSAGES,
  START,
  StateGraph,
  StateSchema,
} from "@langchain/langgraph";
import { z } from "zod";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph } from "./corpus-graph.ts";

const Kinds = Annotation.Root({ kinds: Annotation<Record<string, unknown>>() });

const Narrow = {
  input: Annotation.Root({ question: Annotation<string> }),
  output: Annotation.Root({ reply: Annotation<string> }),
};

export const values: readonly CorpusGraph[] = [
  {
    name: "Overwrite",
    script: [{ input: { log: ["in"] } }, { input: { log: ["more"] } }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("add", ({ log }) => ({ log: `add ${log.length}` }))
        .addNode("shorten", ({ log }) => {
          world.note("shorten");
          return { log: new Overwrite(log.slice(-2)) as never };
        })
        .addNode("last", ({ log }) => ({ log: `last ${log.length}` }))
        .addEdge(START, "add")
        .addEdge("add", "shorten")
        .addEdge("shorten", "last"),
  },
  {
    name: "messages, and RemoveMessage",
    script: [
      { input: { messages: [{ role: "user", content: "hi", id: "u1" }] } },
      { input: { messages: [new HumanMessage({ content: "again", id: "u2" })] } },
    ],
    build: (world) =>
      new StateGraph(MessagesAnnotation)
        .addNode("call", ({ messages }) => {
          const id = `a${world.note("call")}`;
          const tool_calls = [
            { name: "look", args: { at: messages.length }, id: `t-${id}`, type: "tool_call" as const },
          ];
          return { messages: [new AIMessage({ content: `reply to ${messages.length}`, id, tool_calls })] };
        })
        .addNode("act", ({ messages }) => {
          const { tool_calls = [] } = messages.at(-1) as AIMessage;
          const made = tool_calls.map(
            ({ id }) =>
              new ToolMessage({ content: "seen", tool_call_id: id ?? "", id: `m-${id}`, artifact: { deep: [1] } }),
          );
          return { messages: made };
        })
        .addNode("forget", ({ messages }) => ({ messages: [new RemoveMessage({ id: messages[0]!.id! })] }))
        .addEdge(START, "call")
        .addEdge("call", "act")
        .addEdge("act", "forget"),
  },
  {
    name: "removal of all messages",
    script: [{ input: { messages: [{ role: "user", content: "hi", id: "u1" }] } }],
    build: (world) =>
      new StateGraph(MessagesAnnotation)
        .addNode("clear", () => {
          const summary = new AIMessage({ content: `summary ${world.note("clear")}`, id: "s1" });
          return { messages: [new RemoveMessage({ id: REMOVE_ALL_MESSAGES }), summary] };
        })
        .addEdge(START, "clear"),
  },
  {
    name: "a DeltaChannel",
    script: [{ input: { log: ["in"] } }, { input: { log: ["more"] } }],
    build: (world) => {
      const appended = { reducer: (kept: string[], added: string[][]) => kept.concat(...added) };
      const State = new StateSchema({
        log: new DeltaValue(
          z.array(z.string()).default(() => []),
          appended,
        ),
      });
      return new StateGraph(State)
        .addNode("a", () => ({ log: [`a ${world.note("a")}`] }))
        .addNode("side", () => ({ log: [`side ${world.note("side")}`] }))
        .addNode("b", ({ log }) => ({ log: [`b ${log.length}`] }))
        .addEdge(START, "a")
        .addEdge("a", "side")
        .addEdge("side", "b");
    },
  },
  {
    name: "inputs and outputs that are less than the state",
    script: [{ input: { question: "how?" } }],
    build: (world) =>
      new StateGraph({
        stateSchema: Annotation.Root({ ...Narrow.input.spec, ...Narrow.output.spec, secret: Annotation<string> }),
        ...Narrow,
      } as never)
        .addNode("think", ((state: { question: string }) => ({
          secret: `s ${state.question} ${world.note("think")}`,
        })) as never)
        .addNode("say", ((state: { secret: string }) => ({ reply: `so: ${state.secret}` })) as never)
        .addEdge(START, "think" as never)
        .addEdge("think" as never, "say" as never) as never,
  },
  {
    name: "values that are no plain JSON",
    script: [{ input: { kinds: { at: new Date(0), missing: undefined } } }],
    build: (world) =>
      new StateGraph(Kinds)
        .addNode("make", ({ kinds }) => {
          world.note("make");
          return {
            kinds: { before: kinds, map: new Map([["a", 1]]), set: new Set([1, 2]), bytes: new Uint8Array([1, 2]) },
          };
        })
        .addNode("look", ({ kinds }) => {
          const { map, set, bytes } = kinds;
          const seen = [map instanceof Map, set instanceof Set, bytes instanceof Uint8Array];
          return { kinds: { ...kinds, seen, size: map instanceof Map ? map.size : 0 } };
        })
        .addEdge(START, "make")
        .addEdge("make", "look"),
  },
  {
    name: "a state of half a megabyte",
    script: [{ input: { log: ["in"] } }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("grow", ({ log }) => ({ log: `${world.note("grow")}`.repeat(100_000 + log.length) }))
        .addEdge(START, "grow")
        .addConditionalEdges("grow", ({ log }) => (log.length < 6 ? "grow" : "__end__"), ["grow", "__end__"]),
  },
  {
    name: "an input the size of a book",
    script: [{ input: { log: ["x".repeat(300_000)] } }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("count", ({ log }) => ({ log: `${log[0]!.length} ${world.note("count")}` }))
        .addEdge(START, "count"),
  },
  {
    name: "a graph without anything to do",
    script: [{ input: { log: "in" } }, { input: { log: "more" } }],
    build: () =>
      new StateGraph(TextLog)
        .addNode("never", () => ({ log: "never" }))
        .addConditionalEdges(START, () => "__end__" as const, ["never", "__end__"]),
  },
];
