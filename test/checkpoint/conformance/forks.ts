import { Annotation, END, MemorySaver, Send, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import { collect, newThread } from "./store.ts";

const State = Annotation.Root({
  /** Grows with each run, or is cut to its first item. */
  log: Annotation<string[], string[] | "cut">({
    reducer: (log, change) => (change === "cut" ? log.slice(0, 1) : [...log, ...change]),
    default: () => [],
  }),
  last: Annotation<string>(),
  /** Written by few runs, so that most checkpoints share one version of it. */
  rare: Annotation<string>(),
});

function compile(checkpointer: BaseCheckpointSaver) {
  return new StateGraph(State)
    .addNode("work", ({ last }) => ({ log: [`work ${last}`], ...(last.endsWith("0") ? { rare: last } : {}) }))
    .addNode("part", ({ last }) => ({ log: [`part ${last}`] }))
    .addEdge(START, "work")
    .addConditionalEdges("work", ({ last }) =>
      last.endsWith("1") ? [new Send("part", { last }), new Send("part", { last: "b" })] : END,
    )
    .addEdge("part", END)
    .compile({ checkpointer });
}

type Graph = ReturnType<typeof compile>;

/** One thing that is done to a thread; `from` picks one of its checkpoints, or the newest. */
type Operation =
  | { readonly kind: "invoke"; readonly value: string; readonly from: number | undefined }
  | { readonly kind: "update"; readonly log: string[] | "cut"; readonly from: number | undefined };

const from = fc.option(fc.nat(100), { nil: undefined });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("invoke" as const), value: fc.stringMatching(/^[a-z][0-3]$/), from }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("update" as const),
      log: fc.oneof(fc.constant("cut" as const), fc.array(fc.string({ maxLength: 3 }), { maxLength: 2 })),
      from,
    }),
  },
);

/** Forks: the same result as with LangGraph's MemorySaver, whatever was forked from where (H9). */
export function describeForks(checkpointer: () => Checkpointer, propertyRuns: number): void {
  describe("a plain LangGraph graph that forks", () => {
    it("H9: gets back the branch it has just written, and not another one with the same channel versions", async () => {
      const graph = compile(checkpointer());
      const thread = { configurable: { thread_id: newThread() } };
      await graph.invoke({ log: ["one"], last: "a" }, thread);
      const older = (await graph.getState(thread)).config;
      await graph.invoke({ log: ["two"], last: "b" }, thread);
      const forked = await graph.invoke({ log: ["fork"], last: "c" }, older);
      expect(forked.log).toEqual(["one", "work a", "fork", "work c"]);
      expect((await graph.getState(thread)).values).toEqual(forked);
    });

    it("has the states and the history that it has on MemorySaver, after any sequence of runs, edits and forks", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 2, maxLength: 7 }), async (operations) => {
          const [ours, reference] = [compile(checkpointer()), compile(new MemorySaver())];
          const thread = { configurable: { thread_id: newThread() } };
          for (const step of operations) {
            expect(await apply(ours, thread, step)).toEqual(await apply(reference, thread, step));
            expect(await story(ours, thread)).toEqual(await story(reference, thread));
          }
        }),
        { numRuns: propertyRuns },
      );
    });
  });
}

async function apply(graph: Graph, thread: RunnableConfig, step: Operation): Promise<unknown> {
  const states = await collect(graph.getStateHistory(thread));
  const config =
    (step.from === undefined ? undefined : states[step.from % Math.max(states.length, 1)]?.config) ?? thread;
  if (step.kind === "invoke") return graph.invoke({ log: [`in ${step.value}`], last: step.value }, config);
  await graph.updateState(config, { log: step.log, last: "x" }, "work");
  return undefined;
}

/** The state and the whole history, with each checkpoint named by its place in it. */
async function story(graph: Graph, thread: RunnableConfig): Promise<unknown> {
  const history = await collect(graph.getStateHistory(thread));
  const place = (config: RunnableConfig | undefined): number =>
    history.findIndex(
      (state) => state.config.configurable?.["checkpoint_id"] === config?.configurable?.["checkpoint_id"],
    );
  const now = await graph.getState(thread);
  return {
    now: [now.values, now.next, place(now.config)],
    history: history.map(({ values, next, metadata, parentConfig, tasks }) => ({
      values,
      next,
      source: metadata?.source,
      step: metadata?.step,
      parent: place(parentConfig),
      tasks: tasks.map(({ name, result }) => [name, result]),
    })),
  };
}
