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
  ['its writes to "log" differ', tuple({ pendingWrites: [["task", "log", 2]] })],
  ['its writes to "log" differ', tuple({ pendingWrites: [["other", "log", 1]] })],
  ['its writes to "log" differ', tuple({ pendingWrites: [] })],
  ['its writes to "log", "more" differ', tuple({ pendingWrites: [["task", "more", 1]] })],
  ['its values of "log" differ', tuple({}, { log: [new HumanMessage({ id: "m", content: "b" }), 1] })],
  ['its values of "log" differ', tuple({}, { log: [new HumanMessage({ id: "m", content: "a" })] })],
  ['its values of "more" differ', tuple({}, { more: undefined })],
  ["it can't be read back", undefined],
])("says: %s", (what, other) => {
  expect(differenceOf(tuple(), other, itemsOnce())).toBe(what);
  if (other !== undefined) expect(differenceOf(other, tuple())).toBe(what);
});

it("says that writes differ when a task made the same ones in another order", () => {
  const one = tuple({
    pendingWrites: [
      ["task", "log", 1],
      ["task", "more", 1],
    ],
  });
  const other = tuple({
    pendingWrites: [
      ["task", "more", 1],
      ["task", "log", 1],
    ],
  });
  expect(differenceOf(one, other)).toBe("the order of its writes differs");
});

it("compares bytes by what is in them, wherever they are: a Buffer and a Uint8Array are the same", () => {
  const withBytes = (bytes: Uint8Array): CheckpointTuple =>
    tuple(
      {
        pendingWrites: [
          ["task", "file", bytes],
          ["task", "files", { deep: [bytes] }],
        ],
      },
      { file: bytes, files: [{ deep: { bytes } }] },
    );
  const found = (other: Uint8Array, isEqual = itemsOnce()): string | undefined =>
    differenceOf(withBytes(new Uint8Array([1, 2])), withBytes(other), isEqual);
  expect(found(Buffer.from([1, 2]))).toBeUndefined();
  expect(found(Buffer.from([1, 3]))).toBe('its values of "file", "files" differ');
  expect(found(Buffer.from([1, 2, 3]))).toBe('its values of "file", "files" differ');
});

it("compares an item once with the same one, and again with another", () => {
  const isEqual = itemsOnce();
  const [one, same, other] = [{ n: 1 }, { n: 1 }, { n: 2 }];
  expect(isEqual([one], [same])).toBe(true);
  expect(isEqual([one, one], [same, same])).toBe(true);
  expect(isEqual([one], [other])).toBe(false);
});
