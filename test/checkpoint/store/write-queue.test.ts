import { describe, expect, it } from "vitest";
import { PerdureError } from "perdure/errors";
import type { ItemWrite } from "../../../src/checkpoint/store/store-backend.ts";
import { WriteQueue } from "../../../src/checkpoint/store/write-queue.ts";

const write = (key: string, json = "{}"): ItemWrite => ({ namespace: ["n"], key, json, vectors: [] });

/** A database that answers when it is told to. */
class Database {
  readonly flushes: string[][] = [];
  #answers: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  readonly flush = (writes: readonly ItemWrite[]): Promise<void> => {
    this.flushes.push(writes.map(({ key, json }) => `${key}${json}`));
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
  };

  async answer(error?: unknown): Promise<void> {
    await turn();
    const { resolve, reject } = this.#answers.shift()!;
    if (error === undefined) resolve();
    else reject(error);
    await turn();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a queue of writes", () => {
  it("stores together what came while a flush was under way, and tells each when its own is stored", async () => {
    const database = new Database();
    const queue = new WriteQueue(database.flush);
    const stored: string[] = [];
    void queue.add([write("a")]).then(() => stored.push("a"));
    await turn();
    void queue.add([write("b")]).then(() => stored.push("b"));
    void queue.add([write("c"), write("d")]).then(() => stored.push("c d"));
    await turn();
    expect(database.flushes).toEqual([["a{}"]]);
    expect(stored).toEqual([]);
    await database.answer();
    expect(stored).toEqual(["a"]);
    expect(database.flushes[1]).toEqual(["b{}", "c{}", "d{}"]);
    await database.answer();
    expect(stored).toEqual(["a", "b", "c d"]);
    await queue.settled();
  });

  it("stores of two writes to one item in a flush the later one", async () => {
    const database = new Database();
    const queue = new WriteQueue(database.flush);
    const both = Promise.all([queue.add([write("a", "1"), write("b", "1")]), queue.add([write("a", "2")])]);
    await database.answer();
    await both;
    expect(database.flushes).toEqual([["b1", "a2"]]);
  });

  it("never splits a batch, and begins a new flush where one is full", async () => {
    const database = new Database();
    const queue = new WriteQueue(database.flush);
    const large = Array.from({ length: 600 }, (_, index) => write(`a${index}`));
    const huge = [write("x", "x".repeat(5 * 1024 * 1024))];
    const all = Promise.all([queue.add(large), queue.add([write("b")]), queue.add(huge), queue.add([write("c")])]);
    for (let flush = 0; flush < 4; flush += 1) await database.answer();
    await all;
    expect(database.flushes.map(({ length }) => length)).toEqual([600, 1, 1, 1]);
  });

  it("does not let a batch suffer for another one that the database refuses", async () => {
    const database = new Database();
    const queue = new WriteQueue(database.flush);
    const results = Promise.allSettled([queue.add([write("good")]), queue.add([write("bad")])]);
    await database.answer(new Error("too large"));
    await database.answer();
    await database.answer(new Error("too large"));
    expect((await results).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(database.flushes).toEqual([["good{}", "bad{}"], ["good{}"], ["bad{}"]]);
  });

  it("does not try each batch on a database that cannot be reached", async () => {
    const database = new Database();
    const queue = new WriteQueue(database.flush);
    const error = new PerdureError("CHECKPOINTER_UNREACHABLE", "gone.", { hint: "Wait." });
    const results = Promise.allSettled([queue.add([write("a")]), queue.add([write("b")])]);
    await database.answer(error);
    expect(await results).toEqual([
      { status: "rejected", reason: error },
      { status: "rejected", reason: error },
    ]);
    expect(database.flushes).toHaveLength(1);
  });
});
