import { randomUUID } from "node:crypto";
import { uuid6 } from "@langchain/langgraph-checkpoint";
import type { CheckpointMetadata, CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import fc from "fast-check";
import { collect } from "../../support/collect.ts";

/** One thing that happens to a thread. Numbers choose among what is there. */
export type ThreadEvent =
  | { readonly kind: "step"; readonly on: number; readonly edit: Edit; readonly delta: "write" | "snapshot" | "update" }
  | { readonly kind: "subgraph"; readonly of: number; readonly steps: number; readonly inner: boolean }
  | { readonly kind: "memory"; readonly edit: Edit }
  | { readonly kind: "writes"; readonly on: number }
  | { readonly kind: "restart" }
  | { readonly kind: "prune"; readonly keepNewest: number; readonly beside: number };

/** What becomes of a list. */
type Edit = { readonly cut: number; readonly add: number };

const edit: fc.Arbitrary<Edit> = fc.record({ cut: fc.constantFrom(0, 0, 0, 1, 2, 5), add: fc.nat({ max: 3 }) });
/** Mostly the head, now and then a fork. */
const place = fc.constantFrom(0, 0, 0, 0, 1, 2, 5, 9);

/** What happens to a thread, with some prunes in between and one at the end. */
export const threadEvents: fc.Arbitrary<readonly ThreadEvent[]> = fc
  .array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant("step" as const),
          on: place,
          edit,
          delta: fc.constantFrom(
            "write" as const,
            "write" as const,
            "write" as const,
            "snapshot" as const,
            "update" as const,
          ),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant("subgraph" as const),
          of: place,
          steps: fc.integer({ min: 1, max: 3 }),
          inner: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("memory" as const), edit }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("writes" as const), on: place }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant("prune" as const),
          keepNewest: fc.integer({ min: 1, max: 4 }),
          beside: fc.nat({ max: 3 }),
        }),
      },
    ),
    { minLength: 4, maxLength: 24 },
  )
  .map((events) => [...events, { kind: "prune", keepNewest: 1, beside: 0 }]);

/** A checkpoint as everybody reads it, with the history of its delta channel. */
export interface Known {
  readonly tuple: CheckpointTuple;
  readonly delta: unknown;
}

/** A thread that events happen to, through checkpointers that may be opened anew. */
export class RandomThread {
  readonly threadId = `random-${randomUUID()}`;
  #items = 0;
  #clock = 0;

  /** The checkpoints of a namespace, newest first. */
  async newest(checkpointer: Checkpointer, ns = ""): Promise<CheckpointTuple[]> {
    return collect(checkpointer.list({ configurable: { thread_id: this.threadId, checkpoint_ns: ns } }));
  }

  /** Everything that can be read, by namespace and id. */
  async known(checkpointer: Checkpointer): Promise<Map<string, Known>> {
    const tuples = await collect(checkpointer.list({ configurable: { thread_id: this.threadId } }));
    const known = new Map<string, Known>();
    for (const listed of tuples) {
      const { checkpoint_ns: ns, checkpoint_id: id } = listed.config.configurable ?? {};
      const config = { configurable: { thread_id: this.threadId, checkpoint_ns: ns, checkpoint_id: id } };
      const tuple = (await checkpointer.getTuple(config)) as CheckpointTuple;
      const { delta } = await checkpointer.getDeltaChannelHistory({ config, channels: ["delta"] });
      const own = Object.hasOwn(tuple.checkpoint.channel_values, "delta");
      known.set(`${ns} ${id}`, { tuple, delta: own ? undefined : delta });
    }
    return known;
  }

  /** One more checkpoint on top of another one, or the first. */
  async put(
    checkpointer: Checkpointer,
    parent: CheckpointTuple | undefined,
    given: {
      readonly ns?: string;
      readonly edit: Edit;
      readonly delta?: "write" | "snapshot" | "update";
      readonly parents?: Record<string, string>;
      /** Whether a task of the parent returned what the list grows by, stored at the same time. */
      readonly byTask?: boolean;
    },
  ): Promise<CheckpointTuple> {
    const { ns = "", edit: change, delta = "snapshot", parents = {}, byTask = true } = given;
    const before = (parent?.checkpoint.channel_values["list"] ?? []) as unknown[];
    const added = Array.from({ length: change.add }, () => {
      const item = (this.#items += 1);
      return { item, text: "x".repeat(item % 3 === 0 ? 300 : item % 40) };
    });
    const list = [...before.slice(0, Math.max(0, before.length - change.cut)), ...added];
    const { delta: _, ...values } = parent?.checkpoint.channel_values ?? {};
    const channel_values: Record<string, unknown> = { ...values, list, text: "t".repeat((this.#items * 7) % 300) };
    if (delta === "snapshot") channel_values["delta"] = [`all of ${(this.#items += 1)}`];
    const channel_versions = { ...parent?.checkpoint.channel_versions };
    const newVersions: Record<string, number> = {};
    for (const channel of ["list", "text", "delta"]) {
      newVersions[channel] = checkpointer.getNextVersion(channel_versions[channel] as number | undefined);
    }
    const metadata = {
      source: delta === "update" ? "update" : "loop",
      step: (this.#clock += 1),
      parents,
      ...(delta === "write" ? { counters_since_delta_snapshot: { delta: [1, 1] } } : {}),
    } as CheckpointMetadata;
    const config = (checkpoint_id: string | undefined) => ({
      configurable: {
        thread_id: this.threadId,
        checkpoint_ns: ns,
        ...(checkpoint_id === undefined ? {} : { checkpoint_id }),
      },
    });
    const id = uuid6(this.#clock);
    const returned =
      parent !== undefined &&
      byTask &&
      checkpointer.putWrites(config(parent.checkpoint.id), [["list", added]], randomUUID());
    await checkpointer.put(
      config(parent?.checkpoint.id),
      {
        v: 4,
        id,
        ts: new Date().toISOString(),
        channel_values,
        channel_versions: { ...channel_versions, ...newVersions },
        versions_seen: {},
      },
      metadata,
      newVersions,
    );
    await returned;
    await checkpointer.putWrites(config(id), [["delta", [`write ${(this.#items += 1)}`]]], randomUUID());
    return (await checkpointer.getTuple(config(id))) as CheckpointTuple;
  }
}
