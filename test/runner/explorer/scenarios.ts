/** Small graphs, and the pairs of calls that meet at their threads. */
import { approval, row, siblings, signalled, subgraph, twoApprovals } from "./graphs.ts";
import type { Beginning, Client, LogValues, Scenario, ThreadEnd } from "./scenario.ts";

const BUSY = "THREAD_BUSY";
function started({ runner, threadId }: Beginning): Promise<unknown> {
  return runner.start(threadId, { log: "input" });
}

/** The input is stored, and the first nodes are ready: its process died then. */
function committed({ runner, threadId, stopAfter }: Beginning): Promise<unknown> {
  return runner.start(threadId, { log: "input" }, { signal: stopAfter(2) }).catch(() => {});
}

/** The first node of a row has run, and the second is ready. */
function halfway({ runner, threadId, stopAfter }: Beginning): Promise<unknown> {
  return runner.start(threadId, { log: "input" }, { signal: stopAfter(3) }).catch(() => {});
}

function logs(line: string): NonNullable<Client["shows"]> {
  return ({ chain }: ThreadEnd) => chain.some(({ values }: { values: LogValues }) => values.log.includes(line));
}

const continues: Client = {
  does: "continue",
  drives: true,
  call: (runner, threadId) => runner.continue(threadId),
  refusals: [BUSY],
};

function starts(log: string): Client {
  return {
    does: `start ${log}`,
    drives: true,
    call: (runner, threadId) => runner.start(threadId, { log }),
    refusals: [BUSY, "THREAD_UNFINISHED"],
    shows: logs(log),
  };
}

function supersedes(log: string): Client {
  return {
    does: `start ${log}, superseding`,
    drives: true,
    call: (runner, threadId) => runner.start(threadId, { log }, { supersede: true }),
    refusals: [BUSY],
    shows: logs(log),
  };
}

function steps(node: string): Client {
  return {
    does: `step ${node}`,
    drives: false,
    call: (runner, threadId, { state }) =>
      runner.step(threadId, { tasks: state.tasks.filter((task) => task.node === node).map(({ id }) => id) }),
    refusals: [],
    shows: logs(node),
  };
}

function answers(answer: string, node = "ask", refusals = ["INTERRUPT_ALREADY_ANSWERED"]): Client {
  return {
    does: `answer ${node} ${answer}`,
    drives: true,
    call: (runner, threadId, { state }) => {
      const asked = state.interrupts.find(({ value }) => value === `${node}?`);
      return runner.resume(threadId, { [asked?.id ?? ""]: answer });
    },
    refusals,
    shows: logs(`${node}=${answer}`),
  };
}

/** As the client, whose answer may be superseded once it is on record. */
function recorded(client: Client): Client {
  return { ...client, shows: (end) => end.answers.includes("yes") };
}

const cancels: Client = {
  does: "cancel",
  drives: false,
  call: (runner, threadId) => runner.cancel(threadId, "changed my mind"),
  refusals: [],
};

function signals(payload: string): Client {
  return {
    does: `signal ${payload}`,
    drives: true,
    call: (runner, threadId) => runner.signal(threadId, { name: "go", payload, id: `signal ${payload}` }),
    refusals: [],
    shows: (end) => logs(`wait=${payload}`)(end) || end.signalsLeft.includes(`signal ${payload}`),
  };
}

/** Back to where the input was stored. */
const forks: Client = {
  does: "fork",
  drives: false,
  call: (runner, threadId, { checkpointIds }) => runner.fork(threadId, { checkpointId: checkpointIds[1] ?? "" }),
  refusals: [BUSY],
  shows: ({ chain }) => chain.some(({ source }) => source === "fork"),
};

/** As if the first node of a row had run once more. */
const updates: Client = {
  does: "update",
  drives: false,
  call: (runner, threadId) => runner.update(threadId, { log: ["update"] }, { asNode: "one" }),
  refusals: [BUSY, "THREAD_UNFINISHED"],
  shows: logs("update"),
};

/** The scenarios of these names. */
export function scenarios(...names: readonly string[]): readonly Scenario[] {
  return names.map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found === undefined) throw new Error(`There is no scenario "${name}".`);
    return found;
  });
}

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "siblings: continue, continue", graph: siblings, begin: committed, clients: [continues, continues] },
  { name: "siblings: start, start", graph: siblings, clients: [starts("A"), starts("B")], input: { log: "late" } },
  {
    name: "siblings: step left, step right",
    graph: siblings,
    begin: committed,
    clients: [steps("left"), steps("right")],
  },
  {
    name: "siblings: step left, step left",
    graph: siblings,
    begin: committed,
    clients: [steps("left"), steps("left")],
  },
  { name: "siblings: step left, continue", graph: siblings, begin: committed, clients: [steps("left"), continues] },
  { name: "siblings: cancel, step left", graph: siblings, begin: committed, clients: [cancels, steps("left")] },
  { name: "siblings: cancel, continue", graph: siblings, begin: committed, clients: [cancels, continues] },
  { name: "approval: yes, no", graph: approval, begin: started, clients: [answers("yes"), answers("no")] },
  { name: "approval: yes, yes", graph: approval, begin: started, clients: [answers("yes"), answers("yes")] },
  { name: "approval: yes, continue", graph: approval, begin: started, clients: [answers("yes"), continues] },
  {
    name: "approval: yes, cancel",
    graph: approval,
    begin: started,
    clients: [answers("yes", "ask", ["RUN_CANCELLED"]), cancels],
  },
  {
    name: "approval: yes, supersede",
    graph: approval,
    begin: started,
    clients: [recorded(answers("yes", "ask", ["INTERRUPT_NOT_OPEN"])), supersedes("again")],
    cuts: true,
  },
  {
    name: "two approvals: left, right",
    graph: twoApprovals,
    begin: started,
    clients: [answers("yes", "left", []), answers("no", "right", [])],
  },
  { name: "signal: signal, continue", graph: signalled, begin: committed, clients: [signals("A"), continues] },
  { name: "signal: signal, signal", graph: signalled, begin: started, clients: [signals("A"), signals("B")] },
  { name: "fork: fork, continue", graph: row, begin: halfway, clients: [forks, continues] },
  { name: "fork: fork, fork", graph: row, begin: halfway, clients: [forks, forks] },
  { name: "update: update, continue", graph: row, begin: halfway, clients: [updates, continues] },
  { name: "subgraph: continue, continue", graph: subgraph("works"), begin: committed, clients: [continues, continues] },
  {
    name: "subgraph: yes, no",
    graph: subgraph("asks"),
    begin: started,
    clients: [answers("yes", "first"), answers("no", "first")],
  },
  {
    name: "subgraph: yes, cancel",
    graph: subgraph("asks"),
    begin: started,
    clients: [answers("yes", "first", ["RUN_CANCELLED"]), cancels],
  },
];
