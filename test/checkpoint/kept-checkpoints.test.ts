import { describe, expect, it } from "vitest";
import { removableCheckpoints } from "../../src/checkpoint/kept-checkpoints.ts";
import type { CheckpointFacts } from "../../src/checkpoint/kept-checkpoints.ts";

/** A checkpoint; its id is its place in time. */
function at(
  id: string,
  change: Partial<CheckpointFacts> & { delta?: string[]; source?: "loop" | "update"; of?: object } = {},
) {
  const { delta = [], source = "loop", of = {}, ...facts } = change;
  const counters_since_delta_snapshot = Object.fromEntries(delta.map((channel) => [channel, [1, 1]]));
  return {
    ns: "",
    id,
    parentId: undefined,
    v: 4,
    channels: ["log", "one", "two"],
    values: new Set(["log"]),
    metadata: { source, step: 0, parents: of, ...(delta.length > 0 ? { counters_since_delta_snapshot } : {}) },
    ...facts,
  } as CheckpointFacts;
}

/** The ids of those that stay, with their namespaces. */
function kept(all: readonly CheckpointFacts[], rule: { keepNewest?: number; isFinished?: boolean } = {}): string[] {
  const gone = removableCheckpoints(all, { keepNewest: 1, isFinished: true, ...rule });
  const left = all.filter(({ ns, id }) => !gone.some((each) => each.ns === ns && each.id === id));
  return left.map(({ ns, id }) => (ns === "" ? id : `${ns} ${id}`));
}

describe("of a thread's checkpoints", () => {
  const chain = ["1", "2", "3", "4"].map((id, n) => at(id, n === 0 ? {} : { parentId: String(n) }));

  it("the newest stay, in whatever order they come, and all where there are no more", () => {
    expect(kept(chain.toReversed(), { keepNewest: 2 })).toEqual(["4", "3"]);
    expect(kept(chain, { keepNewest: 9 })).toEqual(["1", "2", "3", "4"]);
  });

  it("the parent of the newest stays while that has tasks left", () => {
    expect(kept(chain, { isFinished: false })).toEqual(["3", "4"]);
  });

  it("a branch that was left goes, and with it the parent of what stays", () => {
    const fork = [...chain, at("5", { parentId: "1" })];
    expect(kept(fork)).toEqual(["5"]);
    expect(kept(fork, { keepNewest: 2 })).toEqual(["4", "5"]);
  });

  it("those before format 4 keep their parents, which have what was sent", () => {
    expect(kept([at("1"), at("2", { parentId: "1" }), at("3", { parentId: "2", v: 3 })])).toEqual(["2", "3"]);
  });
});

describe("for a delta channel", () => {
  it("the ancestors stay back to the nearest that has a value of it", () => {
    const all = [
      at("1"),
      at("2", { parentId: "1", values: new Set(["one"]) }),
      at("3", { parentId: "2", delta: ["one"] }),
      at("4", { parentId: "3", delta: ["one"] }),
    ];
    expect(kept(all)).toEqual(["2", "3", "4"]);
  });

  it("all ancestors stay when none has a value", () => {
    expect(kept([at("1"), at("2", { parentId: "1" }), at("3", { parentId: "2", delta: ["one"] })])).toEqual([
      "1",
      "2",
      "3",
    ]);
  });

  it("an update of the state right after a snapshot keeps it, though nothing says that there is such a channel", () => {
    const all = [
      at("1"),
      at("2", { parentId: "1", values: new Set(["one"]) }),
      at("3", { parentId: "2", source: "update" }),
    ];
    expect(kept(all)).toEqual(["2", "3"]);
    expect(kept([...all, at("4", { parentId: "3", source: "update" })])).toEqual(["2", "3", "4"]);
  });

  it("what stays for one channel has what it needs for another", () => {
    const all = [
      at("1", { values: new Set(["two"]) }),
      at("2", { parentId: "1", delta: ["two"], values: new Set(["one"]) }),
      at("3", { parentId: "2", delta: ["one"], values: new Set(["two"]) }),
      at("4", { parentId: "3", delta: ["one"], values: new Set(["two"]) }),
    ];
    expect(kept(all)).toEqual(["1", "2", "3", "4"]);
  });

  it("a channel that is only empty keeps nothing", () => {
    expect(kept([at("1", { values: new Set(["one"]) }), at("2", { parentId: "1" })])).toEqual(["2"]);
    const passing = { channels: ["branch:to:a", "__start__"], source: "update" as const };
    expect(kept([at("1", { values: new Set(passing.channels) }), at("2", { parentId: "1", ...passing })])).toEqual([
      "2",
    ]);
  });
});

describe("of subgraphs", () => {
  const roots = [at("1"), at("3", { parentId: "1" })];

  it("those of a task stay with the checkpoint whose task it was, the newest of them", () => {
    const all = [
      ...roots,
      at("2", { ns: "sub:a", of: { "": "1" } }),
      at("4", { ns: "sub:b", of: { "": "3" } }),
      at("5", { ns: "sub:b", parentId: "4", of: { "": "3" } }),
      at("6", { ns: "sub:b|in:c", of: { "": "3", "sub:b": "4" } }),
      at("7", { ns: "sub:b|in:d", of: { "": "3", "sub:b": "5" } }),
    ];
    expect(kept(all)).toEqual(["3", "sub:b 5", "sub:b|in:d 7"]);
    expect(kept(all, { keepNewest: 2 })).toEqual([
      "1",
      "3",
      "sub:a 2",
      "sub:b 4",
      "sub:b 5",
      "sub:b|in:c 6",
      "sub:b|in:d 7",
    ]);
  });

  it("one with a memory of its own keeps its newest, whatever it ran for", () => {
    const all = [
      ...roots,
      at("2", { ns: "memo", of: { "": "0" } }),
      at("21", { ns: "memo", parentId: "2", of: { "": "1" } }),
    ];
    expect(kept(all)).toEqual(["3", "memo 21"]);
  });

  it("one whose task's checkpoint is not stored yet stays", () => {
    expect(kept([...roots, at("5", { ns: "sub:a", of: { "": "4" } })])).toEqual(["3", "sub:a 5"]);
    expect(kept([at("5", { ns: "sub:a", of: { "": "4" } })])).toEqual(["sub:a 5"]);
    expect(kept([...roots, at("5", { ns: "sub:a", of: { "": "2" } })])).toEqual(["3"]);
  });
});
