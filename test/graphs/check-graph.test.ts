import { tool } from "@langchain/core/tools";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import fc from "fast-check";
import { createAgent } from "langchain";
import { cappedEdge, checkGraph, drawGraph } from "perdure/graphs";
import { approval as approvalNode, decisionsChannel, effect } from "perdure/nodes";
import { describe, expect, test } from "vitest";
import { z } from "zod";

const State = Annotation.Root({ n: Annotation<number>() });
const step = () => ({});
const irreversible = (compensate?: string) => ({ metadata: { perdure: { effect: "irreversible", compensate } } });
const approval = { metadata: { perdure: { approval: true } } };

/** A graph from plain lists; names are strings here, so LangGraph's types are put aside. */
function graphOf(
  nodes: Record<string, object>,
  edges: readonly (readonly [string | string[], string])[],
): StateGraph<unknown> {
  const graph = new StateGraph(State) as unknown as LooseGraph;
  for (const [name, options] of Object.entries(nodes)) graph.addNode(name, step, options);
  for (const [from, to] of edges) graph.addEdge(from, to);
  return graph as unknown as StateGraph<unknown>;
}
interface LooseGraph {
  addNode(name: string, node: unknown, options: object): void;
  addEdge(from: string | string[], to: string): void;
}

describe("unreachable nodes", () => {
  test("each node nothing leads to is named", () => {
    const graph = graphOf({ a: {}, lost: {}, alsoLost: {} }, [
      [START, "a"],
      ["lost", "alsoLost"],
    ]);
    expect(checkGraph(graph)).toMatchObject([
      { kind: "unreachable-node", node: "lost" },
      { kind: "unreachable-node", node: "alsoLost" },
    ]);
  });

  test("a join is reached only if all of its starts are", () => {
    const graph = graphOf({ a: {}, lost: {}, joined: {} }, [
      [START, "a"],
      [["a", "lost"], "joined"],
    ]);
    expect(checkGraph(graph).map((finding) => "node" in finding && finding.node)).toEqual(["lost", "joined"]);
  });

  test("a Command's declared ends and an undeclared condition reach nodes", () => {
    const graph = new StateGraph(State)
      .addNode("a", step, { ends: ["b"] as never })
      .addNode("b", step)
      .addNode("c", step)
      .addEdge(START, "a")
      .addConditionalEdges("b", () => "c");
    expect(checkGraph(graph).filter(({ kind }) => kind === "unreachable-node")).toEqual([]);
  });
});

describe("cycles", () => {
  test("each cycle without a cap is named", () => {
    const graph = graphOf({ a: {}, b: {}, c: {} }, [
      [START, "a"],
      ["a", "b"],
      ["b", "a"],
      ["b", "c"],
      ["c", "c"],
    ]);
    expect(checkGraph(graph)).toMatchObject([
      { kind: "uncapped-cycle", nodes: ["a", "b"], message: "The cycle a -> b -> a has no cap." },
      { kind: "uncapped-cycle", nodes: ["c"], message: "The cycle c -> c has no cap." },
    ]);
  });

  test("a cappedEdge caps the cycles through it and no others", () => {
    const graph = new StateGraph(State)
      .addNode("a", step)
      .addNode("b", step)
      .addNode("c", step)
      .addEdge(START, "a")
      .addEdge("a", "b")
      .addEdge("c", "a")
      .addConditionalEdges("b", () => "c", ["c", END]);
    cappedEdge(graph, { from: "b", to: "a", max: 3, onLimit: END });
    expect(checkGraph(graph)).toMatchObject([{ kind: "uncapped-cycle", nodes: ["a", "b", "c"] }]);
  });

  test("a plain edge beside a capped one is no cap", () => {
    const graph = graphOf({ a: {} }, [
      [START, "a"],
      ["a", "a"],
    ]);
    cappedEdge(graph as never, { from: "a", to: "a", max: 3, onLimit: END } as never);
    expect(checkGraph(graph)).toMatchObject([{ kind: "uncapped-cycle", nodes: ["a"] }]);
  });

  test("a node with a cap of its own caps the cycles through it", () => {
    const graph = graphOf({ a: {}, b: { metadata: { perdure: { cap: 3 } } } }, [
      [START, "a"],
      ["a", "b"],
      ["b", "a"],
    ]);
    expect(checkGraph(graph)).toEqual([]);
  });

  test("a condition without declared paths is assumed to lead back, and the finding says so", () => {
    const graph = new StateGraph(State)
      .addNode("agent", step)
      .addNode("tools", step)
      .addEdge(START, "agent")
      .addEdge("tools", "agent")
      .addConditionalEdges("agent", () => "tools");
    const findings = checkGraph(graph);
    expect(findings).toMatchObject([{ kind: "uncapped-cycle", nodes: ["agent", "tools"], assumed: "agent" }]);
    expect(findings[0]?.message).toContain("declares no paths, so it may lead anywhere");
  });
});

describe("irreversible nodes", () => {
  test("one that can be reached around the approval is named, with the way there", () => {
    const graph = graphOf({ a: {}, ask: approval, b: {}, pay: irreversible() }, [
      [START, "a"],
      ["a", "ask"],
      ["ask", "pay"],
      ["a", "b"],
      ["b", "pay"],
    ]);
    expect(checkGraph(graph)).toMatchObject([{ kind: "unguarded-effect", node: "pay", path: ["a", "b", "pay"] }]);
  });

  test("an approval on every path, one of its own, or a compensation is enough", () => {
    const guarded = graphOf({ ask: approval, pay: irreversible() }, [
      [START, "ask"],
      ["ask", "pay"],
    ]);
    const asking = graphOf({ pay: { metadata: { perdure: { effect: "irreversible", approval: true } } } }, [
      [START, "pay"],
    ]);
    const compensated = graphOf({ pay: irreversible("undo"), undo: {} }, [
      [START, "pay"],
      ["pay", "undo"],
    ]);
    for (const graph of [guarded, asking, compensated]) expect(checkGraph(graph)).toEqual([]);
  });

  test("a compensation that is no node of the graph is none", () => {
    const graph = graphOf({ pay: irreversible("undo") }, [[START, "pay"]]);
    expect(checkGraph(graph)).toMatchObject([{ kind: "unguarded-effect", node: "pay" }]);
  });

  test("an approval that a join waits for is on every path", () => {
    const graph = graphOf({ a: {}, ask: approval, pay: irreversible() }, [
      [START, "a"],
      [START, "ask"],
      [["a", "ask"], "pay"],
    ]);
    expect(checkGraph(graph)).toEqual([]);
  });

  test("approvals and effects are seen through subgraphs", () => {
    const asking = graphOf({ ask: approval }, [[START, "ask"]]).compile();
    const paying = graphOf({ pay: irreversible() }, [[START, "pay"]]).compile();
    const outer = (first: object, second: object) =>
      new StateGraph(State)
        .addNode("one", first as never)
        .addNode("two", second as never)
        .addEdge(START, "one")
        .addEdge("one", "two");
    expect(checkGraph(outer(asking, paying))).toEqual([]);
    expect(checkGraph(outer(paying, asking))).toMatchObject([{ kind: "unguarded-effect", node: "one:pay" }]);
    expect(checkGraph(outer(asking, paying).compile())).toEqual([]);
  });
});

test("an error handler may lead anywhere, so it is assumed to", () => {
  const graph = new StateGraph(State)
    .addNode("a", step, { errorHandler: () => ({}) })
    .addNode("b", step)
    .addEdge(START, "a")
    .addEdge("a", "b");
  expect(checkGraph(graph)).toMatchObject([
    { kind: "uncapped-cycle", nodes: ["__error_handler__a", "a"], assumed: "__error_handler__a" },
  ]);
});

test("an agent made by createAgent is checked and drawn through its graph", () => {
  const model = new ChatOpenAI({ model: "none", apiKey: "none" });
  const look = tool(() => "", { name: "look", description: "", schema: z.object({}) });
  const agent = createAgent({ model, tools: [look] });
  expect(checkGraph(agent.graph)).toMatchObject([{ kind: "uncapped-cycle", nodes: expect.arrayContaining(["tools"]) }]);
  expect(drawGraph(agent.graph)).toContain("│ tools │");
});

test("with strict, findings are GRAPH_UNSAFE and all are listed; without, they are returned", () => {
  const graph = graphOf({ a: {}, lost: {} }, [
    [START, "a"],
    ["a", "a"],
  ]);
  expect(checkGraph(graph)).toHaveLength(2);
  expect(() => checkGraph(graph, { strict: true })).toThrow(
    expect.objectContaining({ code: "GRAPH_UNSAFE", message: expect.stringMatching(/"lost"[^]*a -> a/) }),
  );
});

test.each([[{}], [1], ["graph"], [null], [undefined]])("%j, which is no StateGraph, is GRAPH_UNSUPPORTED", (graph) => {
  expect(() => checkGraph(graph as never)).toThrow(expect.objectContaining({ code: "GRAPH_UNSUPPORTED" }));
});

test("on random graphs, the findings are those of trying every path", () => {
  const names = ["a", "b", "c", "d", "e"];
  const edge = fc
    .tuple(fc.constantFrom(START, ...names), fc.constantFrom(...names, END))
    .filter(([from, to]) => from !== START || to !== END);
  const traits = fc.constantFrom({}, {}, approval, irreversible(), irreversible("a"));
  fc.assert(
    fc.property(
      fc.uniqueArray(edge, { maxLength: 11, selector: ([from, to]) => from + to }),
      fc.tuple(traits, traits, traits, traits, traits),
      (edges, metadata) => {
        const nodes = Object.fromEntries(names.map((name, at) => [name, metadata[at] ?? {}]));
        const graph = graphOf(nodes, edges);
        const paths = simplePaths(edges, [START]);
        const isApproval = (name: string) => nodes[name] === approval;

        const unreachable = names.filter((name) => !paths.some((path) => path.at(-1) === name));
        const unguarded = names.filter(
          (name) =>
            JSON.stringify(nodes[name]) === JSON.stringify(irreversible()) &&
            paths.some((path) => path.at(-1) === name && !path.some(isApproval)),
        );
        const cyclic = names.filter((name) =>
          simplePaths(edges, [name]).some((path) => edges.some(([from, to]) => from === path.at(-1) && to === name)),
        );

        const findings = checkGraph(graph);
        const named = (kind: string) =>
          findings.flatMap((finding) => (finding.kind === kind && "node" in finding ? [finding.node] : []));
        expect(named("unreachable-node")).toEqual(unreachable);
        expect(named("unguarded-effect")).toEqual(unguarded);
        expect(new Set(findings.flatMap((finding) => ("nodes" in finding ? finding.nodes : [])))).toEqual(
          new Set(cyclic),
        );
        for (const finding of findings) {
          if (finding.kind !== "unguarded-effect") continue;
          expect(paths).toContainEqual([START, ...finding.path]);
          expect(finding.path.some(isApproval)).toBe(false);
        }
      },
    ),
  );
});

function simplePaths(edges: readonly (readonly [string, string])[], path: readonly string[]): string[][] {
  const onward = edges.filter(([from, to]) => from === path.at(-1) && !path.includes(to));
  return [[...path], ...onward.flatMap(([, to]) => simplePaths(edges, [...path, to]))];
}

test("an approval that a plain edge leads on from guards nothing after it; one with a way for a no does", () => {
  const pay = () => ({});
  const actions = [{ name: "pay", args: {} }];
  const goesOn = approvalNode({ actions });
  const unsafe = new StateGraph(Annotation.Root({ decisions: decisionsChannel() }))
    .addNode("ask", goesOn, goesOn.options)
    .addNode("pay", pay, effect("irreversible"))
    .addEdge(START, "ask");
  expect(checkGraph(unsafe.addEdge("ask", "pay"))).toMatchObject([
    { kind: "unguarded-effect", node: "pay", path: ["ask", "pay"] },
  ]);
  const routed = new StateGraph(Annotation.Root({ decisions: decisionsChannel() }))
    .addNode("ask", goesOn, goesOn.options)
    .addNode("pay", pay, effect("irreversible"))
    .addEdge(START, "ask")
    .addConditionalEdges("ask", ({ decisions }) => (decisions.at(-1)?.type === "reject" ? END : "pay"), ["pay", END]);
  expect(checkGraph(routed)).toEqual([]);
  const goes = approvalNode({ actions, onApprove: "pay", onReject: END });
  const safe = new StateGraph(Annotation.Root({ decisions: decisionsChannel() }))
    .addNode("ask", goes, goes.options)
    .addNode("pay", pay, effect("irreversible"))
    .addEdge(START, "ask");
  expect(checkGraph(safe)).toEqual([]);
});
