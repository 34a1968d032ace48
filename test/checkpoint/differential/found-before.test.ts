/** What random runs have found, one test each. */
import { Annotation, Command, START, StateGraph, interrupt } from "@langchain/langgraph";
import { uuid6 } from "@langchain/langgraph-checkpoint";
import type { BaseCheckpointSaver, Checkpoint } from "@langchain/langgraph-checkpoint";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { goOnWhenMadeAgain } from "./made-again.ts";
import { collect } from "../../support/collect.ts";
import { memoryBackend, pgliteBackend, sqliteBackend } from "./stores.ts";
import type { DifferentialStore } from "./stores.ts";

const pglite = pgliteBackend();
afterAll(() => pglite.close());

describe.each([memoryBackend, sqliteBackend, pglite])("on $name", (backend) => {
  const thread = { configurable: { thread_id: "t", checkpoint_ns: "" } };
  let store: DifferentialStore;
  let saver: BaseCheckpointSaver;
  /** Another instance that has the same threads open, where there can be one. */
  let other: BaseCheckpointSaver;
  beforeEach(async () => {
    store = await backend.fresh();
    saver = store.actors[0]!.saver;
    other = (store.actors[1] ?? store.actors[0])!.saver;
  });
  afterEach(() => store.remove());

  /** Puts a checkpoint with new values, as it lies on the parent; starts at once, like a graph does. */
  function put(by: BaseCheckpointSaver, parent: Checkpoint | undefined, changed: Record<string, unknown>) {
    const versions = Object.keys(changed).map((channel) => {
      const current = parent?.channel_versions[channel] as number | undefined;
      return [channel, by.getNextVersion(current) as number] as const;
    });
    const checkpoint: Checkpoint = {
      v: 4,
      id: uuid6(0),
      ts: new Date(0).toISOString(),
      channel_values: { ...parent?.channel_values, ...changed },
      channel_versions: { ...parent?.channel_versions, ...Object.fromEntries(versions) },
      versions_seen: {},
    };
    const config = { configurable: { ...thread.configurable, ...(parent && { checkpoint_id: parent.id }) } };
    const metadata = { source: "loop", step: 0, parents: {} } as const;
    return { checkpoint, stored: by.put(config, checkpoint, metadata, Object.fromEntries(versions)) };
  }

  async function valuesOf({ id }: Checkpoint): Promise<unknown> {
    const tuple = await other.getTuple({ configurable: { ...thread.configurable, checkpoint_id: id } });
    return tuple?.checkpoint.channel_values;
  }

  it("a checkpoint that durability `exit` puts on top of itself keeps its parent, and a walk from there ends", async () => {
    const State = Annotation.Root({ log: Annotation<string[]>() });
    const graph = new StateGraph(State)
      .addNode("ask", () => ({ log: [interrupt("first"), interrupt("second")] }))
      .addEdge(START, "ask")
      .compile({ checkpointer: saver });
    const config = { configurable: { thread_id: "t" }, durability: "exit" as const };
    await graph.invoke({ log: [] }, config);
    const { parentConfig } = await graph.getState(config);
    await graph.invoke(new Command({ resume: "yes" }), config);
    expect((await graph.getState(config)).parentConfig).toEqual(parentConfig);
  });

  it("a copy of a first checkpoint has its values", async () => {
    const State = Annotation.Root({ log: Annotation<string[]>() });
    const graph = new StateGraph(State)
      .addNode("work", () => ({ log: ["worked"] }))
      .addEdge(START, "work")
      .compile({ checkpointer: saver });
    await graph.invoke({ log: ["in"] }, thread);
    const first = (await collect(graph.getStateHistory(thread))).at(-1)!;
    const copy = await graph.updateState(first.config, null, "__copy__");
    await graph.invoke(null, { configurable: { ...thread.configurable, ...copy.configurable } });
    expect((await graph.getState(thread)).values).toEqual({ log: ["worked"] });
  });

  it("an empty list is stored as it was given, though it gets items before it is stored", async () => {
    const first = put(saver, undefined, { log: ["a"] });
    await first.stored;
    const log: string[] = [];
    // This instance has to read the parent first.
    const { checkpoint, stored } = put(other, first.checkpoint, { log });
    log.push("too late");
    await stored;
    expect(await valuesOf(checkpoint)).toEqual({ log: [] });
  });

  it("a fork that leaves an empty list alone has it empty, though the other branch has pushed to it", async () => {
    const log: string[] = [];
    const first = put(saver, undefined, { log, n: 1 });
    await first.stored;
    const { channel_values: read } = (await saver.getTuple(thread))!.checkpoint;
    log.push("pushed");
    const branch = put(saver, first.checkpoint, { log });
    await branch.stored;
    const fork = put(saver, { ...first.checkpoint, channel_values: read }, { n: 2 });
    await fork.stored;
    expect(await valuesOf(branch.checkpoint)).toEqual({ log: ["pushed"], n: 1 });
    expect(await valuesOf(fork.checkpoint)).toEqual({ log: [], n: 2 });
  });

  it("values are stored as they were given, also where another instance went on from the same list meanwhile", async () => {
    const first = put(saver, undefined, { log: ["a"] });
    await first.stored;
    const theirs = put(other, first.checkpoint, { log: ["a", "theirs"] });
    await theirs.stored;
    const log = ["a", "ours"];
    const ours = put(saver, first.checkpoint, { log });
    log.push("too late");
    await ours.stored;
    expect(await valuesOf(theirs.checkpoint)).toEqual({ log: ["a", "theirs"] });
    expect(await valuesOf(ours.checkpoint)).toEqual({ log: ["a", "ours"] });
  });

  it("writes that go with a checkpoint are stored, also where another instance went on from the same list meanwhile", async () => {
    const first = put(saver, undefined, { log: ["a"] });
    await first.stored;
    await put(other, first.checkpoint, { log: ["a", "theirs"] }).stored;
    const ours = put(saver, first.checkpoint, { log: ["a", "ours"] });
    const at = { configurable: { ...thread.configurable, checkpoint_id: first.checkpoint.id } };
    await Promise.all([ours.stored, saver.putWrites(at, [["log", ["ours"]]], "task")]);
    expect((await other.getTuple(at))?.pendingWrites).toEqual([["task", "log", ["ours"]]]);
  });

  it("an item that a node changed in place and returned inside of something else is stored as it is now", async () => {
    const item = { id: 1, text: "before" };
    const list = [item, { id: 2, text: "other" }];
    const first = put(saver, undefined, { list });
    await first.stored;
    item.text = "after";
    const at = { configurable: { ...thread.configurable, checkpoint_id: first.checkpoint.id } };
    await saver.putWrites(at, [["list", { replaced: { items: [item] } }]], "task");
    const next = put(saver, first.checkpoint, { list: [...list] });
    await next.stored;
    expect(await valuesOf(first.checkpoint)).toEqual({
      list: [
        { id: 1, text: "before" },
        { id: 2, text: "other" },
      ],
    });
    expect(await valuesOf(next.checkpoint)).toEqual({
      list: [
        { id: 1, text: "after" },
        { id: 2, text: "other" },
      ],
    });
  });

  it("a channel that a checkpoint leaves out is not there, though an older one has a value of its version", async () => {
    const first = put(saver, undefined, { trigger: "x".repeat(200), n: 1 });
    await first.stored;
    const { trigger: _gone, ...values } = first.checkpoint.channel_values;
    const second = put(saver, { ...first.checkpoint, channel_values: values }, { n: 2 });
    await second.stored;
    expect(await valuesOf(second.checkpoint)).toEqual({ n: 2 });
    expect(await valuesOf(first.checkpoint)).toEqual(first.checkpoint.channel_values);
  });

  it("a thread that somebody else deleted and made again just so is not what was remembered of it", async () => {
    const { read, put: expected } = await goOnWhenMadeAgain(saver, other);
    expect(read).toEqual(expected);
  });

  it("bytes that were read may be changed: they are not the stored ones", async () => {
    const first = put(saver, undefined, { bytes: new Uint8Array([1, 2]) });
    await first.stored;
    const at = { configurable: { ...thread.configurable, checkpoint_id: first.checkpoint.id } };
    await saver.putWrites(at, [["bytes", new Uint8Array([3, 4])]], "task");
    for (const _again of [1, 2]) {
      const { checkpoint, pendingWrites = [] } = (await saver.getTuple(at))!;
      const bytes = [checkpoint.channel_values["bytes"], ...pendingWrites.map(([, , value]) => value)];
      expect(bytes).toEqual([new Uint8Array([1, 2]), new Uint8Array([3, 4])]);
      for (const each of bytes) (each as Uint8Array).fill(0);
    }
  });
});
