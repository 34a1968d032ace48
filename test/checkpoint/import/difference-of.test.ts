import { HumanMessage } from "@langchain/core/messages";
import { emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { expect, it } from "vitest";
import { differenceOf, itemsOnce } from "../../../src/checkpoint/import/difference-of.ts";

const at = { configurable: { thread_id: "t", checkpoint_ns: "", checkpoint_id: "1" } };
const tuple = (change: Partial<CheckpointTuple> = {}, values: Record<string, unknown> = {}): CheckpointTuple => ({
  config: at,
  checkpoint: {
    ...emptyCheckpoint(),
    id: "2",
    ts: "2026-01-01T00:00:00.000Z",
    channel_values: { log: [new HumanMessage({ id: "m", content: "a" }), 1], ...values },
    channel_versions: { log: 1 },
  },
  metadata: { source: "loop", step: 1, parents: {} },
  pendingWrites: [["task", "log", 1]],
  parentConfig: at,
  ...change,
});

it("finds no difference in two readings that say the same", () => {
  expect(differenceOf(tuple(), tuple({ config: { configurable: { thread_id: "other" } } }))).toBeUndefined();
  expect(differenceOf(tuple(), tuple(), itemsOnce())).toBeUndefined();
});

it.each([
  ["its parent differ", tuple({ parentConfig: { configurable: { checkpoint_id: "0" } } })],
  ["its parent differ", tuple({ parentConfig: undefined } as never)],
  ["its metadata differ", tuple({ metadata: { source: "loop", step: 2, parents: {} } })],
  ["its writes differ", tuple({ pendingWrites: [["task", "log", 2]] })],
  ["its writes differ", tuple({ pendingWrites: [] })],
  ['its values of "log" differ', tuple({}, { log: [new HumanMessage({ id: "m", content: "b" }), 1] })],
  ['its values of "log" differ', tuple({}, { log: [new HumanMessage({ id: "m", content: "a" })] })],
  ['its values of "more" differ', tuple({}, { more: undefined })],
  ["it can't be read back", undefined],
])("says: %s", (what, other) => {
  expect(differenceOf(tuple(), other, itemsOnce())).toBe(what);
  if (other !== undefined) expect(differenceOf(other, tuple())).toBe(what);
});

it("compares an item once with the same one, and again with another", () => {
  const isEqual = itemsOnce();
  const [one, same, other] = [{ n: 1 }, { n: 1 }, { n: 2 }];
  expect(isEqual([one], [same])).toBe(true);
  expect(isEqual([one, one], [same, same])).toBe(true);
  expect(isEqual([one], [other])).toBe(false);
});
