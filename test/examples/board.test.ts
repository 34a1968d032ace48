import { describe, expect, it } from "vitest";
import { applyEvent, createBoard, isKillMoment, markLost } from "../../examples/support-desk/board.ts";
import type { Board } from "../../examples/support-desk/board.ts";
import type { OpenQuestion, ThreadEvent, ThreadSummary } from "../../examples/support-desk/protocol.ts";

const SUMMARY: ThreadSummary = {
  status: "done",
  steps: 3,
  toolCalls: 1,
  tokens: 10,
  decisions: [],
  outcome: "Good day.",
};
const QUESTION: OpenQuestion = { threadId: "a", interruptId: "i", action: { name: "refund_order", args: {} } };
const PAID = { type: "refund", orderId: "A-1001", amountCents: 1, outcome: "paid" } as const;

function board(): Board {
  return createBoard(["a", "b"].map((threadId) => ({ threadId, customer: threadId, text: "Hello." })));
}

function after(events: readonly ThreadEvent[]): Board {
  const result = board();
  events.forEach((event, index) => applyEvent(result, event, 1000 * (index + 1)));
  return result;
}

describe("the board", () => {
  it("shows the nodes that run, also two of one name, and whether a thread waits", () => {
    const start = { type: "node", threadId: "a", node: "act", phase: "start" } as const;
    const events: ThreadEvent[] = [start, start, { ...start, phase: "end" }];
    expect(after(events).get("a")).toMatchObject({ phase: "running", nodes: ["act"] });
    expect(after([...events, { type: "question", threadId: "a", question: QUESTION }]).get("a")?.phase).toBe("waiting");
  });

  it("keeps the time at which a thread was over when a second worker tells it again", () => {
    const over = { type: "finished", threadId: "a", summary: SUMMARY } as const;
    const found = { type: "found", threadId: "a", status: "done", step: 3, next: [] } as const;
    expect(after([over, found, over]).get("a")).toMatchObject({ phase: "finished", finishedAt: 1000 });
  });

  it("marks the unfinished threads of a dead worker, until they are found again", () => {
    const lost = after([{ type: "finished", threadId: "a", summary: SUMMARY }]);
    markLost(lost);
    expect([...lost.values()].map(({ phase }) => phase)).toEqual(["finished", "lost"]);
    applyEvent(lost, { type: "found", threadId: "b", status: "ready", step: 1, next: ["reason"] }, 0);
    expect(lost.get("b")?.phase).toBe("running");
  });
});

describe("isKillMoment", () => {
  const asked: ThreadEvent = { type: "question", threadId: "b", question: QUESTION };
  const atWork: ThreadEvent = { type: "node", threadId: "b", node: "reason", phase: "start" };
  const paid: ThreadEvent = { threadId: "a", ...PAID };

  it("is when money moved while another thread waits or is at work, and not when it moved nothing", () => {
    expect(isKillMoment(after([asked]), paid)).toBe(true);
    expect(isKillMoment(after([atWork]), paid)).toBe(true);
    expect(isKillMoment(board(), paid)).toBe(false);
    expect(isKillMoment(after([asked]), { ...paid, outcome: "refused" })).toBe(false);
  });

  it("is when half of the threads are over and another one is at work, if no refund comes", () => {
    const over: ThreadEvent = { type: "finished", threadId: "a", summary: SUMMARY };
    expect(isKillMoment(after([atWork, over]), over)).toBe(true);
    expect(isKillMoment(after([over, atWork]), atWork)).toBe(true);
    expect(isKillMoment(after([atWork]), atWork)).toBe(false);
    expect(isKillMoment(after([over]), over)).toBe(false);
  });
});
