import { HumanMessage } from "@langchain/core/messages";
import { Command, END } from "@langchain/langgraph";
import { collect } from "../../../support/collect.ts";
import type { Choices } from "../choices.ts";
import { randomText } from "../random-value.ts";
import type { ActingGraph, ThreadConfig } from "./acting-graph.ts";
import { randomPlan } from "./deed.ts";
import type { TeeSaver } from "./tee-saver.ts";

/** How often each operation is chosen. */
export const GRAPH_OPERATION_WEIGHTS = {
  invoke: 12,
  fork: 6,
  /** Goes on from where it stopped; from an older checkpoint it does it again. */
  again: 3,
  replay: 3,
  resume: 8,
  resumeAndUpdate: 2,
  update: 5,
  updateOld: 4,
  updateNothing: 2,
  clearTasks: 1,
  copy: 2,
  updateAsInput: 1,
  /** In the state of a subgraph that asks. */
  updateBelow: 1,
  state: 2,
  history: 2,
  delete: 1,
} as const;

/** One kind of operation on a thread of a graph. */
export type GraphOperationKind = keyof typeof GRAPH_OPERATION_WEIGHTS;

/** What an operation works with. */
export interface GraphMoment {
  readonly choices: Choices;
  readonly graph: ActingGraph;
  readonly saver: TeeSaver;
  readonly threadId: string;
}

/** Does one operation; what the graph throws is left to the caller. */
export async function operate(kind: GraphOperationKind, moment: GraphMoment): Promise<void> {
  const { choices, graph, saver, threadId } = moment;
  const thread: ThreadConfig = {
    configurable: { thread_id: threadId },
    durability: choices.pick(["sync", "sync", "async", "exit"] as const),
  } as ThreadConfig;
  const input = () => ({
    messages: choices.chance(60)
      ? [new HumanMessage({ id: `in-${choices.seed()}`, content: randomText(choices) })]
      : [],
    plan: randomPlan(choices),
  });
  const old = async (): Promise<ThreadConfig> => {
    const states = await collect(graph.getStateHistory(thread));
    return { ...thread, ...(choices.pickAny(states)?.config as ThreadConfig | undefined) };
  };
  const update = () => ({ log: choices.chance(30) ? ("cut" as const) : ["updated"], plan: randomPlan(choices) });
  switch (kind) {
    case "invoke":
      return void (await graph.invoke(input(), thread));
    case "fork":
      return void (await graph.invoke(input(), await old()));
    case "again":
      return void (await graph.invoke(null, thread));
    case "replay":
      return void (await graph.invoke(null, await old()));
    case "resume":
      return void (await graph.invoke(new Command({ resume: `answer ${choices.seed()}` }), thread));
    case "resumeAndUpdate":
      return void (await graph.invoke(new Command({ resume: "yes", update: { log: ["and more"] } }), thread));
    case "update":
      return void (await graph.updateState(thread, update(), choices.pick(["work", "after"])));
    case "updateOld":
      return void (await graph.updateState(await old(), update(), "work"));
    case "updateNothing":
      return void (await graph.updateState(await old(), null));
    case "clearTasks":
      return void (await graph.updateState(thread, null, END));
    case "copy":
      return void (await graph.updateState(await old(), null, "__copy__"));
    case "updateAsInput":
      return void (await graph.updateState(await old(), input(), "__input__"));
    case "updateBelow": {
      const { tasks } = await graph.getState(thread, { subgraphs: true });
      const below = tasks.map(({ state }) => (state as { config?: ThreadConfig } | undefined)?.config);
      const config = choices.pickAny(below.filter((each) => each !== undefined));
      return config && void (await graph.updateState(config, { log: ["updated below"] }, "inner"));
    }
    case "state":
      return void (await graph.getState(await old(), { subgraphs: true }));
    case "history": {
      const before = choices.chance(40) ? { before: await old() } : {};
      const filter = choices.chance(40) ? { filter: { source: choices.pick(["loop", "fork", "update"]) } } : {};
      return void (await collect(
        graph.getStateHistory(thread, { limit: choices.between(1, 6), ...before, ...filter }),
      ));
    }
    case "delete":
      return saver.deleteThread(threadId);
  }
}
