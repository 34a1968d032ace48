import { expect, it } from "vitest";
import { PerdureError } from "perdure/errors";
import { CommitQueue } from "../../../src/checkpoint/postgres/commit-queue.ts";
import type { CommitQueueOptions } from "../../../src/checkpoint/postgres/commit-queue.ts";
import type { Commit, Verdict } from "../../../src/checkpoint/postgres/commit.ts";

const MADE: Verdict = { made: true, thread: 1, generation: 0, epoch: 0, head: undefined };

function commit(threadId: string, more: Partial<Commit> = {}): Commit {
  return { threadId, condition: { basis: undefined, epoch: undefined, onHead: false }, blobs: [], writes: [], ...more };
}

function result(taskId: string): Commit["writes"][number] {
  return { ns: "", checkpointId: "c", taskId, idx: 0, stored: { type: null, bytes: Buffer.from("[]") } };
}

/** A queue in which no thread stays locked for long, unless the test says how one stands in line. */
function newQueue({
  flushInLine = () => never,
  ...options
}: Partial<CommitQueueOptions> & Pick<CommitQueueOptions, "flush" | "lanes">) {
  return new CommitQueue({ ...options, flushInLine });
}
const never = new Promise<never>(() => {});

/** A queue whose flushes wait until they are let go. */
function heldQueue(lanes: number) {
  const flushes: { commits: readonly Commit[]; done: (error?: Error) => void }[] = [];
  const queue = newQueue({
    lanes,
    flush: (commits) =>
      new Promise((resolve, reject) => {
        const done = (error?: Error): void => (error === undefined ? resolve(commits.map(() => MADE)) : reject(error));
        flushes.push({ commits, done });
      }),
  });
  return { queue, flushes };
}

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
const threadsOf = (commits: readonly Commit[]) => commits.map(({ threadId }) => threadId);

it("what gathers while a flush is under way goes into one flush, of all threads", async () => {
  const { queue, flushes } = heldQueue(1);
  const all = [queue.add(commit("a"))];
  await turn();
  all.push(queue.add(commit("b")), queue.add(commit("c")), queue.add(commit("b", { writes: [result("t")] })));
  await turn();
  expect(flushes).toHaveLength(1);
  flushes[0]!.done();
  await turn();
  expect(flushes.map(({ commits }) => threadsOf(commits))).toEqual([["a"], ["b", "b", "c"]]);
  flushes[1]!.done();
  expect(await Promise.all(all)).toEqual([MADE, MADE, MADE, MADE]);
  await queue.settled();
});

it("the commits of a thread follow each other: none is in flight beside another one of its thread", async () => {
  const { queue, flushes } = heldQueue(2);
  const first = queue.add(commit("a"));
  await turn();
  const second = queue.add(commit("a"));
  const other = queue.add(commit("b"));
  await turn();
  expect(flushes.map(({ commits }) => threadsOf(commits))).toEqual([["a"], ["b"]]);
  flushes[0]!.done();
  await first;
  await turn();
  expect(flushes.map(({ commits }) => threadsOf(commits))).toEqual([["a"], ["b"], ["a"]]);
  flushes[1]!.done();
  flushes[2]!.done();
  await Promise.all([second, other]);
});

it("after a commit that must stand on the head, the next one of the thread waits for its verdict", async () => {
  const { queue, flushes } = heldQueue(1);
  const onHead = { condition: { basis: undefined, epoch: 0, onHead: true } };
  void queue.add(commit("a", { writes: [result("t")] }));
  void queue.add(commit("a", onHead));
  void queue.add(commit("a", onHead));
  await turn();
  expect(flushes[0]!.commits).toHaveLength(2);
  flushes[0]!.done();
  await turn();
  expect(flushes[1]!.commits).toHaveLength(1);
  flushes[1]!.done();
});

it("a statement stores no row twice, and closes no question that it opens", async () => {
  const { queue, flushes } = heldQueue(1);
  void queue.add(commit("a", { writes: [result("t")] }));
  void queue.add(commit("a", { writes: [result("t")] }));
  void queue.add(
    commit("a", { writes: [{ ...result("u"), idx: -3, asks: { answersBefore: 0, interruptId: undefined } }] }),
  );
  void queue.add(commit("a", { writes: [{ ...result("u"), idx: -4, ends: { answers: 1 } }] }));
  for (const size of [1, 2, 1]) {
    await turn();
    expect(flushes.at(-1)!.commits).toHaveLength(size);
    flushes.at(-1)!.done();
  }
  await queue.settled();
});

it("one commit that fails takes with it only what follows in its thread", async () => {
  const broken = commit("b");
  const seen: string[][] = [];
  const queue = newQueue({
    lanes: 1,
    flush: async (commits) => {
      seen.push(threadsOf(commits));
      if (commits.includes(broken)) throw new Error("broken");
      return commits.map(() => MADE);
    },
  });
  const results = await Promise.allSettled([
    queue.add(commit("a")),
    queue.add(broken),
    queue.add(commit("b")),
    queue.add(commit("c")),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  expect(seen).toEqual([["a", "b", "b", "c"], ["a"], ["b"], ["c"]]);
});

it("a commit whose thread is locked is tried again before what follows it, and holds up no other thread", async () => {
  const first = commit("a");
  const second = commit("a", { writes: [result("t")] });
  const stored: string[] = [];
  const seen: string[][] = [];
  let isLocked = true;
  const queue = newQueue({
    lanes: 1,
    flush: async (commits) => {
      seen.push(threadsOf(commits));
      return commits.map((each) => {
        if (each.threadId === "a" && isLocked) return undefined;
        stored.push(each === first ? "first" : each === second ? "second" : each.threadId);
        return MADE;
      });
    },
  });
  const all = [queue.add(first)];
  await turn();
  all.push(queue.add(second));
  expect(await queue.add(commit("b"))).toEqual(MADE);
  isLocked = false;
  expect(await Promise.all(all)).toEqual([MADE, MADE]);
  await queue.settled();
  expect(stored).toEqual(["b", "first", "second"]);
  expect(seen.slice(0, 2)).toEqual([["a"], ["b"]]);
});

it("a thread that was locked is free again after its commit failed", async () => {
  let flushes = 0;
  const queue = newQueue({
    lanes: 1,
    flush: async (commits) => {
      flushes += 1;
      if (flushes === 2) throw new Error("broken");
      return commits.map(() => (flushes === 1 ? undefined : MADE));
    },
  });
  await expect(queue.add(commit("a"))).rejects.toThrow("broken");
  expect(await queue.add(commit("a"))).toEqual(MADE);
  await queue.settled();
});

it("one thread at a time that is always locked stands in line for it, on no lane", async () => {
  const lines: { commits: readonly Commit[]; done: () => void }[] = [];
  const queue = newQueue({
    lanes: 1,
    flush: async (commits) => commits.map(({ threadId }) => (threadId === "free" ? MADE : undefined)),
    flushInLine: (commits) =>
      new Promise((resolve) => lines.push({ commits, done: () => resolve(commits.map(() => MADE)) })),
  });
  const locked = ["a", "b"].map((threadId) => queue.add(commit(threadId)));
  await expect.poll(() => lines.map(({ commits }) => threadsOf(commits))).toEqual([["a"]]);
  expect(await queue.add(commit("free"))).toEqual(MADE);
  let isSettled = false;
  const settled = queue.settled().then(() => (isSettled = true));
  lines[0]!.done();
  expect(await locked[0]).toEqual(MADE);
  await expect.poll(() => lines.length).toBe(2);
  expect(isSettled).toBe(false);
  lines[1]!.done();
  expect(await locked[1]).toEqual(MADE);
  await settled;
});

it("a checkpoint that must stand on the head waits for one before it that moves the head", async () => {
  const { queue, flushes } = heldQueue(1);
  const body = { type: null, bytes: Buffer.from("{}") };
  const root = { ns: "", parentId: undefined, body, lineages: [], upTos: [] };
  void queue.add(commit("a", { checkpoint: { ...root, id: "1" } }));
  const onHead = { basis: undefined, epoch: undefined, onHead: true };
  void queue.add(commit("a", { checkpoint: { ...root, id: "2" }, condition: onHead }));
  for (const id of ["1", "2"]) {
    await turn();
    expect(flushes.at(-1)!.commits.map(({ checkpoint }) => checkpoint?.id)).toEqual([id]);
    flushes.at(-1)!.done();
  }
  await queue.settled();
});

it("a commit gives up after lockTimeoutMs, and what follows it in its thread is tried", async () => {
  const first = commit("a");
  const queue = newQueue({
    lanes: 1,
    lockTimeoutMs: 20,
    flush: async (commits) => commits.map((each) => (each === first ? undefined : MADE)),
  });
  const waits = queue.add(first);
  await turn();
  const next = queue.add(commit("a"));
  await expect(waits).rejects.toMatchObject({ code: "THREAD_BUSY" });
  expect(await next).toEqual(MADE);
  await queue.settled();
});

it("when the database can't be reached nobody waits for more than one attempt", async () => {
  let flushes = 0;
  const queue = newQueue({
    lanes: 1,
    flush: async () => {
      flushes += 1;
      throw new PerdureError("CHECKPOINTER_UNREACHABLE", "no connection.", { hint: "Wait." });
    },
  });
  const all = await Promise.allSettled(["a", "b", "c"].map((threadId) => queue.add(commit(threadId))));
  expect(all.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(flushes).toBe(1);
});

it("a result is stored when the checkpoint before it has to be prepared anew", async () => {
  const taken = commit("a");
  const queue = newQueue({
    lanes: 1,
    flush: async (commits) => {
      if (commits.includes(taken)) throw Object.assign(new Error("duplicate key"), { code: "23505" });
      return commits.map(() => MADE);
    },
  });
  const all = await Promise.allSettled([queue.add(taken), queue.add(commit("a", { writes: [result("t")] }))]);
  expect(all.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
});
