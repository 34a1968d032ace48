import { emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import { KnownTasks } from "../../src/runner/known-tasks.ts";
import type { ThreadView } from "../../src/runner/thread-view.ts";

type Noted = Parameters<KnownTasks["note"]>[0];

const task = { id: "a", node: "look" };

describe("KnownTasks", () => {
  it("knows the tasks of the head that a call left behind", () => {
    const known = new KnownTasks();
    known.note(seen("t", "1"));
    expect(known.of("t", head("1"))).toEqual([task]);
  });

  it("knows nothing of another head, nor of another thread", () => {
    const known = new KnownTasks();
    known.note(seen("t", "1"));
    expect(known.of("t", head("2"))).toBeUndefined();
    expect(known.of("u", head("1"))).toBeUndefined();
  });

  it("knows nothing once something is stored beside the head (I2)", () => {
    const known = new KnownTasks();
    known.note(seen("t", "1"));
    expect(known.of("t", { ...head("1"), pendingWrites: [["a", "log", 1]] })).toBeUndefined();
  });

  it.each<[string, Partial<Noted>]>([
    ["something was stored beside", { writes: new Map([["a", {}]]) as unknown as ThreadView["writes"] }],
    ["nothing can run", { tasks: [] }],
    ["the graph lacks a node", { missing: ["gone"] }],
  ])("forgets a thread with whose head %s", (_, what) => {
    const known = new KnownTasks();
    known.note(seen("t", "1"));
    known.note({ ...seen("t", "1"), ...what });
    expect(known.of("t", head("1"))).toBeUndefined();
  });

  it("keeps the thousand threads that were seen last", () => {
    const known = new KnownTasks();
    for (let n = 0; n <= 1_000; n += 1) known.note(seen(`t${n}`, "1"));
    expect(known.of("t0", head("1"))).toBeUndefined();
    expect(known.of("t1", head("1"))).toEqual([task]);
  });
});

function head(id: string): CheckpointTuple {
  return { config: {}, checkpoint: { ...emptyCheckpoint(), id } };
}

function seen(threadId: string, checkpointId: string): ThreadView {
  return {
    threadId,
    checkpointId,
    head: head(checkpointId),
    step: 0,
    values: undefined,
    record: { epoch: 0 } as ThreadView["record"],
    writes: new Map(),
    tasks: [{ ...task, phase: "ready", answers: 0 }],
    questions: [],
    missing: [],
  };
}
