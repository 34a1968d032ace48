import { describe, expect, it } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import { newThread, put, putWrites } from "./store.ts";

/** Finding the checkpoints of subgraphs. */
export function describeNamespaces(checkpointer: () => Checkpointer): void {
  describe("newestBelow", () => {
    async function found(threadId: string, ...namespaces: string[]): Promise<Record<string, string>> {
      const tuples = await checkpointer().newestBelow(threadId, namespaces);
      const configurables = tuples.map(({ config }) => config.configurable ?? {});
      expect(new Set(configurables.map(({ checkpoint_ns }) => checkpoint_ns)).size).toBe(tuples.length);
      return Object.fromEntries(
        configurables.map(({ checkpoint_ns, checkpoint_id }) => [checkpoint_ns, checkpoint_id]),
      );
    }

    it("finds the newest checkpoint of each namespace at or below the given ones, and of no other", async () => {
      const [threadId, other] = [newThread(), newThread()];
      const newest: Record<string, string> = {};
      const names = [
        "",
        "ask:1",
        "ask:1|inner:2",
        "ask:1|inner:2|1",
        "ask:10",
        "ask:1}",
        "ask",
        "ask:2|inner:1",
        "%",
        "a_k:1",
      ];
      for (const checkpointNs of names) {
        await put(checkpointer(), { threadId, checkpointNs });
        newest[checkpointNs] = await put(checkpointer(), { threadId, checkpointNs });
        await put(checkpointer(), { threadId: other, checkpointNs });
      }
      const some = (...wanted: string[]) => Object.fromEntries(wanted.map((name) => [name, newest[name]]));
      expect(await found(threadId, "ask:1")).toEqual(some("ask:1", "ask:1|inner:2", "ask:1|inner:2|1"));
      expect(await found(threadId, "ask:1|inner:2")).toEqual(some("ask:1|inner:2", "ask:1|inner:2|1"));
      expect(await found(threadId, "ask")).toEqual(some("ask"));
      expect(await found(threadId, "ask:2", "ask:10")).toEqual(some("ask:2|inner:1", "ask:10"));
      expect(await found(threadId, "%", "a_k:1")).toEqual(some("%", "a_k:1"));
      expect(await found(threadId, "ask:1", "ask:1|inner:2", "ask:1")).toEqual(
        some("ask:1", "ask:1|inner:2", "ask:1|inner:2|1"),
      );
      expect(await found(threadId, "")).toEqual(newest);
      expect(await found(threadId, "nobody:1")).toEqual({});
      expect(await found(threadId)).toEqual({});
      expect(await found(newThread(), "ask:1")).toEqual({});
    });

    it("returns them with their values, parents and pending writes", async () => {
      const threadId = newThread();
      const at = { threadId, checkpointNs: "ask:1" };
      const parent = await put(checkpointer(), at);
      const checkpointId = await put(checkpointer(), { ...at, parent, values: { n: 1 } });
      await putWrites(checkpointer(), { ...at, checkpointId }, [["n", 2]]);
      const [tuple] = await checkpointer().newestBelow(threadId, ["ask:1"]);
      expect(tuple?.checkpoint.channel_values).toEqual({ n: 1 });
      expect(tuple?.parentConfig?.configurable?.["checkpoint_id"]).toBe(parent);
      expect(tuple?.pendingWrites).toEqual([["task", "n", 2]]);
    });
  });
}
