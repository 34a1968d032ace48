import { Command, END, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import { answerAll } from "./corpus-graph.ts";
import type { CorpusGraph } from "./corpus-graph.ts";

export const commands: readonly CorpusGraph[] = [
  {
    name: "Command with goto, to several nodes, with an update and a Send",
    script: [{ input: {} }],
    build: (world) =>
      new StateGraph(TextLog)
        .addNode("a", () => new Command({ goto: ["b", new Send("c", "sent")], update: { log: "a" } }), {
          ends: ["b", "c"],
        })
        .addNode("b", () => ({ log: `b ${world.note("b")}` }))
        .addNode("c", (input: unknown) => ({ log: `c ${String(input)} ${world.note("c")}` }))
        .addEdge(START, "a"),
  },
  {
    name: "a hand-over between nodes by Command, there and back",
    script: [{ input: {} }],
    build: (world) => {
      const hand = (to: string) => () => {
        const times = world.note(to);
        return new Command({ goto: times > 3 ? END : to, update: { log: `to ${to} ${times}` } });
      };
      return new StateGraph(TextLog)
        .addNode("ann", hand("bob"), { ends: ["bob", END] })
        .addNode("bob", hand("ann"), { ends: ["ann", END] })
        .addEdge(START, "ann");
    },
  },
  {
    name: "Command.PARENT out of a subgraph",
    script: [{ input: {} }],
    build: (world) => {
      const inner = new StateGraph(TextLog)
        .addNode("leave", () => {
          world.note("leave");
          return new Command({ graph: Command.PARENT, goto: "other", update: { log: "left" } });
        })
        .addEdge(START, "leave")
        .compile();
      return new StateGraph(TextLog)
        .addNode("inner", inner, { ends: ["other"] })
        .addNode("other", () => ({ log: `arrived ${world.note("other")}` }))
        .addEdge(START, "inner");
    },
  },
  {
    name: "Command.PARENT to where an answer says",
    script: [{ input: {} }, { answer: () => "other" }, answerAll],
    build: (world) => {
      const inner = new StateGraph(TextLog)
        .addNode("leave", () => {
          world.note("leave");
          const goto = String(interrupt("where to?"));
          return new Command({ graph: Command.PARENT, goto, update: { log: "left" } });
        })
        .addEdge(START, "leave")
        .compile();
      return new StateGraph(TextLog)
        .addNode("inner", inner, { ends: ["other"] })
        .addNode("other", () => {
          world.note("other");
          return { log: String(interrupt("well?")) };
        })
        .addEdge(START, "inner");
    },
  },
];
