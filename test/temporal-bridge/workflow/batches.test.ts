import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchesOf } from "../../../src/temporal-bridge/workflow/batches.ts";

const anyTasks = fc
  .dictionary(fc.string({ minLength: 1 }), fc.integer({ min: 0, max: 60 }), { maxKeys: 6 })
  .map((counts) =>
    Object.fromEntries(
      Object.entries(counts).map(([node, count]) => [node, Array.from({ length: count }, (_, n) => `${node}:${n}`)]),
    ),
  );

describe("the batches of a superstep", () => {
  it("hold each task that is not taken once, in its order, and tasks of one node each", () => {
    fc.assert(
      fc.property(anyTasks, fc.integer({ min: 1, max: 20 }), fc.func(fc.boolean()), (tasks, most, taken) => {
        const batches = batchesOf({ tasks }, { granularity: "node", maxParallelActivities: most }, taken);
        const free = Object.entries(tasks).map(([node, ids]) => [node, ids.filter((id) => !taken(id))] as const);
        for (const [node, ids] of free) {
          expect(batches.filter((batch) => batch.node === node).flatMap((batch) => batch.tasks)).toEqual(ids);
        }
        expect(batches.every((batch) => batch.tasks.length > 0 && batch.node !== undefined)).toBe(true);
        const nodes = free.filter(([, ids]) => ids.length > 0).length;
        expect(batches.length).toBeLessThanOrEqual(most + Math.max(0, nodes - 1));
      }),
    );
  });

  it("are as many as may run at the same time, and no larger than needed, for a wide fan-out of one node", () => {
    const tasks = { work: Array.from({ length: 1_000 }, (_, n) => `${n}`) };
    const batches = batchesOf({ tasks }, { granularity: "node", maxParallelActivities: 8 }, () => false);
    expect(batches.map((batch) => batch.tasks.length)).toEqual(Array.from({ length: 8 }, () => 125));
  });

  it("are one, of no single node, in a burst", () => {
    const tasks = { a: ["1", "2"], b: ["3"] };
    const settings = { granularity: "burst", maxParallelActivities: 8 } as const;
    expect(batchesOf({ tasks }, settings, (id) => id === "2")).toEqual([{ tasks: ["1", "3"] }]);
    expect(batchesOf({ tasks }, settings, () => true)).toEqual([]);
  });
});
