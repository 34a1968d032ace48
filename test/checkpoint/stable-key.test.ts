import { expect, it } from "vitest";
import { stableKey } from "../../src/checkpoint/stable-key.ts";

it("is the same 64 bits in every release: an older process must meet the locks of a newer one", () => {
  expect(stableKey("setup", "public")).toBe("7720532187632501518");
  expect(stableKey("thread", "public", "t")).toBe("-2821834618359638888");
});

it("tells apart parts that are one text together", () => {
  expect(stableKey("a", "bc")).not.toBe(stableKey("ab", "c"));
});
