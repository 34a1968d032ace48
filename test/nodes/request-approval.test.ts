import { Command, MemorySaver } from "@langchain/langgraph";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { answerProblem, interruptKind, requestApproval } from "perdure/nodes";
import type { ApprovalAnswer, ApprovalQuestion, ApprovalRequest, DueAnswer } from "perdure/nodes";
import { oneNodeGraph } from "../support/one-node-graph.ts";

const refund = { name: "refund", args: { order: "A-1", amount: 40 } };
const NOW = "2026-01-01T00:00:00.000Z";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date(NOW) });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A thread that asks, and what stands open on it. */
function asking(request: ApprovalRequest, before: () => void | Promise<void> = () => {}) {
  const { run, graph, checkpointer } = oneNodeGraph(async () => {
    await before();
    return requestApproval(request);
  });
  const open = async () => {
    const { tasks } = await graph.getState({ configurable: { thread_id: "thread-1" } });
    return tasks[0]?.interrupts[0] as undefined | { value: ApprovalQuestion; response_schema: Record<string, unknown> };
  };
  return {
    checkpointer,
    open,
    ask: async () => {
      await run({});
      return (await open())!;
    },
    answer: async (answer: unknown) => (await run(new Command({ resume: answer }))).log[0] as object | undefined,
  };
}

const due = (at: string): DueAnswer => ({ perdure: "due", at });

describe("requestApproval asks", () => {
  test("in exactly the shapes of LangChain's human-in-the-loop middleware when nothing else is given", async () => {
    const { value } = await asking({
      actions: [
        { ...refund, description: "Refund 40 for A-1" },
        { name: "email", args: {}, allowedDecisions: ["approve", "reject"], argsSchema: { type: "object" } },
      ],
    }).ask();

    expect(value).toEqual({
      actionRequests: [
        { name: "refund", args: { order: "A-1", amount: 40 }, description: "Refund 40 for A-1" },
        { name: "email", args: {} },
      ],
      reviewConfigs: [
        { actionName: "refund", allowedDecisions: ["approve", "edit", "reject"] },
        { actionName: "email", allowedDecisions: ["approve", "reject"], argsSchema: { type: "object" } },
      ],
    });
    expect(interruptKind(value)).toBe("approval");
  });

  test("with whom, a remark and until when beside them", async () => {
    const { value } = await asking({
      actions: [refund],
      assignee: "ada",
      comment: "VIP customer",
      expiresInMs: 60_000,
    }).ask();

    expect(value).toMatchObject({ assignee: "ada", comment: "VIP customer", dueAt: "2026-01-01T00:01:00.000Z" });
  });

  test("with the due date of the first time, however often the node runs again", async () => {
    const thread = asking({ actions: [refund], expiresInMs: 60_000 });
    const first = await thread.ask();

    vi.setSystemTime("2026-01-01T00:00:30.000Z");
    await thread.answer({ decisions: [] }); // does not fit, so the node runs again and asks again
    const again = await thread.open();

    expect(first.value.dueAt).toBe("2026-01-01T00:01:00.000Z");
    expect(again?.value).toMatchObject({ problem: expect.stringContaining("decisions") });
    expect(again?.value.dueAt).toBe("2026-01-01T00:01:00.000Z");
  });

  test("with a JSON schema that tells every good answer from a bad one", async () => {
    const { response_schema: schema } = await asking({
      actions: [
        {
          ...refund,
          argsSchema: {
            type: "object",
            properties: { order: { type: "string" }, amount: { type: "number", maximum: 100 } },
            required: ["order", "amount"],
          },
        },
        { name: "email", args: {}, allowedDecisions: ["approve", "reject"] },
      ],
    }).ask();
    const edit = (args: object, name = "refund") => ({ type: "edit", editedAction: { name, args } });
    const approve = { type: "approve" };
    const problem = (...decisions: object[]) => answerProblem(schema, { decisions });

    expect(problem(approve, approve)).toBeUndefined();
    expect(problem(approve, { type: "reject" })).toBeUndefined();
    expect(problem({ type: "reject", message: "too much" }, approve)).toBeUndefined();
    expect(problem(edit({ order: "A-1", amount: 30 }), approve)).toBeUndefined();
    expect(answerProblem(schema, { decisions: [approve, approve], decidedBy: "ada", comment: "ok" })).toBeUndefined();

    expect(problem(approve)).toContain("decisions");
    expect(problem(approve, approve, approve)).toContain("decisions");
    expect(problem(approve, edit({}, "email"))).toContain("decisions.1");
    expect(problem({ type: "maybe" }, approve)).toContain("decisions.0");
    expect(problem({ type: "edit" }, approve)).toContain("decisions.0");
    expect(problem(edit({ order: "A-1", amount: 101 }), approve)).toContain("decisions.0.editedAction.args.amount");
    expect(problem(edit({ order: "A-1" }), approve)).toContain("decisions.0.editedAction.args");
    expect(problem(edit({ order: "A-1", amount: 1 }, "refund_all"), approve)).toContain(
      "decisions.0.editedAction.name",
    );
    expect(problem({ type: "reject", message: 7 }, approve)).toContain("decisions.0.message");
    for (const answer of ["approve", null, true, {}, [], { decisions: "approve" }, due(NOW)]) {
      expect(answerProblem(schema, answer)).toEqual(expect.any(String));
    }
    expect(answerProblem(schema, { decisions: [approve, approve], decidedBy: 7 })).toContain("decidedBy");
  });
});

describe("requestApproval is answered", () => {
  test("with the decisions in the order of the actions, and a record of each: who, what, when, why", async () => {
    const thread = asking({ actions: [refund, { name: "email", args: { to: "b" } }, refund], assignee: "ada" });
    await thread.ask();
    vi.setSystemTime("2026-01-02T00:00:00.000Z");
    const answer: ApprovalAnswer = {
      decisions: [
        { type: "approve" },
        { type: "reject", message: "not by mail" },
        { type: "edit", editedAction: { name: "refund", args: { order: "A-1", amount: 10 } } },
      ],
      decidedBy: "ada@example.com",
      comment: "seen the photos",
    };

    const by = {
      decidedBy: "ada@example.com",
      comment: "seen the photos",
      assignee: "ada",
      at: "2026-01-02T00:00:00.000Z",
    };
    expect(await thread.answer(answer)).toEqual({
      decisions: answer.decisions,
      expired: false,
      records: [
        { action: refund, type: "approve", ...by },
        { action: { name: "email", args: { to: "b" } }, type: "reject", message: "not by mail", ...by },
        {
          action: refund,
          type: "edit",
          editedAction: { name: "refund", args: { order: "A-1", amount: 10 } },
          ...by,
        },
      ],
    });
  });

  test("with no name and no remark when the answer has none", async () => {
    const thread = asking({ actions: [refund] });
    await thread.ask();

    expect(await thread.answer({ decisions: [{ type: "approve" }] })).toMatchObject({
      records: [{ decidedBy: null, comment: null, assignee: null }],
    });
  });

  test("an answer that does not fit is never a decision: it is asked again, with what was wrong", async () => {
    const thread = asking({ actions: [refund] });
    const { value } = await thread.ask();

    for (const wrong of ["yes", { decisions: [] }, { decisions: [{ type: "approve" }, { type: "approve" }] }]) {
      expect(await thread.answer(wrong)).toBeUndefined();
      expect((await thread.open())?.value).toEqual({ ...value, problem: expect.any(String) });
    }
    expect(await thread.answer({ decisions: [{ type: "approve" }] })).toMatchObject({
      decisions: [{ type: "approve" }],
    });
  });

  test("a due answer to a question without a due date is an answer that does not fit", async () => {
    const thread = asking({ actions: [refund] });
    await thread.ask();

    expect(await thread.answer(due(NOW))).toBeUndefined();
    expect((await thread.open())?.value.problem).toContain("decisions");
  });
});

describe("requestApproval whose time is over", () => {
  const at = "2026-01-01T00:01:00.000Z";

  test("rejects every action in nobody's name, with a message the model can be told", async () => {
    const thread = asking({ actions: [refund, refund], assignee: "ada", expiresInMs: 60_000 });
    await thread.ask();

    const decision = { type: "reject", message: `Nobody decided until ${at}.` };
    const record = {
      action: refund,
      ...decision,
      decidedBy: null,
      comment: null,
      assignee: "ada",
      at: "2026-01-01T00:05:00.000Z",
      expired: true,
    };
    expect(await thread.answer(due("2026-01-01T00:05:00.000Z"))).toEqual({
      decisions: [decision, decision],
      expired: true,
      records: [record, record],
    });
  });

  test("names the node to go on at", async () => {
    const thread = asking({ actions: [refund], expiresInMs: 60_000, onExpiry: "call_them" });
    await thread.ask();

    expect(await thread.answer(due(at))).toMatchObject({
      expired: true,
      goto: "call_them",
      decisions: [{ type: "reject" }],
    });
  });

  test("asks somebody else, with a due date of their own, and keeps in the records that it did", async () => {
    const thread = asking({
      actions: [refund],
      assignee: "ada",
      comment: "VIP",
      expiresInMs: 60_000,
      onExpiry: { escalateTo: "bob", expiresInMs: 120_000 },
    });
    await thread.ask();
    vi.setSystemTime(at);

    expect(await thread.answer(due(at))).toBeUndefined();
    expect((await thread.open())?.value).toEqual({
      actionRequests: [refund],
      reviewConfigs: [{ actionName: "refund", allowedDecisions: ["approve", "edit", "reject"] }],
      assignee: "bob",
      comment: "VIP",
      dueAt: "2026-01-01T00:03:00.000Z",
    });
    expect(await thread.answer({ decisions: [{ type: "approve" }], decidedBy: "bob" })).toEqual({
      decisions: [{ type: "approve" }],
      expired: false,
      records: [
        { action: refund, type: "escalate", decidedBy: null, comment: null, assignee: "ada", at, expired: true },
        { action: refund, type: "approve", decidedBy: "bob", comment: null, assignee: "bob", at },
      ],
    });
  });

  test("gives the second person as long as the first, and rejects if neither decides", async () => {
    const thread = asking({ actions: [refund], expiresInMs: 60_000, onExpiry: { escalateTo: "bob" } });
    await thread.ask();
    vi.setSystemTime(at);
    await thread.answer(due(at));
    const second = await thread.open();

    expect(second?.value.dueAt).toBe("2026-01-01T00:02:00.000Z");
    expect(await thread.answer(due("2026-01-01T00:02:00.000Z"))).toMatchObject({
      expired: true,
      decisions: [{ type: "reject", message: "Nobody decided until 2026-01-01T00:02:00.000Z." }],
      records: [
        { type: "escalate", assignee: null },
        { type: "reject", assignee: "bob", expired: true },
      ],
    });
  });

  test("goes up a chain of people, and to a node at its end", async () => {
    const thread = asking({
      actions: [refund],
      expiresInMs: 1,
      onExpiry: { escalateTo: "bob", onExpiry: { escalateTo: "cy", onExpiry: "call_them" } },
    });
    await thread.ask();
    await thread.answer(due(at));
    await thread.answer(due(at));

    expect((await thread.open())?.value.assignee).toBe("cy");
    expect(await thread.answer(due(at))).toMatchObject({ goto: "call_them", records: { length: 3 } });
  });
});

describe("requestApproval refuses", () => {
  test.each<[string, object, string]>([
    ["no actions", { actions: [] }, "`actions`"],
    ["an action without a name", { actions: [{ args: {} }] }, "`actions.0.name`"],
    ["no allowed decision", { actions: [{ ...refund, allowedDecisions: [] }] }, "`actions.0.allowedDecisions`"],
    ["an unknown decision", { actions: [{ ...refund, allowedDecisions: ["defer"] }] }, "allowedDecisions"],
    ["a negative time", { actions: [refund], expiresInMs: -1 }, "`expiresInMs`"],
    ["an expiry without a time", { actions: [refund], onExpiry: "reject" }, "`onExpiry`"],
    [
      "an escalation to nobody",
      { actions: [refund], expiresInMs: 1, onExpiry: { escalateTo: "" } },
      "`onExpiry.escalateTo`",
    ],
  ])("%s", async (_title, request, named) => {
    await expect(asking(request as ApprovalRequest).ask()).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
      message: expect.stringContaining(named),
    });
  });

  test("to be called outside of a graph", async () => {
    await expect(requestApproval({ actions: [refund], expiresInMs: 5 })).rejects.toMatchObject({
      code: "OUTSIDE_GRAPH",
    });
    await expect(requestApproval({ actions: [refund] })).rejects.toMatchObject({ code: "OUTSIDE_GRAPH" });
  });

  test("a due date of 0 ms is due at once, and asked all the same", async () => {
    expect((await asking({ actions: [refund], expiresInMs: 0 }).ask()).value.dueAt).toBe(NOW);
  });
});

test("a decision is only what it may say: other fields neither rename the approved action nor get into the record", async () => {
  const { ask, answer } = asking({ actions: [refund] });
  await ask();
  const other = { name: "email", args: {} };
  const decided = await answer({
    decisions: [{ type: "approve", action: other, editedAction: other, expired: true, at: "never" }],
    records: [],
  });
  expect(decided).toEqual({
    decisions: [{ type: "approve" }],
    records: [{ action: refund, type: "approve", decidedBy: null, comment: null, assignee: null, at: NOW }],
    expired: false,
  });
});

test("an approval holds for what was asked about: if the node asks about something else by then, it asks anew", async () => {
  let amount = 40;
  const { run, graph } = oneNodeGraph(() => requestApproval({ actions: [{ name: "refund", args: { amount } }] }));
  const open = async () => {
    const { tasks } = await graph.getState({ configurable: { thread_id: "thread-1" } });
    return tasks[0]?.interrupts[0]?.value as ApprovalQuestion | undefined;
  };
  const approve = () => run(new Command({ resume: { decisions: [{ type: "approve" }] } }));
  await run({});
  amount = 4000;
  expect((await approve()).log).toEqual([]);
  expect(await open()).toMatchObject({
    actionRequests: [{ args: { amount: 4000 } }],
    problem: "What there is to decide has changed since it was asked.",
  });
  expect((await approve()).log).toMatchObject([{ records: [{ action: { args: { amount: 4000 } } }] }]);
});

test("the answers of a node whose questions change their order never go to the wrong one", async () => {
  let order = ["small", "big"];
  const { run } = oneNodeGraph(async () => {
    const said: Record<string, string | undefined> = {};
    for (const name of order) {
      said[name] = (await requestApproval({ actions: [{ name, args: {} }] })).decisions[0]?.type;
    }
    return said;
  });
  const decide = (type: string) => run(new Command({ resume: { decisions: [{ type }] } }));
  await run({});
  order = ["big", "small"];
  await decide("approve"); // was said of the small one
  await decide("reject"); // to the big one, which is asked now
  expect((await decide("approve")).log).toEqual([{ big: "reject", small: "approve" }]);
});

test("questions asked side by side in one node are each answered for themselves", async () => {
  const { run } = oneNodeGraph(async () => {
    const both = await Promise.all(
      ["a", "b"].map((name) => requestApproval({ actions: [{ name, args: {} }], expiresInMs: 1000 })),
    );
    return both.map(({ records }) => `${records[0]?.action.name} ${records[0]?.type}`);
  });
  await run({});
  await run(new Command({ resume: { decisions: [{ type: "approve" }] } }));
  const { log } = await run(new Command({ resume: { decisions: [{ type: "reject" }] } }));
  expect(log).toEqual([["a approve", "b reject"]]);
});

test("an approval survives the process: the due date and the question are found by another one", async () => {
  const checkpointer = new MemorySaver();
  const graph = () => oneNodeGraph(() => requestApproval({ actions: [refund], expiresInMs: 60_000 }), { checkpointer });
  await graph().run({});
  vi.setSystemTime("2026-01-05T00:00:00.000Z");

  const { log } = await graph().run(new Command({ resume: due("2026-01-05T00:00:00.000Z") }));

  expect(log).toMatchObject([{ decisions: [{ message: "Nobody decided until 2026-01-01T00:01:00.000Z." }] }]);
});
