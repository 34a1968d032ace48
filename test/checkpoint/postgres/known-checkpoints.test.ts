import { expect, it } from "vitest";
import { KnownCheckpoints } from "../../../src/checkpoint/postgres/known-checkpoints.ts";
import type { KnownCheckpoint } from "../../../src/checkpoint/postgres/known-checkpoints.ts";

const known = (...items: unknown[]): KnownCheckpoint => ({
  thread: 1,
  generation: 0,
  versions: {},
  refs: new Map(),
  marks: new Map([["list", items]]),
});

it("the least recently used is forgotten when there are too many", () => {
  const all = new KnownCheckpoints(2);
  for (const id of ["a", "b"]) all.set("t", "", id, known());
  all.get("t", "", "a");
  all.set("t", "", "c", known());
  expect(["a", "b", "c"].filter((id) => all.get("t", "", id))).toEqual(["a", "c"]);
});

it("they are forgotten when the strings in their lists are too long in all, but never the newest", () => {
  const all = new KnownCheckpoints(10, 100);
  all.set("t", "", "a", known("x".repeat(60), 1));
  all.set("t", "", "b", known("x".repeat(40), {}));
  all.set("t", "", "c", known({}));
  expect(["a", "b", "c"].filter((id) => all.get("t", "", id))).toEqual(["a", "b", "c"]);
  all.set("t", "", "a", known("x".repeat(61)));
  expect(["a", "b", "c"].filter((id) => all.get("t", "", id))).toEqual(["a", "c"]);
  all.delete("t", "", "a");
  all.set("t", "", "d", known("x".repeat(100)));
  expect(["c", "d"].filter((id) => all.get("t", "", id))).toEqual(["c", "d"]);
  all.set("t", "", "e", known("x".repeat(1000)));
  expect(["c", "d", "e"].filter((id) => all.get("t", "", id))).toEqual(["e"]);
});

it("with 0 nothing is remembered", () => {
  const none = new KnownCheckpoints(0);
  none.set("t", "", "a", known());
  expect(none.get("t", "", "a")).toBeUndefined();
});
