import { tool } from "@langchain/core/tools";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { effect, nodeTraits, readNodeTraits } from "perdure/nodes";

describe("effect", () => {
  test("is kept with the node, where readNodeTraits finds it", () => {
    const graph = new StateGraph(Annotation.Root({ done: Annotation<boolean>() }))
      .addNode("refund", () => ({ done: true }), {
        ...effect("irreversible", { compensate: "undo" }),
        retryPolicy: { maxAttempts: 2 },
      })
      .addNode("undo", () => ({ done: false }), effect("idempotent"))
      .addNode("look", () => ({}))
      .addEdge(START, "refund");

    const traits = (name: keyof typeof graph.nodes) => readNodeTraits(graph.nodes[name]?.metadata);
    expect(traits("refund")).toEqual({ effect: "irreversible", compensate: "undo" });
    expect(traits("undo")).toEqual({ effect: "idempotent" });
    expect(traits("look")).toEqual({});
    expect(graph.nodes["refund"]?.retryPolicy).toEqual({ maxAttempts: 2 });
  });

  test("is kept with a tool as well", () => {
    const refund = tool(() => "", { name: "refund", schema: z.object({}), ...effect("irreversible") });
    expect(readNodeTraits(refund.metadata)).toEqual({ effect: "irreversible" });
  });

  test.each([["permanent"], [""], [undefined]])("refuses %s", (value) => {
    expect(() => effect(value as never)).toThrow(
      expect.objectContaining({ code: "OPTIONS_INVALID", message: expect.stringContaining("`effect`") }),
    );
  });
});

describe("nodeTraits", () => {
  test("carries approval and cap too, and leaves out what is not said", () => {
    expect(readNodeTraits(nodeTraits({ approval: true, cap: 3 }).metadata)).toEqual({ approval: true, cap: 3 });
    expect(nodeTraits({}).metadata).toEqual({ perdure: {} });
  });

  test("refuses a cap below 1", () => {
    expect(() => nodeTraits({ cap: 0 })).toThrow(expect.objectContaining({ code: "OPTIONS_INVALID" }));
  });
});

describe("readNodeTraits", () => {
  test.each([[undefined], [null], ["text"], [{}], [{ perdure: "x" }], [{ perdure: { effect: "other" } }]])(
    "finds nothing in %j",
    (metadata) => {
      expect(readNodeTraits(metadata)).toEqual({});
    },
  );
});
