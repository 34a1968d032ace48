import { Annotation, Command, END, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { createRunner, findStrandedThreads } from "perdure/runner";
import { describe, expect, test } from "vitest";
import { collect } from "../support/collect.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

const says = (log: string) => () => ({ log });
const asks = () => ({ log: String(interrupt("sure?")) });

/** Asks, and goes on at `next`. */
function askingBefore(next: string) {
  return new StateGraph(TextLog)
    .addNode("ask", asks)
    .addNode(next, says(next))
    .addEdge(START, "ask")
    .addEdge("ask", next as "ask");
}

/** Asks in a node of this name. */
function askingIn(node: string) {
  return new StateGraph(TextLog).addNode(node, asks).addEdge(START, node as typeof START);
}

/** Reviews, in a subgraph whose nodes have these names: the first says something, the second does what is given. */
function reviewing(second: string, work: () => { log: string }, options: { readonly checkpointer?: true } = {}) {
  const review = new StateGraph(TextLog)
    .addNode("read", says("read"))
    .addNode(second, work)
    .addEdge(START, "read")
    .addEdge("read", second as "read")
    .compile(options);
  return new StateGraph(TextLog).addNode("review", review).addEdge(START, "review");
}

const named = (threadId: string, nodes: string[]) => ({
  status: "error",
  tasks: [],
  next: nodes,
  error: {
    code: "GRAPH_CHANGED",
    node: nodes[0],
    message: expect.stringContaining(`Thread "${threadId}" goes on at "${nodes[0]}"`) as string,
  },
});

describeOnEachCheckpointer("a thread whose next node the graph has not any more", (store) => {
  test("is in error with GRAPH_CHANGED, whatever is called, and nothing of it runs", async () => {
    const { checkpointer } = store;
    const t = store.newThread();
    const old = createRunner(askingIn("ask"), { name: "old", checkpointer });
    const { interrupts, checkpointId } = await old.start(t, { log: "in" });
    const renamed = createRunner(askingIn("question"), { name: "new", checkpointer });
    expect(await renamed.inspect(t)).toMatchObject({ ...named(t, ["ask"]), checkpointId, values: { log: ["in"] } });
    expect(await renamed.continue(t)).toMatchObject({ ...named(t, ["ask"]), checkpointId });
    expect(await renamed.step(t, { tasks: ["some"] })).toMatchObject({ ...named(t, ["ask"]), checkpointId });
    await expect(renamed.start(t, { log: "again" })).rejects.toMatchObject({ code: "GRAPH_CHANGED" });
    await expect(renamed.asRunnable().invoke(null, { configurable: { thread_id: t } })).rejects.toMatchObject({
      code: "GRAPH_CHANGED",
    });
    await expect(renamed.resume(t, { [interrupts[0]!.id]: "yes" })).rejects.toMatchObject({ code: "GRAPH_CHANGED" });
    expect(await renamed.cancel(t, "no")).toMatchObject({ status: "cancelled" });
    expect(await renamed.continue(t)).toMatchObject({ ...named(t, ["ask"]), checkpointId });
    // the graph that has the node goes on where it stood
    expect(await old.resume(t, { [interrupts[0]!.id]: "yes" })).toMatchObject({
      status: "done",
      values: { log: ["in", "yes"] },
    });
    expect(await renamed.inspect(t)).toMatchObject({ status: "done" });
  });

  test("is moved on by an update as another node, and by a new turn that supersedes it", async () => {
    const { checkpointer } = store;
    const [updated, superseded] = [store.newThread(), store.newThread()];
    const old = createRunner(askingIn("ask"), { name: "old", checkpointer });
    const renamed = createRunner(askingIn("question"), { name: "new", checkpointer });
    for (const id of [updated, superseded]) await old.start(id, { log: "in" });
    expect(await renamed.update(updated, { log: "by hand" }, { asNode: "question" })).toMatchObject({
      status: "done",
      values: { log: ["in", "by hand"] },
    });
    expect(await renamed.start(superseded, { log: "again" }, { supersede: true })).toMatchObject({
      status: "interrupted",
      next: ["question"],
      values: { log: ["in", "again"] },
    });
  });

  test("goes nowhere while its siblings could: they wait, and run when the node is back", async () => {
    const { checkpointer } = store;
    const t = store.newThread();
    const graph = (second: string) =>
      new StateGraph(TextLog)
        .addNode("first", says("first"))
        .addNode(second, says("second"))
        .addEdge(START, "first")
        .addEdge(START, second as "first");
    const old = createRunner(graph("second"), { name: "old", checkpointer });
    await old.start(t, { log: "in" }, { drive: false });
    const renamed = createRunner(graph("other"), { name: "new", checkpointer });
    expect(await renamed.continue(t)).toMatchObject({ ...named(t, ["second"]), next: ["first", "second"] });
    expect(await old.continue(t)).toMatchObject({ status: "done", values: { log: ["in", "first", "second"] } });
  });

  test("is found where a finished sibling leads to it, and where that was sent there", async () => {
    const { checkpointer } = store;
    const t = store.newThread();
    const graph = (after: string, sentTo: string) =>
      new StateGraph(TextLog)
        .addNode("finish", says("finished"))
        .addNode("ask", asks)
        .addNode("spread", () => new Command({ goto: [new Send(sentTo, {})] }), { ends: [sentTo as "ask"] })
        .addNode(after, says(after))
        .addNode(sentTo, says(sentTo))
        .addEdge(START, "finish")
        .addEdge(START, "ask")
        .addEdge(START, "spread")
        .addEdge("finish", after as "ask");
    const old = createRunner(graph("after", "sent"), { name: "old", checkpointer });
    const { interrupts } = await old.start(t, { log: "in" });
    const renamed = createRunner(graph("behind", "posted"), { name: "new", checkpointer });
    const state = await renamed.resume(t, { [interrupts[0]!.id]: "yes" });
    expect(state).toMatchObject({ status: "error", next: ["ask", "after", "sent"] });
    expect(state.status === "error" && state.failures.map(({ node }) => node)).toEqual(["after", "sent"]);
    // the answer was kept all the same
    expect(await old.continue(t)).toMatchObject({ status: "done", interrupts: [] });
    expect((await old.inspect(t)).values.log.toSorted()).toEqual(["after", "finished", "in", "sent", "yes"]);
  });
});

describeOnEachCheckpointer("a thread in a subgraph whose next node that has not any more", (store) => {
  test.each([
    ["of its task", {}],
    ["with a memory of its own", { checkpointer: true as const }],
  ])("is in error with GRAPH_CHANGED where it waits there, in one %s", async (_what, options) => {
    const { checkpointer } = store;
    const t = store.newThread();
    const old = createRunner(reviewing("ask", asks, options), { name: "old", checkpointer });
    const { interrupts } = await old.start(t, { log: "in" });
    const answers = { [interrupts[0]!.id]: "yes" };
    const graph = reviewing("question", asks, options);
    const renamed = createRunner(graph, { name: "new", checkpointer });
    expect(await renamed.inspect(t)).toMatchObject({
      ...named(t, ["review|ask"]),
      next: ["review", "review|ask"],
      interrupts: [],
    });
    expect(await renamed.continue(t)).toMatchObject({ status: "error", error: { code: "GRAPH_CHANGED" } });
    await expect(renamed.resume(t, answers)).rejects.toMatchObject({ code: "GRAPH_CHANGED" });
    const only = (id: string) => id === t;
    expect(await collect(findStrandedThreads(graph, checkpointer, { only }))).toEqual([
      { threadId: t, nodes: ["review|ask"] },
    ]);
    expect(await collect(findStrandedThreads(reviewing("ask", asks, options), checkpointer, { only }))).toEqual([]);
    const { status, values } = await old.resume(t, answers);
    expect(status).toBe("done");
    expect(values.log).toContain("yes");
  });

  test("is named with all subgraphs before it, two deep", async () => {
    const { checkpointer } = store;
    const t = store.newThread();
    const desk = (node: string) =>
      new StateGraph(TextLog).addNode("desk", reviewing(node, asks).compile()).addEdge(START, "desk");
    await createRunner(desk("ask"), { name: "old", checkpointer }).start(t, { log: "in" });
    const renamed = createRunner(desk("question"), { name: "new", checkpointer });
    expect(await renamed.inspect(t)).toMatchObject({ status: "error", error: { node: "desk|review|ask" } });
  });

  test("is refused where its driver died there, after it was listed; and runs when the node is back", async () => {
    const { checkpointer } = store;
    const t = store.newThread();
    const death = new AbortController();
    let dies = true;
    const graph = reviewing("pay", () => {
      if (dies) death.abort(new Error("died"));
      return { log: "paid" };
    });
    const old = createRunner(graph, { name: "old", checkpointer });
    await expect(old.start(t, { log: "in" }, { signal: death.signal })).rejects.toThrow("died");
    const next = reviewing("refund", says("refunded"));
    const only = (id: string) => id === t;
    expect(await collect(findStrandedThreads(next, checkpointer, { only }))).toEqual([
      { threadId: t, nodes: ["review|pay"] },
    ]);
    expect(await collect(findStrandedThreads(graph, checkpointer, { only }))).toEqual([]);
    const renamed = createRunner(next, { name: "new", checkpointer });
    await expect(renamed.continue(t)).rejects.toMatchObject({
      code: "GRAPH_CHANGED",
      message: expect.stringContaining('"review|pay"') as string,
    });
    expect(await renamed.inspect(t)).toMatchObject({ status: "ready", next: ["review"], values: { log: ["in"] } });
    dies = false;
    const { status, values } = await old.continue(t);
    expect(status).toBe("done");
    expect(values.log.filter((line) => line === "paid")).toHaveLength(1);
    expect(values.log).not.toContain("refunded");
  });
});

describeOnEachCheckpointer("a thread that failed in a subgraph", (store) => {
  const failing = (node: string, options: { readonly checkpointer?: true } = {}) =>
    reviewing(
      node,
      () => {
        throw new Error("no money");
      },
      options,
    );

  test.each([
    ["of its task", {}],
    ["with a memory of its own", { checkpointer: true as const }],
  ])("is listed where that has not the node any more, in one %s", async (_what, options) => {
    const { checkpointer } = store;
    const t = store.newThread();
    const old = createRunner(failing("pay", options), { name: "old", checkpointer });
    expect(await old.start(t, { log: "in" })).toMatchObject({ status: "error" });
    const only = (id: string) => id === t;
    expect(await collect(findStrandedThreads(failing("refund", options), checkpointer, { only }))).toEqual([
      { threadId: t, nodes: ["review|pay"] },
    ]);
    expect(await collect(findStrandedThreads(failing("pay", options), checkpointer, { only }))).toEqual([]);
  });

  test("is not listed for a subgraph that an earlier superstep has left behind", async () => {
    const { checkpointer } = store;
    const t = store.newThread();
    const twice = (first: string, second: string) => {
      const inner = (node: string, work: () => { log: string }) =>
        new StateGraph(TextLog).addNode(node, work).addEdge(START, node as typeof START);
      const fails = () => {
        throw new Error("no money");
      };
      return new StateGraph(TextLog)
        .addNode("first", inner(first, says("one")).compile({ checkpointer: true }))
        .addNode("second", inner(second, fails).compile({ checkpointer: true }))
        .addEdge(START, "first")
        .addEdge("first", "second");
    };
    const old = createRunner(twice("a", "b"), { name: "old", checkpointer });
    expect(await old.start(t, { log: "in" })).toMatchObject({ status: "error" });
    const only = (id: string) => id === t;
    expect(await collect(findStrandedThreads(twice("other", "b"), checkpointer, { only }))).toEqual([]);
    expect(await collect(findStrandedThreads(twice("a", "other"), checkpointer, { only }))).toEqual([
      { threadId: t, nodes: ["second|b"] },
    ]);
  });
});

describe("a subgraph that the thread does not go on with", () => {
  test("may lack the node where it was left: by a Command to its parent", async () => {
    const team = (handoff: string) => {
      const inner = new StateGraph(TextLog)
        .addNode(handoff, () => new Command({ graph: Command.PARENT, goto: "ask", update: { log: "handed" } }))
        .addEdge(START, handoff as typeof START)
        .compile();
      const outer = new StateGraph(TextLog)
        .addNode("inner", inner, { ends: ["ask"] })
        .addNode("ask", asks)
        .addEdge(START, "inner")
        .compile();
      return new StateGraph(TextLog).addNode("outer", outer).addEdge(START, "outer");
    };
    const { runner, checkpointer } = await memoryRunner(team("handoff"));
    const { interrupts } = await runner.start("t", { log: "in" });
    const { runner: renamed } = await memoryRunner(team("pass on"), { checkpointer });
    expect(await renamed.inspect("t")).toMatchObject({ status: "interrupted", interrupts });
    expect(await collect(findStrandedThreads(team("pass on"), checkpointer))).toEqual([]);
    const { status, values } = await renamed.resume("t", { [interrupts[0]!.id]: "yes" });
    expect(status).toBe("done");
    expect(values.log).toEqual(expect.arrayContaining(["handed", "yes"]));
  });

  test("may lack the node that failed, while the error handler asks", async () => {
    const handled = (pay: string) => {
      const review = new StateGraph(TextLog)
        .addNode(pay, () => {
          throw new Error("no money");
        })
        .addEdge(START, pay as typeof START)
        .compile();
      return new StateGraph(TextLog)
        .addNode("review", review, { errorHandler: () => ({ log: String(interrupt("what now?")) }) })
        .addEdge(START, "review");
    };
    const { runner, checkpointer } = await memoryRunner(handled("pay"));
    const { interrupts } = await runner.start("t", { log: "in" });
    const { runner: renamed } = await memoryRunner(handled("transfer"), { checkpointer });
    expect(await renamed.inspect("t")).toMatchObject({ status: "interrupted", interrupts });
    expect(await collect(findStrandedThreads(handled("transfer"), checkpointer))).toEqual([]);
    expect(await renamed.resume("t", { [interrupts[0]!.id]: "wait" })).toMatchObject({
      status: "done",
      values: { log: ["in", "wait"] },
    });
  });
});

describe("what a thread goes to next", () => {
  test("is a node that was sent something, one after several that have all come, and one that is deferred", async () => {
    const graph = (sentTo: string, joined: string, deferred: string) =>
      new StateGraph(TextLog)
        .addNode("one", says("one"))
        .addNode("two", says("two"))
        .addNode(sentTo, asks)
        .addNode(joined, asks)
        .addNode(deferred, says("last"), { defer: true })
        .addEdge(START, "one")
        .addEdge(START, "two")
        .addConditionalEdges("one", () => new Send(sentTo, {}), [sentTo as "one"])
        .addEdge(["one", "two"], joined as "one")
        .addEdge("two", deferred as "one");
    const { runner, checkpointer } = await memoryRunner(graph("sent", "joined", "last"));
    await runner.start("t", { log: "in" });
    const { runner: renamed } = await memoryRunner(graph("sent2", "joined2", "last2"), { checkpointer });
    const state = await renamed.inspect("t");
    expect(state.next.toSorted()).toEqual(["joined", "last", "sent"]);
    expect(state.status).toBe("error");
  });

  test("is not a node behind one that waits, nor one for which only some have come", async () => {
    const { runner, checkpointer } = await memoryRunner(askingBefore("after"));
    const { interrupts } = await runner.start("t", { log: "in" });
    const { runner: changed } = await memoryRunner(askingBefore("behind"), { checkpointer });
    expect(await changed.resume("t", { [interrupts[0]!.id]: "yes" })).toMatchObject({
      status: "done",
      values: { log: ["in", "yes", "behind"] },
    });

    const joining = (last: string) =>
      new StateGraph(TextLog)
        .addNode("one", says("one"))
        .addNode("two", asks)
        .addNode(last, says(last))
        .addEdge(START, "one")
        .addEdge("one", "two")
        .addEdge(["one", "two"], last as "one");
    const joined = await memoryRunner(joining("end"));
    await joined.runner.start("t", { log: "in" });
    const other = await memoryRunner(joining("finish"), { checkpointer: joined.checkpointer });
    expect(await other.runner.inspect("t")).toMatchObject({ status: "interrupted", next: ["two"] });
  });

  test("is nothing on a thread that is done, whatever the graph was", async () => {
    const loop = new StateGraph(Annotation.Root({ n: Annotation<number> }))
      .addNode("count", ({ n }) => ({ n: n + 1 }))
      .addNode("again", () => ({}))
      .addEdge(START, "count")
      .addConditionalEdges("count", ({ n }) => (n < 3 ? "again" : END), ["again", END])
      .addEdge("again", "count");
    const { runner, checkpointer } = await memoryRunner(loop);
    await runner.start("t", { n: 0 });
    const { runner: renamed } = await memoryRunner(askingIn("ask"), { checkpointer });
    expect(await renamed.inspect("t")).toMatchObject({ status: "done", next: [] });
  });
});

describe("findStrandedThreads", () => {
  test("lists the threads whose next nodes a graph does not have, and no others", async () => {
    const { runner, checkpointer } = await memoryRunner(askingIn("ask"));
    for (const id of ["waits", "waits too", "other graph"]) await runner.start(id, { log: "in" });
    const { interrupts } = await runner.start("done", { log: "in" });
    await runner.resume("done", { [interrupts[0]!.id]: "yes" });
    const { runner: same } = await memoryRunner(askingBefore("after"), { checkpointer });
    await same.start("fits", { log: "in" });
    const found = await collect(
      findStrandedThreads(askingIn("question"), checkpointer, { only: (id) => id !== "other graph" && id !== "fits" }),
    );
    expect(found.toSorted((one, other) => (one.threadId < other.threadId ? -1 : 1))).toEqual([
      { threadId: "waits", nodes: ["ask"] },
      { threadId: "waits too", nodes: ["ask"] },
    ]);
    expect(await collect(findStrandedThreads(askingIn("ask"), checkpointer))).toEqual([]);
  });
});
