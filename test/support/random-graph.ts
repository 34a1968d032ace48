import { Annotation, Command, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import fc from "fast-check";

/** What one node of a random graph does, and where it leads. */
export interface RandomNode {
  /** Questions it asks, one after the other. */
  readonly asks: number;
  /** How often each of its tasks fails before it succeeds. */
  readonly failures: number;
  /** Whether it does its work in a subgraph that it calls. */
  readonly nested: boolean;
  /** `edges`: to targets; `send`: tasks of a target; `goto`: by a Command; `loop`: back to a target for a while. */
  readonly kind: "edges" | "send" | "goto" | "loop";
  /** Which nodes it leads to beside the next one, as distances. */
  readonly targets: readonly number[];
}

const RARELY = { weight: 4, arbitrary: fc.constant(0) };

/** Random graphs of two to five nodes, which all end. */
export const randomNodes: fc.Arbitrary<readonly RandomNode[]> = fc.array(
  fc.record({
    asks: fc.oneof(RARELY, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) }),
    failures: fc.oneof(RARELY, { weight: 1, arbitrary: fc.constant(1) }),
    nested: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    kind: fc.constantFrom("edges", "send", "goto", "loop"),
    targets: fc.uniqueArray(fc.integer({ min: 2, max: 3 }), { maxLength: 2 }),
  }),
  { minLength: 2, maxLength: 5 },
);

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
  tasks: Annotation<number>({ reducer: (kept, added) => kept + added, default: () => 0 }),
});

interface TaskInput {
  readonly tasks: number;
  readonly item?: number;
}

/** Rounds of loops, and with them the length of a run, are bounded by how many tasks have run. */
const MOST_TASKS_IN_LOOPS = 8;

/**
 * The graph that the nodes describe: node i is `n<i>`, and the first one is where it begins.
 * @param begins hears of each run of a node
 */
export function randomGraph(nodes: readonly RandomNode[], begins: (name: string) => void = () => {}) {
  const failed = new Map<string, number>();
  const graph = new StateGraph(State) as unknown as LooseGraph;
  nodes.forEach((node, index) => {
    const name = `n${index}`;
    const forward = [1, ...node.targets].map((distance) => index + distance).filter((target) => target < nodes.length);
    const names = forward.map((target) => `n${target}`);
    const work = (input: TaskInput, taskId: string): string => {
      begins(name);
      const questions = Array.from({ length: node.asks }, (_, ask) => ({ name, ask, item: input.item ?? null }));
      const answers = questions.map((question) => String(interrupt(question)));
      const failures = failed.get(taskId) ?? 0;
      failed.set(taskId, failures + 1);
      if (failures < node.failures) throw new Error(`${name} fails`);
      return [name, input.item ?? input.tasks, ...answers].join(" ");
    };
    const run = async (input: TaskInput, config: { readonly executionInfo?: { readonly taskId: string } }) => {
      const { taskId } = config.executionInfo!;
      const log = node.nested ? await workBelow(() => work(input, taskId)) : [work(input, taskId)];
      const update = { log, tasks: 1 };
      return node.kind === "goto" ? new Command({ update, goto: names }) : update;
    };
    graph.addNode(name, run, node.kind === "goto" ? { ends: names } : {});
    if (index === 0) graph.addEdge(START, name);
    if (node.kind === "goto") return;
    if (node.kind === "edges") for (const target of names) graph.addEdge(name, target);
    if (node.kind === "send") {
      graph.addConditionalEdges(name, ({ tasks }) =>
        names.flatMap((target, which) => [0, 1].map((item) => new Send(target, { tasks, item: which * 2 + item }))),
      );
    }
    if (node.kind === "loop") {
      const back = `n${Math.max(0, index - (node.targets[0] ?? 1))}`;
      graph.addConditionalEdges(name, ({ tasks }) => (tasks < MOST_TASKS_IN_LOOPS ? [back] : names));
    }
  });
  return graph.compile();
}

/** Does work in a subgraph, between two other nodes. */
async function workBelow(work: () => string): Promise<string[]> {
  const graph = new StateGraph(State)
    .addNode("before", () => ({ log: ["before"] }))
    .addNode("work", () => ({ log: [work()] }))
    .addNode("after", ({ log }) => ({ log: [`after ${log.length}`] }))
    .addEdge(START, "before")
    .addEdge("before", "work")
    .addEdge("work", "after");
  return (await graph.compile().invoke({})).log;
}

/** A StateGraph whose nodes are known at run time only. */
interface LooseGraph {
  addNode(name: string, run: unknown, options: object): void;
  addEdge(from: string, to: string): void;
  addConditionalEdges(from: string, route: (state: typeof State.State) => unknown): void;
  compile(): ReturnType<StateGraph<typeof State.spec>["compile"]>;
}
