import { InMemoryStore, START, StateGraph, getStore } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { TextLog } from "../../support/text-log.ts";
import type { CorpusGraph } from "./corpus-graph.ts";

export const memory: readonly CorpusGraph[] = [
  {
    name: "a BaseStore, over turns, and context that reaches every node",
    script: [{ input: {} }, { input: {} }],
    context: { user: "ann", deep: { list: [1] } },
    build: (world) => {
      const store = new InMemoryStore();
      return new StateGraph(TextLog)
        .addNode("write", async (_state, config: LangGraphRunnableConfig) => {
          const times = world.note("write");
          await config.store!.put(["notes"], `n${times}`, { text: `by ${String(config.context?.["user"])} ${times}` });
          return {};
        })
        .addNode("read", async (_state, config: LangGraphRunnableConfig) => {
          const notes = await getStore()!.search(["notes"]);
          const texts = notes.map(({ value }) => String(value["text"])).toSorted();
          return { log: [...texts, `read by ${JSON.stringify(config.context)}`] };
        })
        .addEdge(START, "write")
        .addEdge("write", "read")
        .compile({ store });
    },
  },
];
