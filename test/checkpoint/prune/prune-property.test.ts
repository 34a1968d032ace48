import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import { RandomThread, threadEvents } from "./random-thread.ts";
import type { ThreadEvent } from "./random-thread.ts";
import { describeOnEachStore, unreachableRows } from "./stores.ts";
import type { PruneStore } from "./stores.ts";

const RUNS = { memory: 60, sqlite: 40, pglite: 8, postgres: 20 };

describeOnEachStore("prune of a random thread", (store) => {
  it("leaves every checkpoint that stays as it was, with its delta channel, and nothing that none of them needs", async () => {
    await fc.assert(
      fc.asyncProperty(threadEvents, (events) => happen(store, events)),
      { numRuns: RUNS[store.kind], ...(process.env["PRUNE_SEED"] ? { seed: Number(process.env["PRUNE_SEED"]) } : {}) },
    );
  }, 300_000);
});

async function happen(store: PruneStore, events: readonly ThreadEvent[]): Promise<void> {
  const thread = new RandomThread();
  const opened: Checkpointer[] = [];
  let checkpointer = store.checkpointer;
  const at = async (place: number) => {
    const all = await thread.newest(checkpointer);
    return all[Math.min(place, all.length - 1)];
  };
  await thread.put(checkpointer, undefined, { edit: { cut: 0, add: 2 } });
  for (const event of events) {
    switch (event.kind) {
      case "step":
        await thread.put(checkpointer, await at(event.on), event);
        break;
      case "subgraph": {
        const root = (await at(event.of))?.checkpoint.id as string;
        const ns = `sub:${randomUUID()}`;
        let last = await thread.put(checkpointer, undefined, { ns, edit: { cut: 0, add: 1 }, parents: { "": root } });
        if (event.inner) {
          const parents = { "": root, [ns]: last.checkpoint.id };
          await thread.put(checkpointer, undefined, {
            ns: `${ns}|in:${randomUUID()}`,
            edit: { cut: 0, add: 1 },
            parents,
          });
        }
        for (let step = 1; step < event.steps; step += 1) {
          last = await thread.put(checkpointer, last, { ns, edit: { cut: 0, add: 1 }, parents: { "": root } });
        }
        break;
      }
      case "memory": {
        const [last] = await thread.newest(checkpointer, "memo");
        const root = (await at(0))?.checkpoint.id as string;
        await thread.put(checkpointer, last, { ns: "memo", edit: event.edit, parents: { "": root } });
        break;
      }
      case "writes":
        await checkpointer.putWrites(
          { configurable: { ...(await at(event.on))?.config.configurable } },
          [["list", [1]]],
          randomUUID(),
        );
        break;
      case "restart":
        if (store.query !== undefined)
          opened.push((checkpointer = await store.again({ cacheThreads: opened.length % 2 })));
        break;
      case "prune":
        await prune(store, thread, checkpointer, event);
        break;
    }
  }
  for (const each of opened) await each.close();
}

async function prune(
  store: PruneStore,
  thread: RandomThread,
  checkpointer: Checkpointer,
  { keepNewest, beside }: Extract<ThreadEvent, { kind: "prune" }>,
): Promise<void> {
  const before = await thread.known(checkpointer);
  const newest = await thread.newest(checkpointer);
  const memories = await thread.newest(checkpointer, "memo");
  const work = async () => {
    let head = newest[0];
    const made = [];
    for (let step = 0; step < beside; step += 1) {
      made.push(
        (head = await thread.put(checkpointer, head, { edit: { cut: 0, add: 2 }, delta: "write", byTask: step > 0 })),
      );
    }
    return made;
  };
  const [removed, made] = await Promise.all([
    store.checkpointer.prune({ threadId: thread.threadId, keepNewest }),
    work(),
  ]);
  const after = await thread.known(checkpointer);
  for (const [key, known] of after) {
    const was = before.get(key);
    if (was !== undefined) expect(known, key).toEqual(was);
  }
  for (const tuple of made) {
    expect(after.get(` ${tuple.checkpoint.id}`)?.tuple.checkpoint, "made beside").toEqual(tuple.checkpoint);
  }
  for (const { checkpoint } of newest.slice(0, keepNewest)) {
    // What was made beside it may come first, and then count.
    if (beside === 0 || checkpoint.id === newest[0]?.checkpoint.id)
      expect([...after.keys()]).toContain(` ${checkpoint.id}`);
  }
  for (const { checkpoint } of memories.slice(0, keepNewest))
    expect([...after.keys()]).toContain(`memo ${checkpoint.id}`);
  for (const [key, { tuple }] of before) {
    const root = tuple.metadata?.parents?.[""];
    if (!key.startsWith("sub:") || root === undefined) continue;
    const isNewest =
      [...before.keys()]
        .filter((other) => other.split(" ")[0] === key.split(" ")[0])
        .toSorted()
        .at(-1) === key;
    if (isNewest && !key.includes("|")) expect(after.has(key), `${key} as its task's`).toBe(after.has(` ${root}`));
    if (!after.has(` ${root}`)) expect(after.has(key)).toBe(false);
  }
  expect(removed).toEqual({ threads: 0, checkpoints: before.size + made.length - after.size });
  expect(await unreachableRows(store, thread.threadId)).toBe(0);
}
